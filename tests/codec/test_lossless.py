"""Lossless tiles give back every bit, and are smaller than PNG's on photographs."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from unpool.codec import lossless
from unpool.codec.api import compress, compress_lossless, decompress
from unpool.codec.fitting import fit
from unpool.errors import PictureError
from unpool.images.picture import Picture


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3]), st.sampled_from([8, 16]), st.integers(0, 10**6))
def test_any_samples_come_back(height, width, channels, depth, seed):
    rng = np.random.default_rng(seed)
    top = 2 ** rng.integers(0, depth + 1)
    samples = rng.integers(0, top, (height, width, channels)).astype(np.uint16 if depth == 16 else np.uint8)
    back = lossless.decode(lossless.encode(samples, depth, fit), height, width, channels, depth)
    assert back.dtype == samples.dtype
    assert (back == samples).all()


def test_extremes_come_back():
    samples = np.zeros((130, 130, 3), np.uint16)
    samples[::2, 1::2] = 65535
    samples[64:, :, 1] ^= 65535
    assert (lossless.decode(lossless.encode(samples, 16, fit), 130, 130, 3, 16) == samples).all()


def test_smaller_than_png_on_a_photograph():
    photograph = np.ascontiguousarray(data.astronaut()[100:356, 100:356])
    png = io.BytesIO()
    Image.fromarray(photograph).save(png, "PNG", optimize=True)
    stream = compress_lossless(Picture(photograph), tile=128)
    assert len(stream) < 0.9 * png.tell()
    assert (decompress(stream).samples == photograph).all()
    region = decompress(stream, region=(100, 90, 60, 70)).samples
    assert (region == photograph[100:160, 90:160]).all()


def test_a_flat_picture_costs_next_to_nothing():
    assert len(compress_lossless(Picture(np.full((128, 128, 3), 77, np.uint8)))) < 3000


@pytest.mark.parametrize("depth", [8, 16])
def test_alpha_and_depth_travel(depth):
    kind = np.uint16 if depth == 16 else np.uint8
    picture = Picture(np.arange(60, dtype=kind).reshape(4, 5, 3), alpha=np.arange(20, dtype=kind).reshape(4, 5))
    back = decompress(compress_lossless(picture))
    assert (back.samples == picture.samples).all()
    assert (back.alpha == picture.alpha).all()
    assert back.bit_depth == depth


def test_a_wished_rate_is_refused():
    for wish in ({"bpp": 1.0}, {"psnr": 40.0}, {"size": 1000}):
        with pytest.raises(PictureError, match="lossless keeps every bit"):
            compress(data.astronaut()[:32, :32], lossless=True, **wish)
