"""The report's figures: what changed, and whether the result is consistent with the input."""

import math

import numpy as np
import torch

from unpool.images.picture import Picture
from unpool.images.resampling import imresize
from unpool.restoration.plan import Plan
from unpool.restoration.report import consistency, difference, write_report


def test_a_result_that_shrinks_to_the_input_is_consistent(photo):
    large = photo.tensor()[..., :60, :76]
    small = imresize(large, 0.25).clamp(0, 1)
    assert consistency((small * 255).round() / 255, large) > 50
    assert consistency(small, large.flip(-1)) < 20


def test_nothing_changed(photo, tmp_path):
    same = photo.tensor()
    assert math.isinf(consistency(same, same))
    assert torch.equal(difference(same, same), torch.full_like(same, 0.5))
    page = write_report(tmp_path / "page.html", photo, photo, Plan((), None)).read_text()
    assert "identical" in page
    assert "nothing changed" in page


def test_the_difference_is_what_was_added(photo):
    before = photo.tensor() * 0.5
    added = difference(before, before + 0.02)
    torch.testing.assert_close(added, torch.full_like(added, 0.6), atol=1e-5, rtol=0)


def test_large_pictures_show_their_middle(tmp_path):
    wide = Picture(np.zeros((20, 3000, 3), np.uint8))
    assert write_report(tmp_path / "page.html", wide, wide, Plan((), None)).stat().st_size < 100_000
