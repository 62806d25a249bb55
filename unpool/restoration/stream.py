"""PNG and TIFF files written from top to bottom, so that the picture is never in memory as a whole."""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from unpool.images import colour, exif
from unpool.images.atomic import atomic
from unpool.images.formats import format_of_suffix
from unpool.images.picture import Picture

_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
_STRIP = 64  # rows of a TIFF strip
_LEVEL = 4  # of deflate
TIFF_FROM = 40_000_000  # pixels
_TEXT = (270, 271, 272, 306, 315, 33432)  # TIFF's own tags: title, maker, camera, date, author, copyright


def streams(path: str | Path, pixels: int) -> bool:
    """Whether a result of so many pixels is written row by row: as PNG always, as TIFF where it is large.

    (A small TIFF is written in one piece, because then it keeps all of its EXIF data; a large one keeps its texts.)
    """
    name = format_of_suffix(path).name
    return name == "PNG" or (name == "TIFF" and pixels >= TIFF_FROM)


def write_bands(path: str | Path, bands: Iterator[np.ndarray], *, height: int, width: int, like: Picture) -> None:
    """Write bands (rows, W, channels) of uint8 or uint16 as one PNG or TIFF file, atomically.

    like: the picture whose bit depth, grey or colour, alpha and EXIF data (of a TIFF file, its texts) the file
        takes over. Samples are sRGB.
    """
    described = None if like.exif is None else exif.sized(like.exif, width, height)
    channels = like.samples.shape[2] + (like.alpha is not None)
    with atomic(path) as beside:
        if format_of_suffix(path).name == "PNG":
            _write_png(beside, bands, (height, width, channels), like.bit_depth, described)
        else:
            _write_tiff(beside, bands, (height, width, channels), like)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _write_png(
    path: Path, bands: Iterator[np.ndarray], shape: tuple[int, int, int], depth: int, described: bytes | None
) -> None:
    """ISO/IEC 15948, every row filtered by the one above it."""
    height, width, channels = shape
    with open(path, "wb") as file:
        header = struct.pack(">IIBBBBB", width, height, depth, _COLOUR_TYPES[channels], 0, 0, 0)
        file.write(b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"sRGB", b"\0"))
        if described is not None:
            file.write(_chunk(b"eXIf", described.removeprefix(b"Exif\0\0")))
        packer = zlib.compressobj(_LEVEL)
        above = np.zeros((1, width * channels * depth // 8), np.uint8)
        for band in bands:
            rows = np.ascontiguousarray(band.astype(band.dtype.newbyteorder(">"))).view(np.uint8).reshape(len(band), -1)
            filtered = np.full((len(rows), rows.shape[1] + 1), 2, np.uint8)  # 2: "up"
            np.subtract(rows, np.concatenate([above, rows[:-1]]), out=filtered[:, 1:])
            above = rows[-1:].copy()
            if packed := packer.compress(filtered.data):
                file.write(_chunk(b"IDAT", packed))
        file.write(_chunk(b"IDAT", packer.flush()) + _chunk(b"IEND", b""))


def _write_tiff(path: Path, bands: Iterator[np.ndarray], shape: tuple[int, int, int], like: Picture) -> None:
    import tifffile

    height, width, channels = shape
    size = height * width * channels * like.bit_depth // 8
    described = exif.parsed(like.exif)
    with tifffile.TiffWriter(path, bigtiff=size > 3.9e9) as file:
        file.write(
            _strips(bands),
            shape=shape if channels > 1 else shape[:2],
            dtype=like.samples.dtype,
            photometric="minisblack" if like.grey else "rgb",
            planarconfig="contig" if channels > 1 else None,
            extrasamples=["unassalpha"] if like.alpha is not None else None,
            compression="adobe_deflate",
            rowsperstrip=_STRIP,
            iccprofile=None if like.grey else colour.srgb_profile(),
            extratags=[(tag, "s", 0, str(described[tag]), True) for tag in _TEXT if tag in described],
            metadata=None,
            software=False,
        )


def _strips(bands: Iterator[np.ndarray]) -> Iterator[bytes]:
    """Deflated strips of exactly `_STRIP` rows; the last may be shorter."""
    left = None
    for band in bands:
        rows = band if left is None else np.concatenate([left, band])
        whole = len(rows) // _STRIP * _STRIP
        for first in range(0, whole, _STRIP):
            yield zlib.compress(np.ascontiguousarray(rows[first : first + _STRIP]).data, _LEVEL)
        left = rows[whole:]
    if left is not None and len(left):
        yield zlib.compress(np.ascontiguousarray(left).data, _LEVEL)
