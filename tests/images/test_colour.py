"""ICC profiles: to sRGB on the way in, back on request, against the formulas."""

import functools
import io
import struct

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from unpool.errors import PictureError
from unpool.images import colour
from unpool.images.picture import Picture
from unpool.images.reading import read
from unpool.images.writing import write

COLOURS = np.array([[[128, 128, 128], [200, 100, 50], [255, 255, 255], [60, 90, 120]]], np.uint8)


def linear(encoded: np.ndarray) -> np.ndarray:
    return np.where(encoded > 0.04045, ((encoded + 0.055) / 1.055) ** 2.4, encoded / 12.92)


def srgb(light: np.ndarray) -> np.ndarray:
    light = np.clip(light, 0, 1)
    return np.where(light > 0.0031308, 1.055 * light ** (1 / 2.4) - 0.055, 12.92 * light)


@functools.cache
def display_p3() -> bytes:
    curve = (linear(np.linspace(0, 1, 4096)) * 65535).round().astype(np.uint16)
    primaries = [0.680, 0.320, 1.0, 0.265, 0.690, 1.0, 0.150, 0.060, 1.0]
    white = [0.3127, 0.3290, 1.0]
    return imagecodecs.cms_profile("rgb", whitepoint=white, primaries=primaries, transferfunction=curve)


P3_TO_SRGB = np.array([[1.2249401, -0.2249402, 0.0], [-0.0420569, 1.0420571, 0.0], [-0.0196376, -0.0786507, 1.0982884]])


def icc(space: bytes, connection: bytes, kind: bytes, tags: dict[bytes, bytes]) -> bytes:
    """An ICC profile of version 2 with these tags."""
    white = struct.pack(">3i", 63190, 65536, 54061)
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(78),
        b"wtpt": b"XYZ " + bytes(4) + white,
        **tags,
    }
    at, table, body = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        padded = content + bytes(-len(content) % 4)
        table += name + struct.pack(">II", at + len(body), len(content))
        body += padded
    head = struct.pack(">I4sI4s4s4s", at + len(body), b"    ", 0x02400000, kind, space, connection)
    head += bytes(12) + b"acsp" + bytes(28) + white + bytes(48)
    return head + table + body


def grey_profile(gamma: float) -> bytes:
    return icc(b"GRAY", b"XYZ ", b"mntr", {b"kTRC": b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))})


def ink_profile() -> bytes:
    """CMYK whose lightness is 100 (1 - mean of C, M, Y) (1 - K), without hue: a table of two steps an ink."""
    steps = np.stack(np.meshgrid(*[[0.0, 1.0]] * 4, indexing="ij"), -1).reshape(-1, 4)
    light = (1 - steps[:, :3].mean(1)) * (1 - steps[:, 3])
    lab = np.stack([light * 255, np.full(16, 128), np.full(16, 128)], -1).round().astype(np.uint8)
    ramp = bytes(range(256))
    unit = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + unit + ramp * 4 + lab.tobytes() + ramp * 3
    return icc(b"CMYK", b"Lab ", b"prtr", {b"A2B0": table})


@pytest.mark.parametrize("depth", [8, 16])
def test_display_p3_by_the_formula_and_back(tmp_path, depth):
    samples = Picture(COLOURS).with_depth(depth).samples
    expected = srgb(linear(COLOURS / 255) @ P3_TO_SRGB.T) * 255
    path = tmp_path / "p3.tif"
    tifffile.imwrite(path, samples, photometric="rgb", iccprofile=display_p3())
    picture = read(path)
    assert np.abs(picture.samples / (257 if depth == 16 else 1) - expected).max() <= (1 if depth == 8 else 0.3)
    for name in ("back.png", "back.tif", "back.webp"):
        lossless = {"lossless": True} if name.endswith("webp") else {}
        write(picture, tmp_path / name, icc=True, **lossless)
        again = Image.open(tmp_path / name)
        assert again.info["icc_profile"] == display_p3()
        returned = tifffile.imread(tmp_path / name) if name.endswith("tif") else np.array(again)
        scale = 257 if returned.dtype == np.uint16 else 1
        assert np.abs(returned / scale - COLOURS).max() <= 1.01, name


def test_files_say_that_they_are_srgb(tmp_path):
    picture = read(COLOURS)
    for name in ("a.png", "a.jpg", "a.webp", "a.avif", "a.tif"):
        write(picture, tmp_path / name)
        info = Image.open(tmp_path / name).info
        assert colour.is_srgb(info.get("icc_profile") or colour.srgb_profile()), name
        assert "icc_profile" in info or "srgb" in info, name
        assert read(tmp_path / name).icc is None, name


def test_our_own_profile_is_the_same_on_every_day():
    assert colour.srgb_profile()[24:36] == bytes([7, 208, 0, 1, 0, 1]) + bytes(6)
    assert colour.is_srgb(colour.srgb_profile())
    assert colour.is_srgb(imagecodecs.cms_profile("srgb"))
    assert not colour.is_srgb(display_p3())


def test_srgb_pixels_pass_untouched():
    every = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    assert np.array_equal(colour.to_srgb(every, imagecodecs.cms_profile("srgb")), every)


@pytest.mark.parametrize("depth", [8, 16])
def test_grey_stays_grey(tmp_path, depth):
    ramp = Picture(np.arange(256, dtype=np.uint8).reshape(16, 16, 1)).with_depth(depth)
    expected = srgb((ramp.samples / (2**depth - 1)) ** 2.2) * 255
    tifffile.imwrite(tmp_path / "grey.tif", ramp.samples[:, :, 0], iccprofile=grey_profile(2.2))
    picture = read(tmp_path / "grey.tif")
    assert picture.grey
    assert np.abs(picture.with_depth(8).samples - expected).max() <= 1.2
    write(picture, tmp_path / "back.png", icc=True)
    assert Image.open(tmp_path / "back.png").info["icc_profile"] == grey_profile(2.2)
    back = imagecodecs.png_decode((tmp_path / "back.png").read_bytes())
    error = np.abs(back.astype(int) - ramp.samples[:, :, 0])
    assert error[2:].max() <= 2**depth // 256  # but for the darkest eighth, where sRGB has fewer steps than 2.2
    assert error.max() <= 6 * 2**depth // 256


def test_ink_without_a_profile_is_subtracted():
    inks = np.array([[[0, 0, 0, 0], [255, 0, 0, 0], [0, 0, 0, 255], [0, 128, 255, 64]]], np.uint8)
    expected = [[255, 255, 255], [0, 255, 255], [0, 0, 0], [191, 95, 0]]
    for kind in ("TIFF", "JPEG"):
        buffer = io.BytesIO()
        Image.fromarray(inks, "CMYK").resize((32, 8), 0).save(
            buffer, kind, **({"quality": 98} if kind == "JPEG" else {})
        )
        found = read(buffer.getvalue()).samples[4, 4::8]
        assert np.abs(found.astype(int) - expected).max() <= (12 if kind == "JPEG" else 0), kind
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, inks.astype(np.uint16) * 257, photometric="separated")
    assert np.abs(read(buffer.getvalue()).samples[0] / 257 - expected).max() <= 1


def test_ink_with_a_profile_looks_as_the_profile_says(tmp_path):
    inks = np.array([[[0, 0, 0, 0], [0, 0, 0, 255], [255, 255, 255, 0], [0, 0, 0, 128]]], np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(inks, "CMYK").save(buffer, "TIFF", icc_profile=ink_profile())
    picture = read(buffer.getvalue())
    assert picture.samples.shape == (1, 4, 3)
    assert np.ptp(picture.samples, axis=2).max() <= 3
    assert np.abs(picture.samples[0, :, 0].astype(int) - [255, 0, 0, 118]).max() <= 4
    with pytest.raises(PictureError, match="cannot be written back"):
        write(picture, tmp_path / "back.png", icc=True)


@pytest.mark.parametrize("profile", [b"", b"nonsense", display_p3()[:200], grey_profile(2.2), bytes(4000)])
def test_a_profile_that_does_not_fit_is_ignored(profile):
    buffer = io.BytesIO()
    Image.fromarray(COLOURS).save(buffer, "PNG", icc_profile=profile)
    picture = read(buffer.getvalue())
    assert np.array_equal(picture.samples, COLOURS)
    assert picture.icc is None
