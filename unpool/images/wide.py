"""Files of 16 bits per sample, which Pillow does not write in colour."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

from unpool.images import colour
from unpool.images.formats import Format
from unpool.images.picture import Picture

# What describes a picture and is a tag of TIFF itself: (tag, name)
_TIFF_TEXT = {270: "description", 271: "make", 272: "model", 306: "date", 315: "author", 33432: "copyright"}


def encode(picture: Picture, known: Format, quality: int | None) -> bytes:
    """The bytes of a PNG, TIFF or JPEG 2000 file with the picture's 16 bits; `picture.icc` is the profile to carry."""
    planes = picture.samples if picture.alpha is None else np.dstack([picture.samples, picture.alpha])
    if known.name == "PNG":
        return _png(planes, picture)
    if known.name == "TIFF":
        return _tiff(planes, picture)
    return _jpeg2000(planes, quality)


def _png(planes: np.ndarray, picture: Picture) -> bytes:
    import imagecodecs

    flat = planes[:, :, 0] if planes.shape[2] == 1 else planes
    data = bytes(imagecodecs.png_encode(np.ascontiguousarray(flat), level=6))
    chunks = b""
    if picture.icc is not None:
        chunks += _chunk(b"iCCP", b"ICC\0\0" + zlib.compress(picture.icc))
    else:
        chunks += _chunk(b"sRGB", b"\0")
    if picture.exif is not None:
        chunks += _chunk(b"eXIf", picture.exif.removeprefix(b"Exif\0\0"))
    return data[:33] + chunks + data[33:]  # after the signature (8 bytes) and the header chunk (25)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _tiff(planes: np.ndarray, picture: Picture) -> bytes:
    """EXIF data keeps what TIFF has a tag for: title, camera, date, author and copyright."""
    import tifffile

    described = Image.Exif()
    if picture.exif is not None:
        described.load(picture.exif)
    tags = [(tag, "s", 0, str(described[tag]), True) for tag in _TIFF_TEXT if tag in described]
    profile = picture.icc
    if profile is None and picture.samples.shape[2] == 3:
        profile = colour.srgb_profile()
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        planes[:, :, 0] if planes.shape[2] == 1 else planes,
        photometric="rgb" if picture.samples.shape[2] == 3 else "minisblack",
        planarconfig="contig" if planes.shape[2] > 1 else None,
        extrasamples=["unassalpha"] if picture.alpha is not None else None,
        compression="adobe_deflate",
        iccprofile=profile,
        extratags=tags,
        metadata=None,
        software=False,
    )
    return buffer.getvalue()


def _jpeg2000(planes: np.ndarray, quality: int | None) -> bytes:
    import imagecodecs

    flat = np.ascontiguousarray(planes[:, :, 0] if planes.shape[2] == 1 else planes)
    if quality is None:
        return bytes(imagecodecs.jpeg2k_encode(flat, level=0, reversible=True))
    return bytes(imagecodecs.jpeg2k_encode(flat, level=round(20 + 0.35 * quality), reversible=False))
