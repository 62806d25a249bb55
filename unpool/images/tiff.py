"""TIFF: the first picture of a file, whatever its layout; and files of 8 or 16 bits per sample."""

import io
import logging
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import ExifTags, TiffImagePlugin

from unpool.errors import PictureError
from unpool.images import colour
from unpool.images.exif import parsed
from unpool.images.memory import levels_of, stretched
from unpool.images.picture import Picture

# Text about a picture that is a tag of TIFF itself: title, maker, camera, date, author, copyright.
_TEXT = (270, 271, 272, 306, 315, 33432)
_FOLDERS = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
_CHANNELS = {"MINISWHITE": 1, "MINISBLACK": 1, "PALETTE": 1, "RGB": 3, "YCBCR": 3, "SEPARATED": 4}


class Decoded:
    """Samples (H, W, 1, 3 or 4 inks), alpha, profile and orientation of a file's first picture."""

    def __init__(self, planes: np.ndarray, alpha: np.ndarray | None, profile: bytes | None, orientation: int) -> None:
        self.planes = planes
        self.alpha = alpha
        self.profile = profile
        self.orientation = orientation


def decode(data: bytes, check: Callable[[int, int], None]) -> Decoded | None:
    """The first picture of a file; None where its colours are of a kind that is better left to Pillow (Lab, raw YCbCr).

    Args:
        data: the whole file.
        check: called with each width and height that the file promises, before anything is decoded.

    Raises:
        PictureError: it is no picture for people: more channels than colours and alpha, depth, signed numbers.
    """
    import tifffile

    logging.getLogger("tifffile").addHandler(logging.NullHandler())  # damage is reported once, by our error
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page: Any = file.pages.first
        check(page.imagewidth, page.imagelength)
        if page.is_tiled:
            check(page.tilewidth, page.tilelength)
        kind = page.photometric.name
        squeezed_colours = kind == "YCBCR" and page.compression.name not in ("JPEG", "OJPEG")
        if kind not in _CHANNELS or squeezed_colours:
            return None
        channels, extra = _CHANNELS[kind], page.samplesperpixel - _CHANNELS[kind]
        if extra not in (0, 1) or page.imagedepth != 1:
            raise PictureError(f"a TIFF file of {page.samplesperpixel} channels is no grey or colour picture")
        levels = page.asarray(squeeze=False)[:, 0]  # (planes, height, width, samples)
        levels = np.moveaxis(levels, 0, -1).reshape(*levels.shape[1:3], -1)
        bits = page.bitspersample if isinstance(page.bitspersample, int) else max(page.bitspersample)
        if kind == "PALETTE":
            planes = _coloured(levels[:, :, 0], np.asarray(page.colormap))
        else:
            planes = _full_range(levels, bits)
        if kind == "MINISWHITE":
            planes[:, :, 0] = np.iinfo(planes.dtype).max - planes[:, :, 0]
        alpha = planes[:, :, channels] if extra and page.extrasamples[:1] != (0,) else None
        planes = planes if kind == "PALETTE" else planes[:, :, :channels]
        if alpha is not None and page.extrasamples[0] == 1:
            planes = _unmultiplied(planes, alpha)
        profile = page.tags.valueof(34675)
        return Decoded(np.ascontiguousarray(planes), alpha, profile, page.tags.valueof(274, default=1))


def _full_range(levels: np.ndarray, bits: int) -> np.ndarray:
    """Whole numbers of any bit depth up to 16, or floats in [0, 1], as uint8 or uint16 over the full range."""
    if levels.dtype.kind == "b":
        bits, levels = 1, levels.astype(np.uint8)
    if levels.dtype.kind != "u" or bits > 16:
        return levels_of(levels)
    if bits > 8:
        return stretched(levels, bits)
    return levels.astype(np.uint8) * np.uint8(255 // (2**bits - 1))


def _coloured(indices: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """The palette's colours (3, entries), of 16 bits that mean 8, at the indices."""
    if int(indices.max()) >= palette.shape[1]:
        raise ValueError("a pixel is outside the palette")
    return np.ascontiguousarray((palette >> 8).astype(np.uint8).T[indices])


def _unmultiplied(planes: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    top = int(np.iinfo(planes.dtype).max)
    share = np.maximum(alpha, 1)[:, :, None].astype(np.uint64)
    return np.minimum((planes.astype(np.uint64) * top + share // 2) // share, top).astype(planes.dtype)


def encode(picture: Picture) -> bytes:
    """A file with the picture's 8 or 16 bits, compressed without loss, and its EXIF data."""
    import tifffile

    exif = parsed(picture.exif)
    tags = [(tag, "s", 0, str(exif[tag]).encode("latin-1", "replace"), True) for tag in _TEXT if tag in exif]
    planes = picture.samples if picture.alpha is None else np.dstack([picture.samples, picture.alpha])
    profile = picture.icc
    if profile is None and not picture.grey:
        profile = colour.srgb_profile()
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        planes[:, :, 0] if planes.shape[2] == 1 else planes,
        byteorder="<",
        photometric="minisblack" if picture.grey else "rgb",
        planarconfig="contig" if planes.shape[2] > 1 else None,
        extrasamples=None if picture.alpha is None else ["unassalpha"],
        compression="adobe_deflate",
        predictor=True,
        iccprofile=profile,
        extratags=tags,
        metadata=None,
        software=False,
    )
    folders = {tag: exif.get_ifd(tag) for tag in _FOLDERS}
    return _with_folders(buffer.getvalue(), {tag: values for tag, values in folders.items() if values})


def _with_folders(data: bytes, folders: dict[int, dict[int, Any]]) -> bytes:
    """A little-endian file of one page with directories of EXIF data, which tifffile does not write.

    They are appended, and after them the page's directory once more, with their places in it.
    """
    if not folders:
        return data
    start = int.from_bytes(data[4:8], "little")
    end = start + 2 + 12 * int.from_bytes(data[start : start + 2], "little")
    entries = [data[at : at + 12] for at in range(start + 2, end, 12)]
    for tag, values in folders.items():
        data += bytes(len(data) % 2)
        entries.append(struct.pack("<HHII", tag, 4, 1, len(data)))
        data += _folder(values, len(data))
    entries.sort(key=lambda entry: int.from_bytes(entry[:2], "little"))
    data += bytes(len(data) % 2)
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    return data[:4] + struct.pack("<I", len(data)) + data[8:] + directory


def _folder(values: dict[int, Any], offset: int) -> bytes:
    """A directory of tags as it is written at this offset of a little-endian file."""
    folder = TiffImagePlugin.ImageFileDirectory_v2(ifh=b"II*\0\0\0\0\0")
    for tag, value in values.items():
        if not isinstance(value, dict):
            folder[tag] = value
    return folder.tobytes(offset)
