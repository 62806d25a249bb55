"""The .unp file: header, index and parts, each with its checksum. docs/format.md is the specification."""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from unpool.errors import BitstreamError

MAGIC = b"\x89UNP"
VERSION = (
    0  # experimental: files of version 0 may become unreadable; from version 1 on a decoder never leaves the package
)
MAX_PIXELS = 200_000_000
MAX_SIDE = 1 << 20
MAX_EXIF = 1 << 16
TILE_LOW, TILE_HIGH = 6, 11  # log2 of the side of a tile
IDENTITY_BYTES = 8
HEADER = struct.Struct("<4sBBIIHB8s")
ENTRY = struct.Struct("<II")
CRC = struct.Struct("<I")

LOSSLESS, GREY, ALPHA, DEEP, EXIF = 1, 2, 4, 8, 16


@dataclass(frozen=True)
class Header:
    """What a file says of itself before any picture data.

    Attributes:
        width, height: pixels.
        tenths: ten times the quality (10..1000); 0 in lossless files.
        identity: the first 8 bytes of the decoder's SHA-256; zeros in lossless files.
        tile: side of a tile in pixels, a power of two of 64..2048.
    """

    width: int
    height: int
    tenths: int
    identity: bytes
    tile: int = 1024
    lossless: bool = False
    grey: bool = False
    alpha: bool = False
    deep: bool = False
    exif: bool = False

    @property
    def rows(self) -> int:
        """Tiles from top to bottom."""
        return -(-self.height // self.tile)

    @property
    def columns(self) -> int:
        """Tiles from left to right."""
        return -(-self.width // self.tile)

    @property
    def tiles(self) -> int:
        """Tiles of a plane of the picture."""
        return self.rows * self.columns

    @property
    def parts(self) -> int:
        """Parts in the file: EXIF if there is some, the tiles, then the tiles of the alpha plane if there is one."""
        return int(self.exif) + self.tiles * (2 if self.alpha else 1)

    def box(self, tile: int) -> tuple[int, int, int, int]:
        """(top, left, height, width) of a tile, counted row by row."""
        top, left = (tile // self.columns) * self.tile, (tile % self.columns) * self.tile
        return top, left, min(self.tile, self.height - top), min(self.tile, self.width - left)

    def pack(self) -> bytes:
        """The header's bytes with their CRC-32."""
        flags = LOSSLESS * self.lossless + GREY * self.grey + ALPHA * self.alpha + DEEP * self.deep + EXIF * self.exif
        tile = self.tile.bit_length() - 1
        fields = HEADER.pack(MAGIC, VERSION, flags, self.width, self.height, self.tenths, tile, self.identity)
        return fields + CRC.pack(zlib.crc32(fields))


@dataclass(frozen=True)
class Container:
    """A parsed file: its header and where its parts lie."""

    header: Header
    data: memoryview
    offsets: tuple[int, ...]  # of every part, and the end
    checksums: tuple[int, ...]

    def part(self, number: int) -> bytes:
        """The bytes of a part, its CRC-32 checked."""
        payload = bytes(self.data[self.offsets[number] : self.offsets[number + 1]])
        if zlib.crc32(payload) != self.checksums[number]:
            raise BitstreamError(f"damaged .unp file: part {number} does not match its checksum")
        return payload

    def exif(self) -> bytes | None:
        """The EXIF block, if there is one."""
        return self.part(0) if self.header.exif else None

    def tile(self, number: int) -> bytes:
        """The stream of a tile of the picture."""
        return self.part(int(self.header.exif) + number)

    def alpha_tile(self, number: int) -> bytes:
        """The stream of a tile of the alpha plane."""
        return self.part(int(self.header.exif) + self.header.tiles + number)


def write(header: Header, parts: Sequence[bytes]) -> bytes:
    """A file from its header and its parts in order."""
    if len(parts) != header.parts:
        raise ValueError(f"this header wants {header.parts} parts, not {len(parts)}")
    index = b"".join(ENTRY.pack(len(part), zlib.crc32(part)) for part in parts)
    return b"".join([header.pack(), index, CRC.pack(zlib.crc32(index)), *parts])


def read_header(data: bytes | memoryview, max_pixels: int = MAX_PIXELS) -> Header:
    """The header alone.

    Raises:
        BitstreamError: this is no .unp file, it is damaged, of another version, or larger than `max_pixels`.
    """
    if bytes(data[:4]) != MAGIC:
        raise BitstreamError("not a .unp file")
    if len(data) < HEADER.size + CRC.size:
        raise BitstreamError("damaged .unp file: it ends inside its header")
    fields = bytes(data[: HEADER.size])
    _, version, flags, width, height, tenths, tile, identity = HEADER.unpack(fields)
    if version != VERSION:
        raise BitstreamError(f"this .unp file has format version {version}, this unpool reads version {VERSION}")
    if CRC.unpack_from(data, HEADER.size)[0] != zlib.crc32(fields):
        raise BitstreamError("damaged .unp file: its header does not match its checksum")
    lossless, deep = bool(flags & LOSSLESS), bool(flags & DEEP)
    consistent = tenths == 0 and not any(identity) if lossless else 10 <= tenths <= 1000 and not deep
    if (
        flags >= 32
        or not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE)
        or not TILE_LOW <= tile <= TILE_HIGH
        or not consistent
    ):
        raise BitstreamError("damaged .unp file: its header contradicts itself")
    if width * height > max_pixels:
        raise BitstreamError(
            f"this picture has {width}x{height} pixels, more than the limit of {max_pixels}: raise max_pixels"
        )
    rest = {"grey": bool(flags & GREY), "alpha": bool(flags & ALPHA), "exif": bool(flags & EXIF)}
    return Header(width, height, tenths, identity, 1 << tile, lossless=lossless, deep=deep, **rest)


def parse(data: bytes | memoryview, max_pixels: int = MAX_PIXELS) -> Container:
    """Header and index of a file; nothing is allocated that the file's own length does not cover.

    Raises:
        BitstreamError: as `read_header`, and where lengths and file do not agree.
    """
    data = memoryview(data)
    header = read_header(data, max_pixels)
    start = HEADER.size + CRC.size
    end = start + header.parts * ENTRY.size
    if len(data) < end + CRC.size:
        raise BitstreamError("damaged .unp file: it ends inside its index")
    index = bytes(data[start:end])
    if CRC.unpack_from(data, end)[0] != zlib.crc32(index):
        raise BitstreamError("damaged .unp file: its index does not match its checksum")
    offsets, checksums = [end + CRC.size], []
    for length, checksum in ENTRY.iter_unpack(index):
        offsets.append(offsets[-1] + length)
        checksums.append(checksum)
    if offsets[-1] != len(data):
        raise BitstreamError(f"damaged .unp file: its parts end at byte {offsets[-1]} of {len(data)}")
    if header.exif and not 0 < offsets[1] - offsets[0] <= MAX_EXIF:
        raise BitstreamError("damaged .unp file: an EXIF block of impossible length")
    return Container(header, data, tuple(offsets), tuple(checksums))
