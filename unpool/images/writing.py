"""`write`: a picture to a file, whole or not at all."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from unpool.errors import PictureError
from unpool.images import colour, exif, jpeg2000, png, tiff
from unpool.images.atomic import atomic
from unpool.images.formats import Format, format_of_suffix
from unpool.images.picture import Picture

_JPEG_EXIF = 65_533  # bytes that one segment of a JPEG holds
_QUALITY = {"JPEG": 92, "WebP": 90, "AVIF": 80}


def check_output(path: str | os.PathLike[str], *, height: int, width: int, alpha: bool = False) -> None:
    """Refuse, before any work is done, a place where a picture of this size could not be written.

    Raises:
        PictureError: a suffix of no format, a format that holds no such size or no transparency, or no such folder.
    """
    place = Path(path)
    known = format_of_suffix(place)
    if place.is_dir():
        raise PictureError(f"{place} is a folder: give the name of a file to write")
    if not place.absolute().parent.is_dir():
        raise PictureError(f"there is no folder {place.parent}: make it first")
    if max(height, width) > known.longest_side:
        raise PictureError(
            f"{known.name} holds at most {known.longest_side:,} pixels a side, this picture has {width:,}x{height:,}: "
            "write PNG or TIFF"
        )
    if alpha and not known.alpha:
        raise PictureError(f"{known.name} holds no transparency: write PNG or WebP, or give a background")


def write(
    picture: Picture,
    path: str | os.PathLike[str],
    *,
    quality: int | None = None,
    lossless: bool = False,
    icc: bool = False,
    background: tuple[int, int, int] | None = None,
) -> None:
    """Write a picture to a file, in the format that the suffix names, atomically: whole or not at all.

    PNG, TIFF and JPEG 2000 (without a quality) are lossless and hold 16 bits; JPEG, WebP and AVIF get 8 bits, rounded.
    The file says that it is sRGB, or carries the picture's own profile with `icc`.

    Args:
        picture: what to write.
        path: where to; `.jpg .jpeg .png .webp .avif .tif .tiff .jp2`.
        quality: 1 to 100, of the formats that lose something; JPEG 92, WebP 90, AVIF 80 where None.
        lossless: WebP and JPEG 2000 without loss.
        icc: convert back to the profile the picture was read with, and write it into the file.
        background: 8-bit RGB to put behind transparent pixels. Needed for JPEG, which has no transparency.

    Raises:
        PictureError: the format cannot hold the picture, or there is no such folder.
    """
    known = format_of_suffix(path)
    picture = _fitted(picture, known, quality, background)
    check_output(path, height=picture.height, width=picture.width, alpha=picture.alpha is not None)
    data = _encoded(picture, known, quality, lossless, icc)
    with atomic(path) as beside:
        beside.write_bytes(data)


def to_bytes(
    picture: Picture,
    suffix: str,
    *,
    quality: int | None = None,
    lossless: bool = False,
    background: tuple[int, int, int] | None = None,
) -> bytes:
    """The bytes of the file that `write` would make for a suffix such as ".png"; arguments and errors as there."""
    known = format_of_suffix(f"picture{suffix}")
    picture = _fitted(picture, known, quality, background)
    if max(picture.height, picture.width) > known.longest_side or (picture.alpha is not None and not known.alpha):
        raise PictureError(f"{known.name} cannot hold this picture (its size, or its transparency): ask for PNG")
    return _encoded(picture, known, quality, lossless, icc=False)


def _fitted(picture: Picture, known: Format, quality: int | None, background: tuple[int, int, int] | None) -> Picture:
    """The picture as the format takes it: on its background, in 8 bits where it has no more."""
    if quality is not None and not 1 <= quality <= 100:
        raise PictureError(f"quality is {quality}: give 1 to 100")
    if picture.alpha is not None:
        picture = _flattened(picture, background, known)
    if picture.bit_depth == 16 and not known.sixteen_bit:
        picture = picture.with_depth(8)
    return picture


def _flattened(picture: Picture, background: tuple[int, int, int] | None, known: Format) -> Picture:
    """The picture on its background; without its alpha where a format that has none loses nothing by it."""
    assert picture.alpha is not None
    if background is None:
        return picture if known.alpha else picture.without_idle_alpha()
    top = int(np.iinfo(picture.alpha.dtype).max)
    behind = np.array(background, np.float64) * (top / 255)
    share = picture.alpha[:, :, None] / top
    mixed = np.rint(picture.samples * share + behind * (1 - share)).astype(picture.samples.dtype)
    return Picture(mixed, None, picture.exif, picture.icc)


def _encoded(picture: Picture, known: Format, quality: int | None, lossless: bool, icc: bool) -> bytes:
    samples, profile = picture.samples, None
    if icc and picture.icc is not None:
        samples, profile = colour.from_srgb(samples, picture.icc), picture.icc
    written = None if picture.exif is None else exif.sized(picture.exif, picture.width, picture.height)
    if written is not None and known.name == "JPEG":
        written = exif.no_longer(written, _JPEG_EXIF)
    converted = Picture(samples, picture.alpha, written, profile)
    if known.name == "TIFF":
        return tiff.encode(converted)
    if picture.bit_depth == 16:
        if known.name == "PNG":
            return png.encode_wide(converted)
        return jpeg2000.encode_wide(converted, None if lossless else quality)
    options: dict[str, Any] = {}
    if known.name in _QUALITY and not (known.name == "WebP" and lossless):
        options["quality"] = quality or _QUALITY[known.name]
    if known.name == "JPEG":
        options["subsampling"] = 0 if options["quality"] >= 90 else 2
    if known.name == "WebP":
        options |= {"lossless": lossless, "exact": True, "method": 4, "use_sharp_yuv": True}
    if known.name == "AVIF":
        colour_kept = "4:4:4" if options["quality"] >= 80 else "4:2:0"
        options |= {"subsampling": "4:0:0" if picture.grey else colour_kept}
    if known.name == "JPEG 2000" and quality is not None and not lossless:
        options |= {"irreversible": True, "quality_mode": "dB", "quality_layers": [jpeg2000.decibels(quality)]}
    if written is not None:
        options["exif"] = written
    if profile is not None:
        options["icc_profile"] = profile
    elif samples.shape[2] == 3:
        options["icc_profile"] = colour.srgb_profile()
    buffer = io.BytesIO()
    image: Image.Image = converted.to_pil()
    image.save(buffer, format=known.name.replace(" ", "").upper(), **options)
    return buffer.getvalue()
