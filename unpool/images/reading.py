"""`read`: a picture from wherever it is."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, Union, cast

import numpy as np
from PIL import Image

from unpool.errors import PictureError
from unpool.images import decoding, memory
from unpool.images.formats import recognise, refuse_unknown
from unpool.images.picture import Picture

if TYPE_CHECKING:
    import torch

MAX_PIXELS = 200_000_000
_HEAD = 4096  # bytes that tell a format

Source: TypeAlias = Union[
    "str", "os.PathLike[str]", "bytes", "BinaryIO", "Image.Image", "np.ndarray", "torch.Tensor", "Picture"
]


def read(source: Source, *, max_pixels: int = MAX_PIXELS, keep_location: bool = False) -> Picture:
    """Read a picture: sRGB, upright, 8 or 16 bits, transparency apart.

    Args:
        source: a path; the bytes of a file or a file open for reading bytes; a PIL image; an array (H, W) or
            (H, W, 1 to 4) of uint8, uint16 or floats in [0, 1]; a tensor (C, H, W) or (1, C, H, W) of uint8 or
            floats in [0, 1]; or a `Picture`, which is given back as it is. Floats become 16 bits. Of several frames or
            pages, the first.
        max_pixels: the size above which a picture is refused, by its header, before anything is decoded.
        keep_location: keep the place where a photograph was taken in its EXIF data.

    Raises:
        PictureError: there is nothing there, it is no picture, it is damaged, or it is over the limit.

    Examples:
        >>> read(np.zeros((4, 6, 3), np.uint8))
        Picture(6x4, RGB, 8 bit)
    """
    if isinstance(source, Picture):
        return source
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        return decoding.decode(_bytes_of(path), name=str(path), max_pixels=max_pixels, keep_location=keep_location)
    if isinstance(source, bytes | bytearray | memoryview):
        return decoding.decode(bytes(source), name="the picture", max_pixels=max_pixels, keep_location=keep_location)
    if isinstance(source, Image.Image):
        decoding.check_pixels(*source.size, name="the PIL image", max_pixels=max_pixels)
        try:
            return memory.from_pil(source, keep_location=keep_location)
        except decoding.DAMAGE as error:  # its file is decoded only now
            raise PictureError(f"the PIL image cannot be decoded: {error}") from error
    if isinstance(source, np.ndarray):
        return memory.from_array(source)
    if "torch" in sys.modules and isinstance(source, sys.modules["torch"].Tensor):
        return memory.from_torch(source)
    if hasattr(source, "read"):
        name = getattr(source, "name", None)
        name = name if isinstance(name, str) else "the picture"
        data = _all_of(cast("BinaryIO", source), name)
        return decoding.decode(data, name=name, max_pixels=max_pixels, keep_location=keep_location)
    raise PictureError(
        f"a {type(source).__name__} is no picture: give a path, bytes, a file, a PIL image, an array or a tensor"
    )


as_picture = read


def _bytes_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return _all_of(file, str(path))
    except FileNotFoundError:
        raise PictureError(f"there is no file {path}") from None
    except IsADirectoryError:
        raise PictureError(f"{path} is a folder: give a picture in it") from None
    except OSError as error:
        raise PictureError(f"{path} cannot be read: {error.strerror or error}") from error


def _all_of(file: BinaryIO, name: str) -> bytes:
    """The bytes of a file whose beginning is that of a picture: a film of many gigabytes is not read to its end."""
    head = file.read(_HEAD)
    if not isinstance(head, bytes):
        raise PictureError("the file gives text: open it for reading bytes ('rb')")
    if recognise(head) is None:
        raise refuse_unknown(head, name)
    return head + file.read()
