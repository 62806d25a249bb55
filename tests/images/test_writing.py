"""A picture to a file: whole or not at all, and refused before any work where the format cannot hold it."""

import numpy as np
import pytest

from unpool.errors import PictureError
from unpool.images.picture import Picture
from unpool.images.reading import read
from unpool.images.writing import check_output, write

RAMP = np.arange(65536, dtype=np.uint16).reshape(256, 256)
LEVELS = Picture(np.dstack([RAMP, RAMP[::-1], RAMP.T]))
SMALL = Picture(np.random.default_rng(0).integers(0, 256, (6, 7, 3), np.uint8))
LOSSLESS = [".png", ".tif", ".tiff", ".jp2"]
LOSSY = [".jpg", ".jpeg", ".webp", ".avif"]


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_65536_levels_of_colour_go_out_and_come_back(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    write(LEVELS, path)
    assert np.array_equal(read(path).samples, LEVELS.samples)
    translucent = Picture(LEVELS.samples[:8, :8], LEVELS.samples[:8, :8, 1])
    write(translucent, path)
    assert np.array_equal(read(path).alpha, translucent.alpha)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_eight_bits_and_grey(tmp_path, suffix):
    path = tmp_path / f"a{suffix.upper()}"
    grey = Picture(SMALL.samples[:, :, :1])
    translucent = Picture(SMALL.samples, SMALL.samples[:, :, 0])
    for picture in (SMALL, grey, translucent, Picture(grey.samples, grey.samples[:, :, 0])):
        write(picture, path)
        again = read(path)
        assert np.array_equal(again.samples, picture.samples)
        assert np.array_equal(again.alpha, picture.alpha)


@pytest.mark.parametrize("suffix", LOSSY)
def test_formats_that_lose_something(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    smooth = LEVELS.with_depth(8)
    write(LEVELS, path)
    rough = read(path)
    assert rough.bit_depth == 8
    assert np.abs(rough.samples.astype(int) - smooth.samples).mean() < 2
    size = path.stat().st_size
    write(LEVELS, path, quality=20)
    assert path.stat().st_size < size


@pytest.mark.parametrize("quality", [1, 50, 92, 100])
def test_noise_fits_into_jpeg(tmp_path, quality):
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    write(Picture(noise), tmp_path / "a.jpg", quality=quality)
    assert read(tmp_path / "a.jpg").samples.shape == noise.shape


def test_webp_without_loss(tmp_path):
    write(SMALL, tmp_path / "a.webp", lossless=True)
    assert np.array_equal(read(tmp_path / "a.webp").samples, SMALL.samples)


def test_the_same_picture_gives_the_same_bytes(tmp_path):
    for suffix in (*LOSSLESS, *LOSSY):
        for name in "ab":
            write(SMALL, tmp_path / f"{name}{suffix}")
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes(), suffix


@pytest.mark.parametrize(
    ("name", "height", "width"),
    [("a.webp", 16_384, 10), ("a.jpg", 10, 65_536), ("a.avif", 70_000, 10), ("a.webp", 10, 20_000)],
)
def test_a_size_the_format_cannot_hold_is_refused_before_work(tmp_path, name, height, width):
    with pytest.raises(PictureError, match="holds at most"):
        check_output(tmp_path / name, height=height, width=width)
    check_output(tmp_path / "a.png", height=height, width=width)


@pytest.mark.parametrize(("name", "side"), [("a.webp", 16_383), ("a.jpg", 65_500), ("a.avif", 16_384)])
def test_the_largest_size_can_be_written(tmp_path, name, side):
    write(Picture(np.zeros((1, side, 1), np.uint8)), tmp_path / name)
    assert read(tmp_path / name).width == side


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("picture", "no suffix"),
        ("picture.xyz", "names no picture format"),
        ("picture.gif", "names no picture format"),
        ("missing/picture.png", "no folder"),
    ],
)
def test_a_name_that_cannot_be_is_refused(tmp_path, name, words):
    with pytest.raises(PictureError, match=words):
        write(SMALL, tmp_path / name)
    with pytest.raises(PictureError, match=words):
        check_output(tmp_path / name, height=1, width=1)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_refused(tmp_path):
    (tmp_path / "a.png").mkdir()
    with pytest.raises(PictureError, match="is a folder"):
        write(SMALL, tmp_path / "a.png")


def test_transparency_in_jpeg_needs_a_background(tmp_path):
    half = Picture(np.zeros((2, 2, 3), np.uint8), np.full((2, 2), 128, np.uint8))
    with pytest.raises(PictureError, match="no transparency"):
        write(half, tmp_path / "a.jpg")
    with pytest.raises(PictureError, match="no transparency"):
        check_output(tmp_path / "a.jpg", height=2, width=2, alpha=True)
    write(half, tmp_path / "a.jpg", background=(255, 255, 255))
    assert np.abs(read(tmp_path / "a.jpg").samples.astype(int) - 127).max() <= 1
    opaque = Picture(half.samples, np.full((2, 2), 255, np.uint8))
    write(opaque, tmp_path / "b.jpg")


@pytest.mark.parametrize("quality", [0, 101, -5])
def test_quality_has_a_range(tmp_path, quality):
    with pytest.raises(PictureError, match="1 to 100"):
        write(SMALL, tmp_path / "a.jpg", quality=quality)


def test_to_bytes_is_what_write_writes(tmp_path):
    from unpool.images.writing import to_bytes

    picture = Picture(np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8))
    for suffix in (".png", ".jpg", ".webp", ".tif"):
        write(picture, tmp_path / f"x{suffix}")
        assert to_bytes(picture, suffix) == (tmp_path / f"x{suffix}").read_bytes()
    with pytest.raises(PictureError, match="ask for PNG"):
        to_bytes(Picture(np.zeros((1, 20_000, 1), np.uint8)), ".webp")
