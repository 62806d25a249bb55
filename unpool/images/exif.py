"""What a camera wrote beside the pixels: kept, except which way is up (applied to them) and where it was (dropped)."""

import io
import struct
from typing import Any

import numpy as np
from PIL import ExifTags, Image

# What describes a picture. The rest of the first directory describes how one file stores its pixels.
_DESCRIPTIVE = {
    *(270, 271, 272, 282, 283, 296, 305, 306, 315, 316, 33432, 18246, 18249),  # title, camera, resolution, date, author
    *(40091, 40092, 40093, 40094, 40095),  # title, comment, author, keywords, subject as Windows writes them
}
_ORIENTATION, _CAMERA, _PLACE, _MAKER_NOTE = 0x0112, ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo, 0x927C
_WIDTH, _HEIGHT = 0xA002, 0xA003

# Orientation tag -> (transpose first, then mirror rows, then mirror columns).
_UPRIGHT = {
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


# What Pillow raises on a damaged block.
_DAMAGE = (SyntaxError, ValueError, TypeError, KeyError, OSError, OverflowError, AttributeError, struct.error)


def parsed(block: bytes | None) -> Image.Exif:
    """An EXIF block, or a TIFF file, which begins with the same directories; empty where it is None or damaged."""
    found = Image.Exif()
    try:
        if block is not None and block[:4] in (b"II*\0", b"MM\0*"):
            found.load_from_fp(io.BytesIO(block))
        else:
            found.load(block or b"")
    except _DAMAGE:
        return Image.Exif()
    return found


def cleaned(exif: Image.Exif, *, keep_location: bool) -> tuple[bytes | None, int]:
    """EXIF bytes to keep, and the orientation (1 to 8) that is still to be applied to the pixels.

    The bytes say orientation 1, and hold the place only with `keep_location`. Preview pictures and makers' notes, which
    may show what was cut away or say where it was, are left out. An EXIF block that cannot be parsed is dropped whole.
    """
    try:
        orientation = exif.get(_ORIENTATION, 1)
        kept = Image.Exif()
        for tag, value in exif.items():
            if tag in _DESCRIPTIVE:
                kept[tag] = _unread(value)
        camera = {tag: value for tag, value in exif.get_ifd(_CAMERA).items() if tag != _MAKER_NOTE}
        place = exif.get_ifd(_PLACE) if keep_location else {}
        if camera:
            kept[_CAMERA] = camera
        if place:
            kept[_PLACE] = place
        if len(kept) == 0:
            return None, _valid(orientation)
        return kept.tobytes(), _valid(orientation)
    except _DAMAGE:
        return None, 1


def _unread(value: Any) -> Any:
    """Text as the bytes that it was: Pillow reads Latin-1 and writes ASCII, where most programs mean UTF-8."""
    return value.encode("latin-1", "replace") if isinstance(value, str) else value


def _valid(orientation: object) -> int:
    return orientation if isinstance(orientation, int) and orientation in _UPRIGHT else 1


def upright(planes: np.ndarray, orientation: int) -> np.ndarray:
    """An array (H, W, ...) turned the way its EXIF orientation (1 to 8) says it is to be seen."""
    transpose, rows, columns = _UPRIGHT.get(orientation, (False, False, False))
    if transpose:
        planes = planes.swapaxes(0, 1)
    if rows:
        planes = planes[::-1]
    if columns:
        planes = planes[:, ::-1]
    return np.ascontiguousarray(planes)


def sized(exif: bytes, width: int, height: int) -> bytes:
    """The same EXIF bytes, saying the size that the picture has now, where they say one."""
    block = parsed(exif)
    camera = dict(block.get_ifd(_CAMERA))
    if _WIDTH not in camera and _HEIGHT not in camera:
        return exif
    camera.update({_WIDTH: width, _HEIGHT: height})
    for tag, value in list(block.items()):
        block[tag] = _unread(value)
    block[_CAMERA] = camera
    return block.tobytes()


def no_longer(exif: bytes, most: int) -> bytes | None:
    """The EXIF bytes without the longest of its texts, until they take at most so many bytes; None if none can go."""
    while len(exif) > most:
        block = parsed(exif)
        texts = {tag: len(value) for tag, value in block.items() if isinstance(value, str | bytes)}
        if not texts:
            return None
        del block[max(texts, key=texts.__getitem__)]
        for tag, value in list(block.items()):
            block[tag] = _unread(value)
        exif = block.tobytes()
    return exif
