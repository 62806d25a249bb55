"""The picture formats: how each is recognised, what it can hold, and the size its header promises."""

import os
from dataclasses import dataclass
from pathlib import Path

from unpool.errors import PictureError


@dataclass(frozen=True)
class Format:
    """What a file format can hold. `plugin` is the Pillow class that reads it; without suffixes it is never written."""

    name: str
    plugin: str
    suffixes: tuple[str, ...] = ()
    longest_side: int = 2**31 - 1
    alpha: bool = False
    sixteen_bit: bool = False


FORMATS = {
    known.name: known
    for known in (
        Format("JPEG", "JpegImagePlugin.JpegImageFile", (".jpg", ".jpeg"), 65_500),
        Format("PNG", "PngImagePlugin.PngImageFile", (".png",), alpha=True, sixteen_bit=True),
        Format("WebP", "WebPImagePlugin.WebPImageFile", (".webp",), 16_383, alpha=True),
        Format("AVIF", "AvifImagePlugin.AvifImageFile", (".avif",), 16_384, alpha=True),
        Format("TIFF", "TiffImagePlugin.TiffImageFile", (".tif", ".tiff"), alpha=True, sixteen_bit=True),
        Format("JPEG 2000", "Jpeg2KImagePlugin.Jpeg2KImageFile", (".jp2",), alpha=True, sixteen_bit=True),
        Format("GIF", "GifImagePlugin.GifImageFile"),
        Format("BMP", "BmpImagePlugin.BmpImageFile"),
        Format("PNM", "PpmImagePlugin.PpmImageFile"),
    )
}

_READABLE = "JPEG, PNG, WebP, AVIF, TIFF, JPEG 2000, GIF, BMP and PNM"


def recognise(data: bytes) -> Format | None:
    """The format that the first bytes announce, whatever the file is called; None where they announce none."""
    for start, name in (
        (b"\xff\xd8\xff", "JPEG"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"II*\0", "TIFF"),
        (b"MM\0*", "TIFF"),
        (b"II+\0", "TIFF"),
        (b"MM\0+", "TIFF"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\xff\x4f\xff\x51", "JPEG 2000"),
        (b"GIF8", "GIF"),
        (b"BM", "BMP"),
    ):
        if data.startswith(start):
            return FORMATS[name]
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return FORMATS["WebP"]
    if _brands(data) & {b"avif", b"avis"}:
        return FORMATS["AVIF"]
    if data[:1] == b"P" and data[1:2] in b"123456" and data[2:3].isspace():
        return FORMATS["PNM"]
    return None


def _brands(data: bytes) -> set[bytes]:
    """The brands of an ISO media file (AVIF, HEIC, films): what its first box says it can be read as."""
    if data[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(data[:4], "big"), 256)
    return {data[8:12], *(data[at : at + 4] for at in range(16, end, 4))}


def refuse_unknown(data: bytes, name: str) -> PictureError:
    """The error for bytes of no known format, which says what they look like instead."""
    if not data:
        return PictureError(f"{name} is empty: no picture in it")
    if _brands(data) & {b"heic", b"heix", b"hevc", b"mif1", b"msf1"}:
        return PictureError(f"{name} is HEIC, which is not read here: save it as JPEG, PNG or AVIF first")
    if data[:2] == b"\xff\x0a" or data[4:8] == b"JXL ":
        return PictureError(f"{name} is JPEG XL, which is not read here: save it as PNG, WebP or AVIF first")
    if data.startswith(b"%PDF"):
        return PictureError(f"{name} is a PDF: save its page as PNG first")
    if b"<svg" in data[:1000].lower():
        return PictureError(f"{name} is an SVG drawing: save it as PNG first")
    looks = " (it looks like text)" if _is_text(data[:1000]) else ""
    return PictureError(f"{name} is not a picture{looks}: give {_READABLE}")


def _is_text(data: bytes) -> bool:
    return all(byte >= 32 or byte in b"\t\n\r\f" for byte in data)


def format_of_suffix(path: str | os.PathLike[str]) -> Format:
    """The format that a file to be written is to have, by its suffix.

    Raises:
        PictureError: no format that is written here has this suffix.
    """
    suffix = Path(path).suffix.lower()
    for known in FORMATS.values():
        if suffix in known.suffixes:
            return known
    written = ", ".join(suffix for known in FORMATS.values() for suffix in known.suffixes)
    what = f"the suffix {suffix!r} names no picture format" if suffix else "the name has no suffix"
    raise PictureError(f"cannot write {path}: {what}; give one of {written}")
