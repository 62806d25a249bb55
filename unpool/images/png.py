"""PNG: its chunks checked one by one, and 16 bits per sample, which Pillow reads as 8 and does not write in colour."""

import struct
import zlib
from collections.abc import Iterator

import numpy as np

from unpool.images.picture import Picture

_SIGNATURE = 8  # bytes before the first chunk


def header(data: bytes) -> tuple[int, int, int]:
    """Width, height and bits per sample that the first chunk promises."""
    if len(data) < 33 or data[12:16] != b"IHDR":
        raise ValueError("no IHDR chunk")
    width, height, bits = struct.unpack(">IIB", data[16:25])
    return width, height, bits


def checked(data: bytes) -> dict[bytes, bytes]:
    """The last body of each kind of chunk but the pixels', after every check sum has been verified up to the end mark.

    Raises:
        ValueError: a chunk is damaged, or the end mark is missing.
    """
    bodies: dict[bytes, bytes] = {}
    for kind, body in _chunks(data):
        if kind == b"IEND":
            return bodies
        if kind != b"IDAT":
            bodies[kind] = body
    raise ValueError("it ends before its end mark")


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    view, at = memoryview(data), _SIGNATURE
    while at + 12 <= len(data):
        length = int.from_bytes(view[at : at + 4], "big")
        end = at + 8 + length
        if end + 4 > len(data):
            return
        kind = bytes(view[at + 4 : at + 8])
        if zlib.crc32(view[at + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            raise ValueError(f"check sum of chunk {kind!r} is wrong")
        yield kind, b"" if kind == b"IDAT" else bytes(view[at + 8 : end])
        at = end + 4


def decode_wide(data: bytes) -> np.ndarray:
    """Samples (H, W) or (H, W, 2 to 4), uint16, of a file of 16 bits per sample."""
    import imagecodecs

    return np.asarray(imagecodecs.png_decode(data))


def encode_wide(picture: Picture) -> bytes:
    """A file with the picture's 16 bits, which carries `picture.icc` where there is one, and else says sRGB."""
    import imagecodecs

    planes = picture.samples if picture.alpha is None else np.dstack([picture.samples, picture.alpha])
    flat = planes[:, :, 0] if planes.shape[2] == 1 else planes
    data = bytes(imagecodecs.png_encode(np.ascontiguousarray(flat), level=6))
    colour = _chunk(b"sRGB", b"\0")
    if picture.icc is not None:
        colour = _chunk(b"iCCP", b"ICC\0\0" + zlib.compress(picture.icc))
    exif = b"" if picture.exif is None else _chunk(b"eXIf", picture.exif.removeprefix(b"Exif\0\0"))
    after_header = _SIGNATURE + 25
    return data[:after_header] + colour + exif + data[after_header:]


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
