"""Files that lie, break off, or would fill the memory: one clear error each."""

import contextlib
import io
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from unpool.errors import PictureError
from unpool.images.reading import read

RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, (24, 20, 3), np.uint8)
WIDE = RNG.integers(0, 65536, (24, 20, 3), np.uint16)


def encoded(kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(NOISE).save(buffer, kind, **options)
    return buffer.getvalue()


def wide_tiff() -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, WIDE, photometric="rgb", compression="zlib")
    return buffer.getvalue()


FILES = {
    **{kind: encoded(kind) for kind in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "JPEG2000", "GIF", "BMP", "PPM")},
    "lossless WebP": encoded("WEBP", lossless=True),
    "LZW TIFF": encoded("TIFF", compression="tiff_lzw"),
    "JPEG TIFF": encoded("TIFF", compression="jpeg"),
    "16-bit PNG": imagecodecs.png_encode(WIDE),
    "16-bit TIFF": wide_tiff(),
    "16-bit JPEG 2000": imagecodecs.jpeg2k_encode(WIDE, level=0, reversible=True),
    "12-bit AVIF": imagecodecs.avif_encode(WIDE >> 4, bitspersample=12),
}


@pytest.mark.parametrize("name", FILES)
def test_whole_files_are_read(name):
    assert read(FILES[name]).samples.shape == (24, 20, 3)


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=12, deadline=None)
@given(st.data())
def test_a_file_that_breaks_off_is_an_error(name, data):
    whole = FILES[name]
    lost = data.draw(st.integers(max(1, len(whole) // 50) if name in ("PPM", "BMP") else 12, len(whole)))
    with pytest.raises(PictureError) as error:
        read(whole[:-lost])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=15, deadline=None)
@given(st.data())
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_damage_gives_a_picture_or_one_error(name, data):
    damaged = bytearray(FILES[name])
    last = min(len(damaged), data.draw(st.sampled_from([64, 400, len(damaged)]))) - 1
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, last))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(PictureError):
        read(bytes(damaged), max_pixels=2_000_000)


def png_of(width: int, height: int, bits: int = 8) -> bytes:
    """A PNG file whose header promises a size and whose pixels are a few zeros."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("bits", [8, 16])
def test_the_limit_is_checked_before_decoding(bits):
    with pytest.raises(PictureError, match=r"3600\.0 megapixels.*max_pixels"):
        read(png_of(60_000, 60_000, bits))
    with pytest.raises(PictureError, match="damaged or cut short"):
        read(png_of(1000, 1000, bits))


@pytest.mark.parametrize("name", FILES)
def test_the_limit_holds_in_every_format_and_can_be_moved(name):
    with pytest.raises(PictureError, match="over the limit"):
        read(FILES[name], max_pixels=24 * 20 - 1)
    read(FILES[name], max_pixels=24 * 20)


def test_pillows_own_limit_is_not_in_the_way():
    with pytest.raises(PictureError, match="damaged or cut short"):  # 190 megapixels: under our limit, over Pillow's
        read(png_of(20_000, 9_500))


def test_a_tiff_strip_that_unpacks_to_more_than_promised():
    file = bytearray()
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, np.zeros((16, 16), np.uint8), compression="zlib")
    file += buffer.getvalue()
    with tifffile.TiffFile(io.BytesIO(bytes(file))) as tiff:
        offset, length = tiff.pages.first.tags[273].valueoffset, tiff.pages.first.tags[279].valueoffset
    bomb = zlib.compress(bytes(50_000_000))
    struct.pack_into("<I", file, offset, len(file))
    struct.pack_into("<I", file, length, len(bomb))
    with pytest.raises(PictureError, match="damaged"):
        read(bytes(file) + bomb)


def test_a_jpeg2000_box_that_promises_less_than_the_codestream():
    data = bytearray(encoded("JPEG2000"))
    box = data.find(b"ihdr")
    struct.pack_into(">II", data, box + 4, 4, 4)
    with pytest.raises(PictureError, match="over the limit"):
        read(bytes(data), max_pixels=100)


def test_tiles_larger_than_the_limit():
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, np.zeros((16, 16), np.uint16), tile=(1024, 1024))
    with pytest.raises(PictureError, match="over the limit"):
        read(buffer.getvalue(), max_pixels=1000)


def test_the_error_names_the_file(tmp_path):
    path = tmp_path / "holiday.jpg"
    path.write_bytes(FILES["JPEG"][:200])
    with pytest.raises(PictureError, match=r"holiday\.jpg: the JPEG file is damaged or cut short"):
        read(path)
    with path.open("rb") as file, pytest.raises(PictureError, match=r"holiday\.jpg"):
        read(file)
