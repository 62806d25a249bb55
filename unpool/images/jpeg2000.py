"""JPEG 2000: the codestream's own header, the profile in the box around it, and more than 8 bits per sample."""

import struct

import numpy as np

from unpool.images.memory import stretched
from unpool.images.picture import Picture

_START = b"\xff\x4f\xff\x51"


def header(data: bytes) -> tuple[int, int, int]:
    """Width, height and bits per sample that the codestream's SIZ marker promises.

    The codestream decides, not the boxes around it, which may promise less.
    """
    start = data.find(_START)
    if start < 0 or len(data) < start + 43:
        raise ValueError("no codestream")
    right, bottom, left, top = struct.unpack(">IIII", data[start + 8 : start + 24])
    components = int.from_bytes(data[start + 40 : start + 42], "big")
    depths = data[start + 42 : start + 42 + 3 * components : 3]
    return right - left, bottom - top, max(((depth & 127) + 1 for depth in depths), default=0)


def profile(data: bytes) -> bytes | None:
    """The ICC profile of the file's colour box, where it has one."""
    box = data.find(b"colr", 0, max(0, data.find(_START)))
    if box < 4 or data[box + 4 : box + 5] != b"\x02":
        return None
    return data[box + 7 : box - 4 + int.from_bytes(data[box - 4 : box], "big")]


def decode_wide(data: bytes, bits: int) -> np.ndarray:
    """Samples (H, W) or (H, W, 2 to 4), uint16 over its full range, of a file of 9 to 16 bits per sample."""
    import imagecodecs

    levels = np.asarray(imagecodecs.jpeg2k_decode(data))
    return stretched(levels, bits)


def encode_wide(picture: Picture, quality: int | None) -> bytes:
    """A file with the picture's 16 bits; without loss where no quality is given."""
    import imagecodecs

    planes = picture.samples if picture.alpha is None else np.dstack([picture.samples, picture.alpha])
    flat = np.ascontiguousarray(planes[:, :, 0] if planes.shape[2] == 1 else planes)
    if quality is None:
        return bytes(imagecodecs.jpeg2k_encode(flat, level=0, reversible=True))
    return bytes(imagecodecs.jpeg2k_encode(flat, level=round(decibels(quality)), reversible=False))


def decibels(quality: int) -> float:
    """The PSNR to aim at for a quality from 1 to 100: 20 to 55 dB."""
    return 20 + 0.35 * quality
