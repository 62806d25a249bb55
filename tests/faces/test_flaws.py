"""Why a face is not compared: each kind of damage is called by its name, a good face by none."""

import pytest
import torch
from skimage import data

from unpool.faces.flaws import flaw
from unpool.images.degradations import GaussianBlur
from unpool.images.reading import read
from unpool.images.resampling import imresize


@pytest.fixture(scope="module")
def crop():
    return imresize(read(data.astronaut()).rgb()[..., 70:160, 180:270], size=(112, 112)).clamp(0, 1)


def covered(crop, left, top, right, bottom):
    made = crop.clone()
    made[..., top:bottom, left:right] = 0.5
    return made


def test_a_good_face_has_no_flaw(crop):
    assert flaw(crop, 0.9, 100.0, 0.9) is None
    assert flaw(imresize(imresize(crop, size=(24, 24)), size=(112, 112)).clamp(0, 1), 0.9, 24.0, 0.9) is None


@pytest.mark.parametrize("place", [(0, 64, 112, 112), (0, 36, 112, 64), (0, 0, 56, 112), (56, 0, 112, 60)])
def test_a_covered_face_is_called_covered_whatever_its_quality(crop, place):
    for quality in (0.9, 0.3):
        assert "covered" in flaw(covered(crop, *place), quality, 100.0, 0.9)


def test_small_blurred_and_none(crop):
    assert flaw(crop, 0.9, 9.0, 0.9) == "the face is too small: 9 pixels, fewer than 12"
    blurred = GaussianBlur(6.0)(crop, torch.Generator())
    assert flaw(blurred, 0.4, 100.0, 0.9) == "the face is blurred (quality 0.40)"
    assert flaw(blurred, 0.9, 100.0, 0.9) is None  # the network says that it can be compared
    noise = torch.rand(1, 3, 112, 112, generator=torch.Generator().manual_seed(0))
    assert "no face" in flaw(noise, 0.3, None, None)


def test_a_doubtful_detection_of_doubtful_quality_may_be_no_face(crop):
    assert "may be no face" in flaw(crop, 0.68, 30.0, 0.55)
    assert flaw(crop, 0.68, 30.0, 0.8) is None
    assert flaw(crop, 0.8, 30.0, 0.55) is None
    assert flaw(crop, 0.68, None, None) is None
