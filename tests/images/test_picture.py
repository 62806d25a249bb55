"""The one shape in which pictures travel: integers outside, floats in [0, 1] inside."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from unpool.errors import PictureError
from unpool.images.picture import Picture

SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 6), st.sampled_from([1, 3]))
PIXELS = st.sampled_from([np.uint8, np.uint16]).flatmap(lambda dtype: arrays.arrays(dtype, SHAPES))


@settings(max_examples=25, deadline=None)
@given(PIXELS)
def test_to_a_tensor_and_back_is_the_same_picture(samples):
    picture = Picture(samples)
    tensor = picture.tensor()
    assert tensor.dtype == torch.float32
    assert tensor.shape == (1, samples.shape[2], *samples.shape[:2])
    assert 0 <= float(tensor.min()) <= float(tensor.max()) <= 1
    assert np.array_equal(Picture.from_tensor(tensor, picture.bit_depth).samples, samples)


@settings(max_examples=25, deadline=None)
@given(arrays.arrays(np.uint8, SHAPES))
def test_eight_bits_survive_sixteen(samples):
    assert np.array_equal(Picture(samples).with_depth(16).with_depth(8).samples, samples)


def test_sixteen_bits_round_to_the_nearest_of_eight():
    levels = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1)
    assert np.array_equal(Picture(levels).with_depth(8).samples, np.rint(levels / 257).astype(np.uint8))


def test_every_sixteen_bit_level_survives_float32():
    levels = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1)
    assert np.array_equal(Picture.from_tensor(Picture(levels).tensor(), 16).samples, levels)


def test_a_region_is_a_part_of_the_whole():
    picture = Picture(np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3))
    assert torch.equal(picture.tensor((1, 2, 3, 4)), picture.tensor()[..., 1:4, 2:6])
    with pytest.raises(PictureError, match="leaves the 7x5 picture"):
        picture.tensor((3, 0, 3, 4))


def test_grey_becomes_colour_by_repetition():
    grey = Picture(np.arange(6, dtype=np.uint8).reshape(2, 3, 1))
    assert grey.grey
    assert torch.equal(grey.rgb(), grey.tensor().repeat(1, 3, 1, 1))


def test_from_tensor_clips_rounds_and_takes_over_what_belongs_to_the_picture():
    alpha = np.array([[7, 9]], np.uint8)
    like = Picture(np.zeros((1, 2, 3), np.uint8), alpha, b"exif", b"icc")
    made = Picture.from_tensor(
        torch.tensor([-1.0, 0.4999 / 255, 0.5001 / 255, 2.0]).view(1, 1, 1, 4).bfloat16(), like=like
    )
    assert made.samples[0, 0, 0] == 0
    assert made.samples[0, 3, 0] == 255
    assert (made.alpha, made.exif, made.icc) == (None, b"exif", b"icc")
    same_size = Picture.from_tensor(torch.rand(3, 1, 2), bit_depth=16, like=like)
    assert np.array_equal(same_size.alpha, alpha.astype(np.uint16) * 257)


@pytest.mark.parametrize(
    "values", [torch.rand(2, 3, 4, 4), torch.rand(2, 4, 4), torch.full((1, 3, 4, 4), float("nan"))]
)
def test_a_tensor_that_is_no_picture_is_an_error(values):
    with pytest.raises(PictureError):
        Picture.from_tensor(values)


@pytest.mark.parametrize(
    ("samples", "alpha"),
    [
        (np.zeros((2, 2), np.uint8), None),
        (np.zeros((2, 2, 4), np.uint8), None),
        (np.zeros((0, 2, 3), np.uint8), None),
        (np.zeros((2, 2, 3), np.float32), None),
        (np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2), np.uint16)),
        (np.zeros((2, 2, 3), np.uint8), np.zeros((2, 3), np.uint8)),
    ],
)
def test_samples_of_another_kind_are_an_error(samples, alpha):
    with pytest.raises(PictureError):
        Picture(samples, alpha)


def test_as_a_pil_image():
    colour, alpha = np.full((2, 3, 3), 65535, np.uint16), np.zeros((2, 3), np.uint16)
    assert Picture(colour, alpha).to_pil().mode == "RGBA"
    assert Picture(colour[:, :, :1], alpha).to_pil().mode == "LA"
    assert Picture(colour).to_pil().getpixel((0, 0)) == (255, 255, 255)
    assert Picture(colour[:, :, :1]).to_pil().mode == "L"
    assert repr(Picture(colour, alpha)) == "Picture(3x2, RGB with alpha, 16 bit)"
