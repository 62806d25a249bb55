"""Similarity transforms and crops against exact answers."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unpool.errors import PictureError
from unpool.faces.alignment import (
    SIZE,
    TEMPLATE,
    apply,
    check_landmarks,
    crop_matrix,
    inverse,
    similarity,
    template,
    warp,
)


@settings(max_examples=25, deadline=None)
@given(angle=st.floats(-3.1, 3.1), scale=st.floats(0.05, 20), x=st.floats(-500, 500), y=st.floats(-500, 500))
def test_similarity_recovers_an_exact_transform(angle, scale, x, y):
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = TEMPLATE @ turn.T + (x, y)
    found = similarity(TEMPLATE, moved)
    np.testing.assert_allclose(found, np.concatenate([turn, [[x], [y]]], axis=1), atol=1e-7 * max(scale, 1))
    np.testing.assert_allclose(apply(inverse(found), moved), TEMPLATE, atol=1e-6)


def test_similarity_is_the_least_squares_one():
    rng = np.random.default_rng(0)
    target = TEMPLATE + rng.normal(0, 3, TEMPLATE.shape)
    best = similarity(TEMPLATE, target)
    error = ((apply(best, TEMPLATE) - target) ** 2).sum()
    for _ in range(50):
        other = best + rng.normal(0, 0.01, best.shape)
        other[1, 1], other[1, 0] = other[0, 0], -other[0, 1]  # still a similarity
        assert ((apply(other, TEMPLATE) - target) ** 2).sum() >= error


def test_similarity_never_mirrors():
    mirrored = TEMPLATE * (-1, 1)
    assert np.linalg.det(similarity(TEMPLATE, mirrored)[:, :2]) > 0


@pytest.mark.parametrize(
    "wrong", [np.zeros((4, 2)), np.full((5, 2), np.nan), np.zeros(10), [[1, 2]] * 4, "abc", [[1, 2], [3]]]
)
def test_landmarks_that_are_none_are_refused(wrong):
    with pytest.raises(PictureError, match="five"):
        check_landmarks(wrong)


def test_landmarks_on_one_point_are_refused():
    with pytest.raises(PictureError, match="one point"):
        crop_matrix(np.ones((5, 2)))


def test_template_with_margin_is_the_128_pixel_crop():
    np.testing.assert_allclose(template(128, 8.0), TEMPLATE + 8)


def test_an_aligned_picture_is_cut_out_unchanged():
    picture = torch.rand(1, 3, 128, 128)
    cut = warp(picture, crop_matrix(TEMPLATE + 8), SIZE)
    torch.testing.assert_close(cut, picture[:, :, 8:120, 8:120], atol=1e-4, rtol=0)


@pytest.mark.parametrize("factor", [0.25, 0.5, 2.0, 4.0])
def test_warp_puts_things_where_the_matrix_says(factor):
    # A smooth ramp: its value tells the place.
    ramp = (torch.arange(200) + 0.5).expand(1, 1, 200, 200) / 200
    matrix = np.array([[factor, 0, -factor * 60], [0, factor, -factor * 60]])
    size = 32
    cut = warp(ramp, matrix, size)[0, 0]
    expected = ((torch.arange(size) + 0.5) / factor + 60) / 200
    inside = expected < 0.95
    torch.testing.assert_close(cut[4, inside], expected[inside], atol=3e-3, rtol=0)


def test_reduction_does_not_alias():
    checkers = (torch.arange(400) % 2).float().expand(1, 1, 400, 400).contiguous()
    cut = warp(checkers, np.array([[0.1, 0, 0], [0, 0.1, 0]]), 40)
    torch.testing.assert_close(cut[..., 5:35, 5:35], torch.full((1, 1, 30, 30), 0.5), atol=0.02, rtol=0)


def test_outside_is_black():
    assert float(warp(torch.ones(1, 3, 10, 10), np.array([[1.0, 0, 50], [0, 1.0, 50]]), 20).max()) == 0
