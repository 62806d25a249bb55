"""The container: fields, checksums and limits."""

import zlib

import pytest

from unpool.codec import container
from unpool.codec.container import Header
from unpool.errors import BitstreamError

HEADER = Header(100, 70, 455, b"identity", 64, alpha=True, exif=True)
PARTS = [b"exif", *(bytes([n]) * (4 * n) for n in range(8))]


def test_round_trip():
    parsed = container.parse(container.write(HEADER, PARTS))
    assert parsed.header == HEADER
    assert parsed.exif() == b"exif"
    assert [parsed.tile(n) for n in range(4)] == PARTS[1:5]
    assert [parsed.alpha_tile(n) for n in range(4)] == PARTS[5:]
    assert [HEADER.box(n) for n in range(4)] == [(0, 0, 64, 64), (0, 64, 64, 36), (64, 0, 6, 64), (64, 64, 6, 36)]


def test_every_flipped_bit_and_every_cut_is_noticed():
    data = container.write(HEADER, PARTS)
    for place in range(len(data)):
        damaged = bytearray(data)
        damaged[place] ^= 1 << (place % 8)
        with pytest.raises(BitstreamError):
            [container.parse(bytes(damaged)).part(n) for n in range(HEADER.parts)]
        with pytest.raises(BitstreamError):
            container.parse(data[:place])


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (4, b"\7", "format version 7"),
        (5, b"\x80", "contradicts"),
        (6, bytes(4), "contradicts"),
        (6, b"\xff\xff\x0f\0", "more than the limit"),
        (14, b"\1\0", "contradicts"),
        (16, b"\x0c", "contradicts"),
    ],
)
def test_impossible_headers(offset, value, message):
    data = bytearray(container.write(HEADER, PARTS))
    data[offset : offset + len(value)] = value
    data[10:14] = b"\0\1\0\0" if message.startswith("more") else data[10:14]
    data[25:29] = zlib.crc32(data[:25]).to_bytes(4, "little")
    with pytest.raises(BitstreamError, match=message):
        container.parse(bytes(data), max_pixels=10**7)


def test_not_ours():
    with pytest.raises(BitstreamError, match="not a"):
        container.parse(b"\x89PNG\r\n")
