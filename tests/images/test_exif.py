"""Which way is up is applied; where it was is dropped unless asked for; the rest is kept."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from unpool.images import exif
from unpool.images.reading import read
from unpool.images.writing import write

UPRIGHT = np.arange(5 * 8 * 3, dtype=np.uint8).reshape(5, 8, 3)
KINDS = ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"]


def stored(orientation: int) -> np.ndarray:
    """How a camera stores `UPRIGHT` when it notes this orientation (the standard's table, from the other side)."""
    rotations = {
        1: UPRIGHT,
        2: UPRIGHT[:, ::-1],
        3: np.rot90(UPRIGHT, 2),
        4: UPRIGHT[::-1],
        5: UPRIGHT.swapaxes(0, 1),
        6: np.rot90(UPRIGHT),
        7: np.rot90(UPRIGHT, 2).swapaxes(0, 1),
        8: np.rot90(UPRIGHT, -1),
    }
    return np.ascontiguousarray(rotations[orientation])


def block(orientation: int = 1) -> Image.Exif:
    found = Image.Exif()
    found[ExifTags.Base.Orientation] = orientation
    found[ExifTags.Base.Make] = "Ernemann"
    found[ExifTags.Base.Artist] = "Anna"
    found[ExifTags.IFD.Exif] = {
        ExifTags.Base.ExposureTime: 0.25,
        ExifTags.Base.ExifImageWidth: 8,
        ExifTags.Base.ExifImageHeight: 5,
        ExifTags.Base.MakerNote: b"50 N 8 E",
    }
    found[ExifTags.IFD.GPSInfo] = {ExifTags.GPS.GPSLatitudeRef: "N", ExifTags.GPS.GPSLatitude: (50.0, 6.0, 30.0)}
    return found


def photograph(kind: str, orientation: int = 1) -> bytes:
    buffer = io.BytesIO()
    options = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}, "AVIF": {"quality": 100}}
    Image.fromarray(stored(orientation)).save(buffer, kind, exif=block(orientation).tobytes(), **options.get(kind, {}))
    return buffer.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_upright(orientation):
    assert np.array_equal(exif.upright(stored(orientation), orientation), UPRIGHT)
    for kind in KINDS:
        picture = read(photograph(kind, orientation))
        assert picture.samples.shape == UPRIGHT.shape, kind
        if kind not in ("JPEG", "AVIF"):
            assert np.array_equal(picture.samples, UPRIGHT), kind
        assert exif.parsed(picture.exif).get(ExifTags.Base.Orientation, 1) == 1, kind


def test_pillow_agrees_about_orientations():
    from PIL import ImageOps

    for orientation in range(1, 9):
        image = Image.open(io.BytesIO(photograph("PNG", orientation)))
        assert np.array_equal(np.array(ImageOps.exif_transpose(image)), read(image).samples)


@pytest.mark.parametrize("kind", KINDS)
def test_the_place_is_dropped_unless_kept(kind):
    dropped = read(photograph(kind))
    assert ExifTags.IFD.GPSInfo not in exif.parsed(dropped.exif)
    assert b"50 N 8 E" not in dropped.exif
    kept = exif.parsed(read(photograph(kind), keep_location=True).exif)
    assert kept.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] == "N"
    for found in (exif.parsed(dropped.exif), kept):
        assert found[ExifTags.Base.Make] == "Ernemann"
        assert found.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExposureTime] == 0.25


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".avif"])
def test_it_travels_into_the_written_file_with_the_new_size(tmp_path, suffix):
    picture = read(photograph("JPEG", 6), keep_location=True)
    larger = type(picture)(np.repeat(picture.samples, 2, axis=1), None, picture.exif)
    write(larger, tmp_path / f"a{suffix}")
    found = exif.parsed(read(tmp_path / f"a{suffix}", keep_location=True).exif)
    assert found[ExifTags.Base.Artist] == "Anna"
    assert found.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExifImageWidth] == 16
    assert found.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] == "N"
    assert Image.open(tmp_path / f"a{suffix}").getexif().get(ExifTags.Base.Orientation, 1) == 1


def test_sixteen_bits_keep_it_too(tmp_path):
    picture = read(photograph("JPEG")).with_depth(16)
    for suffix in (".png", ".tif"):
        write(picture, tmp_path / f"a{suffix}")
        again = read(tmp_path / f"a{suffix}")
        assert again.bit_depth == 16
        assert exif.parsed(again.exif)[ExifTags.Base.Artist] == "Anna", suffix


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 150))
def test_a_damaged_block_never_stops_a_picture(noise, at):
    whole = block().tobytes()
    broken = whole[:at] + noise + whole[at + len(noise) :]
    kept, orientation = exif.cleaned(exif.parsed(broken), keep_location=True)
    assert 1 <= orientation <= 8
    assert kept is None or exif.sized(kept, 3, 4)


def test_a_picture_without_any_keeps_none():
    buffer = io.BytesIO()
    Image.fromarray(UPRIGHT).save(buffer, "PNG")
    assert read(buffer.getvalue()).exif is None


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".avif"])
def test_text_stays_the_bytes_that_it_was(tmp_path, suffix):
    described = Image.Exif()
    described[ExifTags.Base.Artist], described[ExifTags.Base.Copyright] = "José Müller".encode(), "© Ada".encode()
    described[ExifTags.IFD.Exif] = {ExifTags.Base.ExifImageWidth: 8, ExifTags.Base.ExifImageHeight: 5}
    Image.fromarray(UPRIGHT).save(tmp_path / "a.jpg", exif=described)
    write(read(tmp_path / "a.jpg"), tmp_path / f"b{suffix}")
    found = exif.parsed(read(tmp_path / f"b{suffix}").exif)
    kept = [found[tag].encode("latin-1").decode() for tag in (ExifTags.Base.Artist, ExifTags.Base.Copyright)]
    assert kept == ["José Müller", "© Ada"]


def test_a_jpeg_gives_up_what_does_not_fit_into_its_segment(tmp_path):
    described = Image.Exif()
    described[ExifTags.Base.ImageDescription], described[ExifTags.Base.Artist] = "x" * 70_000, "Ada"
    Image.fromarray(UPRIGHT).save(tmp_path / "a.tif", exif=described)
    write(read(tmp_path / "a.tif"), tmp_path / "b.jpg")
    found = exif.parsed(read(tmp_path / "b.jpg").exif)
    assert found[ExifTags.Base.Artist] == "Ada"
    assert ExifTags.Base.ImageDescription not in found
