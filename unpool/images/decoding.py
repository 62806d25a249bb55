"""From the bytes of a file to a picture: its size checked before it is decoded, every failure one clear error."""

import importlib
import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

from unpool.errors import PictureError
from unpool.images import exif, memory
from unpool.images.formats import Format, jpeg2000_header, png_header, recognise, refuse_unknown
from unpool.images.picture import Picture

# What decoders raise on damaged bytes. MemoryError: a lying header within the limit.
_DAMAGE = (
    *(OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, OverflowError, RuntimeError),
    *(MemoryError, AttributeError, ZeroDivisionError, AssertionError, struct.error, zlib.error),
)


def decode(data: bytes, *, name: str, max_pixels: int, keep_location: bool) -> Picture:
    """The picture in the bytes of a file; `name` stands for the file in errors.

    Raises:
        PictureError: no known format, more pixels than `max_pixels` (found before decoding), damaged or cut short.
    """
    known = recognise(data)
    if known is None:
        raise refuse_unknown(data, name)
    try:
        return _decode(data, known, name, max_pixels, keep_location)
    except PictureError:
        raise
    except _DAMAGE as error:
        raise PictureError(f"{name}: the {known.name} file is damaged or cut short ({_reason(error)})") from error


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".")[:120] or type(error).__name__


def check_pixels(width: int, height: int, *, name: str, max_pixels: int) -> None:
    """Refuse a size over the limit."""
    if width < 1 or height < 1:
        raise PictureError(f"{name} says it is {width}x{height} pixels: there is no picture in it")
    if width * height > max_pixels:
        raise PictureError(
            f"{name} has {width * height / 1e6:.1f} megapixels ({width}x{height}), over the limit of "
            f"{max_pixels / 1e6:g}: raise max_pixels if you trust it"
        )


def _decode(data: bytes, known: Format, name: str, max_pixels: int, keep_location: bool) -> Picture:
    limit: dict[str, Any] = {"name": name, "max_pixels": max_pixels}
    if known.name == "TIFF":
        return _tiff(data, limit, known, keep_location)
    bits = 8
    if known.name == "PNG":
        width, height, bits = png_header(data)
        check_pixels(width, height, **limit)
    elif known.name == "JPEG 2000":
        width, height, bits = jpeg2000_header(data)
        check_pixels(width, height, **limit)
    image = _open(data, known)
    check_pixels(*image.size, **limit)
    if bits > 8 and known.name == "PNG":
        return _wide_png(data, image, keep_location)
    if bits > 8:
        return _wide_jpeg2000(data, bits, image, keep_location)
    image.load()
    return memory.from_pil(image, keep_location=keep_location)


def _open(data: bytes, known: Format) -> Image.Image:
    """Pillow's reader of this one format, which has not decoded yet.

    `Image.open` would guess the format again, and hold every caller to one limit of its own.
    """
    module, reader = known.plugin.split(".")
    image: Image.Image = getattr(importlib.import_module(f"PIL.{module}"), reader)(io.BytesIO(data))
    return image


def _wide_png(data: bytes, image: Image.Image, keep_location: bool) -> Picture:
    """Pillow reads 16-bit RGB as 8 bits without a word; libpng does not."""
    import imagecodecs

    levels = np.asarray(imagecodecs.png_decode(data))
    picture = memory.from_array(levels)
    kept, orientation = exif.cleaned(memory.exif_of(image.info.get("exif")), keep_location=keep_location)
    return memory.finished(
        picture.samples, picture.alpha, profile=image.info.get("icc_profile"), kept=kept, orientation=orientation
    )


def _wide_jpeg2000(data: bytes, bits: int, image: Image.Image, keep_location: bool) -> Picture:
    import imagecodecs

    levels = np.asarray(imagecodecs.jpeg2k_decode(data))
    if bits < 16:
        levels = ((levels.astype(np.uint32) * 65535 + (2**bits - 1) // 2) // (2**bits - 1)).astype(np.uint16)
    picture = memory.from_array(levels)
    kept, orientation = exif.cleaned(image.getexif(), keep_location=keep_location)
    return memory.finished(picture.samples, picture.alpha, profile=None, kept=kept, orientation=orientation)


def _tiff(data: bytes, limit: dict[str, Any], known: Format, keep_location: bool) -> Picture:
    """The first picture of a TIFF file: by Pillow up to 8 bits a sample, by tifffile above."""
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page: Any = file.pages.first
        check_pixels(page.imagewidth, page.imagelength, **limit)
        if page.is_tiled:
            check_pixels(page.tilewidth, page.tilelength, **limit)
        bits = page.bitspersample if isinstance(page.bitspersample, int) else max(page.bitspersample)
        if bits <= 8:
            image = _open(data, known)
            check_pixels(*image.size, **limit)
            image.load()
            return memory.from_pil(image, keep_location=keep_location)
        levels = page.asarray()
        if page.planarconfig == 2 and levels.ndim == 3:
            levels = np.moveaxis(levels, 0, -1)
        inks = page.photometric == tifffile.PHOTOMETRIC.SEPARATED
        if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
            levels = np.iinfo(levels.dtype).max - levels
        profile = page.tags.valueof(34675)
    described = Image.Exif()
    described.load_from_fp(io.BytesIO(data))
    kept, orientation = exif.cleaned(described, keep_location=keep_location)
    if inks and levels.ndim == 3 and levels.shape[2] == 4 and levels.dtype == np.uint16:
        planes, alpha = np.ascontiguousarray(levels), None
    else:
        picture = memory.from_array(levels)
        planes, alpha = picture.samples, picture.alpha
    return memory.finished(planes, alpha, profile=profile, kept=kept, orientation=orientation)
