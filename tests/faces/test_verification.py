"""Pairs, thresholds and the calibration in a record."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unpool.faces.calibrating import Scores, calibration_figures, calibration_of, fit_by_quality
from unpool.faces.damage import Poor, poor_in_groups, reduced
from unpool.faces.gallery.calibration import fit
from unpool.faces.verification import accuracy, best_accuracy, best_threshold, draw_pairs, similarities

scores = st.lists(st.floats(-1, 1).map(lambda v: round(v, 2)), min_size=1, max_size=20).map(np.array)


@settings(max_examples=25, deadline=None)
@given(same=scores, other=scores)
def test_best_threshold_is_the_best_of_all(same, other):
    candidates = np.unique(np.concatenate([same, other, [-2.0]]))
    best = max(accuracy(same, other, t) for t in candidates)
    assert accuracy(same, other, best_threshold(same, other)) == pytest.approx(best)


def test_pairs_are_what_they_say():
    labels = np.repeat(np.arange(20), 5)
    same, other = draw_pairs(labels, np.random.default_rng(0), each=4)
    assert len(same) == len(other) == 80
    assert (labels[same[:, 0]] == labels[same[:, 1]]).all()
    assert (same[:, 0] != same[:, 1]).all()
    assert (labels[other[:, 0]] != labels[other[:, 1]]).all()


def test_accuracy_of_separate_people_is_one():
    vectors = torch.eye(4).repeat_interleave(3, 0)
    same, other = draw_pairs(np.repeat(np.arange(4), 3), np.random.default_rng(0))
    assert best_accuracy(vectors, same, other) == 1
    assert similarities(vectors, same).min() == 1


def test_calibration_survives_a_record():
    rng = np.random.default_rng(0)
    quality = rng.uniform(0.5, 1, (2, 40_000))
    worse, better = quality.min(0), quality.max(0)
    spread = np.where(better < 0.75, 0.15, 0.1)
    strangers = Scores(rng.normal(0.0, spread), worse, better)
    fitted = fit_by_quality(Scores(rng.normal(0.6, spread), worse, better), strangers)
    assert fitted.poor is not None
    figures = calibration_figures(fitted)
    again = calibration_of(figures | {"accuracy": 0.9})
    assert again is not None
    assert again.threshold(1e-3) == pytest.approx(figures["threshold"], abs=1e-6)
    for pair, clear in (((0.9, 0.62), True), ((0.7, 0.62), False)):
        limit = again.between(*pair).threshold(1e-2)
        assert (strangers.usable(clear) > limit).mean() == pytest.approx(1e-2, rel=0.3)
    assert len(strangers.usable(True)) + len(strangers.usable(False)) == (worse >= 0.6).sum()
    assert calibration_of({"accuracy": 0.9}) is None


def test_a_record_from_before_there_were_qualities_is_read():
    fitted = fit(np.linspace(0.4, 0.9, 100), np.linspace(-0.3, 0.3, 100))
    figures = {
        name: value for name, value in calibration_figures(fitted).items() if not name.endswith(("shape", "clear"))
    }
    again = calibration_of(figures)
    assert again is not None
    assert again.poor is None
    assert again.between(0.1, 0.1) is again
    assert again.threshold(1e-3) == pytest.approx(fitted.threshold(1e-3))


def test_too_few_poor_pairs_make_one_calibration():
    rng = np.random.default_rng(0)
    good = np.full(500, 0.9)
    fitted = fit_by_quality(Scores(rng.normal(0.6, 0.1, 500), good, good), Scores(rng.normal(0, 0.1, 500), good, good))
    assert fitted.poor is None


def test_reduced_keeps_size_and_loses_detail():
    face = torch.rand(2, 3, 112, 112)
    poor = reduced(face, 16)
    assert poor.shape == face.shape
    assert float(poor.std()) < float(face.std()) / 2


def test_poor_faces_are_repeatable_and_in_range():
    face = torch.rand(8, 3, 112, 112)
    one, other = (poor_in_groups(face, 1.0, 4, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one, other)
    assert one.shape == face.shape
    assert 0 <= float(one.min()) <= float(one.max()) <= 1
    assert torch.equal(poor_in_groups(face, 0.0, 4, torch.Generator()), face)


@pytest.mark.parametrize("size", [12, 112])
def test_poor_reaches_its_ends(size):
    poor = Poor(sizes=(size, size), light=1, occlusion=1, blur=1, noise=1, jpeg=1)
    made = poor(torch.rand(1, 3, 112, 112), torch.Generator().manual_seed(0))
    assert made.shape == (1, 3, 112, 112)
    assert torch.isfinite(made).all()
