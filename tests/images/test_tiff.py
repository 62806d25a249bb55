"""TIFF in the layouts that cameras, scanners and microscopes write."""

import io

import numpy as np
import pytest
import tifffile
from PIL import Image

from unpool.errors import PictureError
from unpool.images.reading import read

RNG = np.random.default_rng(1)
RAMP = np.arange(65536, dtype=np.uint16).reshape(256, 256)
LEVELS = np.dstack([RAMP, RAMP[::-1], RAMP.T])


def tiff(array: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, array, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"byteorder": ">"},
        {"bigtiff": True},
        {"compression": "zlib", "predictor": True},
        {"compression": "lzw"},
        {"compression": "zstd"},
        {"tile": (64, 48)},
        {"rowsperstrip": 7},
        {"planarconfig": "separate"},
    ],
)
def test_65536_levels_of_colour_in_every_layout(options):
    array = LEVELS.transpose(2, 0, 1) if "planarconfig" in options else LEVELS
    picture = read(tiff(array, photometric="rgb", **options))
    assert np.array_equal(picture.samples, LEVELS)


def test_grey_and_its_inverse():
    assert np.array_equal(read(tiff(RAMP)).samples[:, :, 0], RAMP)
    assert np.array_equal(read(tiff(RAMP, photometric="miniswhite")).samples[:, :, 0], 65535 - RAMP)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_alpha_beside_and_multiplied(dtype):
    top = np.iinfo(dtype).max
    colours = RNG.integers(0, top, (8, 9, 3), dtype, endpoint=True)
    alpha = RNG.integers(top // 4, top, (8, 9), dtype, endpoint=True)
    beside = read(tiff(np.dstack([colours, alpha]), photometric="rgb", extrasamples=["unassalpha"]))
    assert np.array_equal(beside.samples, colours)
    assert np.array_equal(beside.alpha, alpha)
    multiplied = np.rint(colours * (alpha[:, :, None] / top)).astype(dtype)
    undone = read(tiff(np.dstack([multiplied, alpha]), photometric="rgb", extrasamples=["assocalpha"]))
    assert np.abs(undone.samples.astype(int) - colours).max() <= 3
    unnamed = read(tiff(np.dstack([colours, alpha]), photometric="rgb", extrasamples=["unspecified"]))
    assert unnamed.alpha is None


def test_floats_in_range_and_out_of_it():
    values = RNG.random((6, 7, 3), np.float32)
    assert np.abs(read(tiff(values, photometric="rgb")).samples / 65535 - values).max() < 1e-5
    with pytest.raises(PictureError, match=r"scale them first"):
        read(tiff(values * 1000, photometric="rgb"))


def test_palette_one_bit_and_twelve_bits():
    palette = RNG.integers(0, 256, (3, 256), np.uint16) * 257
    indices = RNG.integers(0, 256, (5, 6), np.uint8)
    picture = read(tiff(indices, photometric="palette", colormap=palette))
    assert np.array_equal(picture.samples, (palette >> 8).T[indices])
    bits = RNG.random((5, 16)) > 0.5
    assert np.array_equal(read(tiff(bits, photometric="minisblack")).samples[:, :, 0] == 255, bits)
    assert np.array_equal(read(tiff(bits, photometric="miniswhite")).samples[:, :, 0] == 0, bits)
    twelve = read(tiff(np.array([[0, 2048, 4095]], np.uint16), bitspersample=12))
    assert twelve.samples.ravel().tolist() == [0, 32776, 65535]


def test_lab_colours():
    buffer = io.BytesIO()
    Image.merge("LAB", [Image.new("L", (2, 2), value) for value in (128, 128, 128)]).save(buffer, "TIFF")
    samples = read(buffer.getvalue()).samples
    assert samples.shape == (2, 2, 3)
    assert np.ptp(samples) <= 2  # neutral stays neutral
    assert abs(int(samples[0, 0, 0]) - 119) <= 2  # L* 50 in sRGB


def test_orientation_and_first_page():
    pages = io.BytesIO()
    with tifffile.TiffWriter(pages) as writer:
        writer.write(LEVELS[:5, :7], photometric="rgb", extratags=[(274, "H", 1, 6, True)])
        writer.write(LEVELS[:3, :3], photometric="rgb")
    assert np.array_equal(read(pages.getvalue()).samples, np.rot90(LEVELS[:5, :7], -1))


@pytest.mark.parametrize(
    "array", [np.zeros((4, 4, 7), np.uint8), np.zeros((4, 4), np.int16), np.zeros((4, 4), np.uint32)]
)
def test_what_is_no_picture_for_people(array):
    with pytest.raises(PictureError):
        read(tiff(array, photometric="minisblack", planarconfig="contig" if array.ndim == 3 else None))
