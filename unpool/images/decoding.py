"""From the bytes of a file to a picture: its size checked before it is decoded, every failure one clear error."""

import importlib
import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image

from unpool.errors import PictureError
from unpool.images import avif, exif, jpeg2000, memory, png, tiff
from unpool.images.formats import Format, recognise, refuse_unknown
from unpool.images.picture import Picture

Check = Callable[[int, int], None]

# What decoders raise on damaged bytes. MemoryError: a lying header within the limit.
DAMAGE = (
    *(OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, OverflowError, RuntimeError),
    *(
        Image.DecompressionBombError,
        MemoryError,
        AttributeError,
        ZeroDivisionError,
        AssertionError,
        struct.error,
        zlib.error,
    ),
)


def decode(data: bytes, *, name: str, max_pixels: int, keep_location: bool) -> Picture:
    """The picture in the bytes of a file; `name` stands for the file in errors.

    Raises:
        PictureError: no known format, more pixels than `max_pixels` (found before decoding), damaged or cut short.
    """

    def check(width: int, height: int) -> None:
        check_pixels(width, height, name=name, max_pixels=max_pixels)

    known = recognise(data)
    if known is None:
        raise refuse_unknown(data, name)
    try:
        return _decode(data, known, check, keep_location)
    except PictureError as error:
        raise error if str(error).startswith(name) else PictureError(f"{name}: {error}") from None
    except DAMAGE as error:
        raise PictureError(f"{name}: the {known.name} file is damaged or cut short ({_reason(error)})") from error


def check_pixels(width: int, height: int, *, name: str, max_pixels: int) -> None:
    """Refuse a size over the limit."""
    if width < 1 or height < 1:
        raise PictureError(f"{name} says it is {width}x{height} pixels: there is no picture in it")
    if width * height > max_pixels:
        raise PictureError(
            f"{name} has {width * height / 1e6:.1f} megapixels ({width}x{height}), over the limit of "
            f"{max_pixels / 1e6:g}: raise max_pixels if you trust it"
        )


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".")[:120] or type(error).__name__


def _decode(data: bytes, known: Format, check: Check, keep_location: bool) -> Picture:
    if known.name == "TIFF":
        found = tiff.decode(data, check)
        if found is not None:
            kept, _ = exif.cleaned(exif.parsed(data), keep_location=keep_location)
            return memory.finished(
                found.planes, found.alpha, profile=found.profile, kept=kept, orientation=found.orientation
            )
    image, wide = _opened(data, known, check)
    check(*image.size)
    if known.name == "JPEG 2000":
        image.info["icc_profile"] = jpeg2000.profile(data)
    if wide is None:
        image.load()
        return memory.from_pil(image, keep_location=keep_location)
    levels = memory.from_array(wide())
    block = image.info.get("exif")
    kept, orientation = exif.cleaned(exif.parsed(block), keep_location=keep_location)
    profile = image.info.get("icc_profile")
    return memory.finished(levels.samples, levels.alpha, profile=profile, kept=kept, orientation=orientation)


def _opened(data: bytes, known: Format, check: Check) -> tuple[Image.Image, Callable[[], np.ndarray] | None]:
    """Pillow's image, not decoded yet; and where Pillow would round it to 8 bits, what decodes it in full."""
    wide: Callable[[], np.ndarray] | None = None
    chunks: dict[bytes, bytes] = {}
    if known.name == "PNG":
        *size, bits = png.header(data)
        check(*size)
        chunks = png.checked(data)
        if bits == 16:
            wide = lambda: png.decode_wide(data)  # noqa: E731
    elif known.name == "JPEG 2000":
        *size, bits = jpeg2000.header(data)
        check(*size)
        if bits > 8:
            wide = lambda: jpeg2000.decode_wide(data, bits)  # noqa: E731
    elif known.name == "AVIF" and avif.bits_per_sample(data) > 8:
        wide = lambda: avif.decode_wide(data)  # noqa: E731
    # Pillow's reader of this one format: `Image.open` would guess again, and hold everybody to one limit of its own.
    module, reader = known.plugin.split(".")
    image: Image.Image = getattr(importlib.import_module(f"PIL.{module}"), reader)(io.BytesIO(data))
    if b"eXIf" in chunks:
        image.info["exif"] = chunks[b"eXIf"]  # also where it comes after the pixels
    return image, wide
