"""Colour spaces: what a file's ICC profile says, converted to sRGB on the way in and back on request on the way out."""

import functools

import numpy as np
from PIL import Image, ImageCms

from unpool.errors import PictureError

# The colour space that a profile's header names -> what its pixels are called where they are converted.
_SPACES = {b"RGB ": "rgb", b"GRAY": "gray", b"CMYK": "cmyk", b"Lab ": "lab"}


@functools.cache
def srgb_profile() -> bytes:
    """An sRGB ICC profile; the same bytes on every call and day."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = (2000).to_bytes(2, "big") + bytes([0, 1, 0, 1]) + bytes(6)  # its date: midnight, 1 January 2000
    return bytes(profile)


def space_of(profile: bytes) -> str:
    """The colour space of an ICC profile's pixels: `rgb`, `gray`, `cmyk`, `lab`, or `` for another or no profile."""
    return _SPACES.get(profile[16:20], "") if len(profile) >= 128 and profile[36:40] == b"acsp" else ""


@functools.lru_cache(maxsize=16)
def is_srgb(profile: bytes) -> bool:
    """True where a profile is sRGB but for rounding, whatever it calls itself: converting would change nothing."""
    if space_of(profile) != "rgb":
        return False
    steps = np.linspace(0, 255, 6).astype(np.uint8)
    lattice = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    converted = _transform(lattice, profile, "rgb", srgb_profile(), "rgb")
    return converted is not None and int(np.abs(converted.astype(int) - lattice).max()) <= 1


def to_srgb(planes: np.ndarray, profile: bytes) -> np.ndarray | None:
    """Samples (H, W, C), uint8 or uint16, from a profile's space to sRGB: grey stays grey; None: no usable profile."""
    space, channels = space_of(profile), planes.shape[2]
    if {"rgb": 3, "gray": 1, "cmyk": 4}.get(space) != channels:
        return None
    if is_srgb(profile):
        return planes
    converted = _transform(planes, profile, space, srgb_profile(), "rgb")
    if converted is None or space != "gray":
        return converted
    return np.ascontiguousarray(converted[:, :, 1:2])


def from_srgb(planes: np.ndarray, profile: bytes) -> np.ndarray:
    """sRGB samples (H, W, 1 or 3) in a profile's space, for a file that is to carry that profile.

    Raises:
        PictureError: the profile is damaged, or not for RGB or grey pictures.
    """
    space = space_of(profile)
    if is_srgb(profile):
        return planes
    if space not in ("rgb", "gray"):
        raise PictureError("the colour profile is not for RGB or grey pictures, so it cannot be written back")
    three = planes if planes.shape[2] == 3 else np.repeat(planes, 3, axis=2)
    converted = _transform(three, srgb_profile(), "rgb", profile, space)
    if converted is None:
        raise PictureError("the colour profile has no way back from sRGB, so it cannot be written back")
    return converted


def _transform(planes: np.ndarray, source: bytes, space: str, target: bytes, target_space: str) -> np.ndarray | None:
    import imagecodecs

    channels = {"rgb": 3, "gray": 1, "cmyk": 4}
    flat = np.ascontiguousarray(planes if channels[space] > 1 else planes[:, :, 0])
    try:
        converted = imagecodecs.cms_transform(
            flat, source, target, colorspace=space, outcolorspace=target_space, intent=imagecodecs.CMS.INTENT.PERCEPTUAL
        )
    except (imagecodecs.CmsError, ValueError):
        return None
    return np.asarray(converted).reshape(*planes.shape[:2], channels[target_space])


def ink_to_srgb(planes: np.ndarray) -> np.ndarray:
    """CMYK samples without a profile, by subtraction: the plain rule where no profile says how ink looks."""
    top = int(np.iinfo(planes.dtype).max)
    light = top - planes.astype(np.uint32)
    return ((light[:, :, :3] * light[:, :, 3:] + top // 2) // top).astype(planes.dtype)


def lab_to_srgb(image: Image.Image) -> Image.Image:
    """A CIE Lab picture in sRGB."""
    lab = ImageCms.createProfile("LAB")
    converted = ImageCms.profileToProfile(image, lab, ImageCms.createProfile("sRGB"), outputMode="RGB")
    if converted is None:
        raise PictureError("the Lab picture could not be converted to sRGB")
    return converted
