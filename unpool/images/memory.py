"""Pictures that are already in memory: arrays, tensors and PIL images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from unpool.errors import PictureError
from unpool.images import colour, exif
from unpool.images.picture import Picture

if TYPE_CHECKING:
    import torch

_ROUNDING = 1e-3  # how far floats may leave [0, 1], as sums of rounded numbers do


def from_array(values: np.ndarray) -> Picture:
    """A picture from (H, W) or (H, W, 1 to 4): grey, grey and alpha, RGB, RGB and alpha, sRGB-encoded.

    uint8 and uint16 are taken as they are, booleans as black and white, floats in [0, 1] in 16 bits.

    Raises:
        PictureError: another shape or type, or floats outside [0, 1].
    """
    if values.ndim == 2:
        values = values[:, :, None]
    if values.ndim != 3 or not 1 <= values.shape[2] <= 4 or 0 in values.shape:
        hint = "; move the channels last" if values.ndim == 3 and 1 <= values.shape[0] <= 4 else ""
        raise PictureError(
            f"an array of shape {values.shape} is no picture: give (height, width) or (height, width, 1 to 4){hint}"
        )
    levels = np.array(levels_of(values), order="C")
    colours = levels.shape[2] - 1 if levels.shape[2] in (2, 4) else levels.shape[2]
    alpha = np.ascontiguousarray(levels[:, :, -1]) if colours < levels.shape[2] else None
    return Picture(np.ascontiguousarray(levels[:, :, :colours]), alpha)


def levels_of(values: np.ndarray) -> np.ndarray:
    """Samples as uint8 or uint16 over the full range, from the kinds of numbers that `from_array` takes."""
    if values.dtype in (np.uint8, np.uint16):
        return values.astype(values.dtype.newbyteorder("="), copy=False)
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * np.uint8(255)
    if not np.issubdtype(values.dtype, np.floating):
        raise PictureError(f"an array of {values.dtype} is no picture: give uint8, uint16 or floats in [0, 1]")
    low, high = float(values.min()), float(values.max())
    if not (low >= -_ROUNDING and high <= 1 + _ROUNDING):
        raise PictureError(f"float pictures lie in [0, 1], these values in [{low:g}, {high:g}]: scale them first")
    return (np.clip(values.astype(np.float64), 0, 1) * 65535 + 0.5).astype(np.uint16)


def stretched(levels: np.ndarray, bits: int) -> np.ndarray:
    """Levels of 9 to 16 bits over the full range of 16, to the nearest level.

    Examples:
        >>> stretched(np.array([0, 512, 1023]), 10).tolist()
        [0, 32800, 65535]
    """
    top = 2**bits - 1
    return ((levels.astype(np.uint64) * 65535 + top // 2) // top).astype(np.uint16)


def from_torch(values: torch.Tensor) -> Picture:
    """A picture from a tensor (C, H, W), (1, C, H, W) or (H, W): uint8, or floats in [0, 1], on any device."""
    if values.ndim == 4 and values.shape[0] == 1:
        values = values[0]
    if values.ndim == 2:
        values = values[None]
    if values.ndim != 3 or not 1 <= values.shape[0] <= 4:
        raise PictureError(f"a tensor of shape {tuple(values.shape)} is no picture: give (1 to 4, height, width)")
    values = values.detach().cpu()
    if values.is_floating_point():
        values = values.float()
    return from_array(values.permute(1, 2, 0).numpy())


def from_pil(image: Image.Image, *, keep_location: bool) -> Picture:
    """A picture from a PIL image of any mode: upright, in sRGB, its transparency apart.

    Raises:
        PictureError: a mode that holds no picture, or samples outside its range.
    """
    kept, orientation = exif.cleaned(image.getexif(), keep_location=keep_location)
    profile = image.info.get("icc_profile")
    return finished(*_planes(image), profile=profile, kept=kept, orientation=orientation)


def finished(
    planes: np.ndarray, alpha: np.ndarray | None, *, profile: bytes | None, kept: bytes | None, orientation: int
) -> Picture:
    """The picture of decoded samples (H, W, 1, 3 or 4 inks): converted to sRGB and turned upright."""
    converted = colour.to_srgb(planes, profile) if profile else None
    if converted is None:
        profile = None
        converted = colour.ink_to_srgb(planes) if planes.shape[2] == 4 else planes
    elif profile and colour.is_srgb(profile):
        profile = None
    turned = None if alpha is None else exif.upright(alpha, orientation)
    return Picture(exif.upright(converted, orientation), turned, kept, profile)


def _planes(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    """Samples (H, W, C) and alpha of a PIL image, in its own colour space."""
    if image.mode in ("I", "F", "I;16", "I;16L", "I;16B", "I;16N"):
        return _single(image), None
    if image.mode in ("P", "PA"):
        image = image.convert("RGBA" if "transparency" in image.info or image.mode == "PA" else "RGB")
    elif "transparency" in image.info and image.mode in ("1", "L", "RGB"):
        image = image.convert("RGBA" if image.mode == "RGB" else "LA")
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode in ("RGBa", "La"):
        image = image.convert("RGBA" if image.mode == "RGBa" else "LA")
    elif image.mode == "LAB":
        image = colour.lab_to_srgb(image)
    elif image.mode in ("YCbCr", "HSV", "RGBX"):
        image = image.convert("RGB")
    if image.mode not in ("L", "LA", "RGB", "RGBA", "CMYK"):
        raise PictureError(f"a PIL image of mode {image.mode} is no picture: convert it to RGB")
    levels = np.array(image)
    if levels.ndim == 2:
        levels = levels[:, :, None]
    if image.mode in ("LA", "RGBA"):
        return np.ascontiguousarray(levels[:, :, :-1]), np.ascontiguousarray(levels[:, :, -1])
    return levels, None


def _single(image: Image.Image) -> np.ndarray:
    """One channel of 16 bits from the modes that hold wide numbers."""
    values = np.array(image)
    if image.mode == "F":
        return levels_of(values)[:, :, None]
    if image.mode == "I":
        if values.min() < 0 or values.max() > 65535:
            raise PictureError(f"whole numbers from {values.min()} to {values.max()} are no picture: give 0 to 65535")
        return values.astype(np.uint16)[:, :, None]
    return values.astype(np.uint16)[:, :, None]
