"""What is wrong with a picture: its noise, its JPEG quality, its sharpness; and which restorer that asks for."""

import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL.JpegImagePlugin import JpegImageFile
from torch import Tensor

# Annex K of ITU-T T.81: the luminance table that qualities scale, in natural order.
_LUMINANCE = np.array(
    [16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
     87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
     72, 92, 95, 98, 112, 100, 103, 99]
)  # fmt: skip

_BLURRED = 0.085  # a Gaussian of sigma 1.5 and more makes photographs less sharp than this
# Where photo-x2 and photo-x4 were ahead of sr on held-out photographs, and what they are trained on.
_SOFT, _SOME_NOISE, _SOME_COMPRESSION = 0.2, 12.0, 40


@dataclass(frozen=True)
class Estimate:
    """What was found.

    noise: standard deviation on 0..255. jpeg_quality: 1 to 100, None where the picture shows no blocks.
    sharpness: energy of the finest detail over that of coarser detail: 1/16 for a smooth ramp, 0.15 and more for sharp
    photographs.
    """

    noise: float
    jpeg_quality: int | None
    sharpness: float

    @property
    def task(self) -> str | None:
        """`denoise`, `jpeg`, `deblur`, or None where nothing is wrong."""
        if self.noise >= 5:
            return "denoise"
        if self.jpeg_quality is not None and self.jpeg_quality < 88:
            return "jpeg"
        return "deblur" if self.sharpness < _BLURRED else None

    @property
    def like_a_photograph(self) -> bool:
        """Soft, a little noisy or a little compressed, as cameras and the web leave pictures; not heavily so."""
        if self.task == "deblur" or self.noise > _SOME_NOISE or (self.jpeg_quality or 100) < _SOME_COMPRESSION:
            return False
        return self.task is not None or self.sharpness < _SOFT

    def __str__(self) -> str:
        parts = [f"noise {self.noise:.1f} of 255"]
        if self.jpeg_quality is not None:
            parts.append(f"JPEG quality {self.jpeg_quality}")
        parts.append("blurred" if self.sharpness < _BLURRED else "sharp")
        return ", ".join(parts)


def noise_level(picture: Tensor) -> float:
    """Standard deviation of white noise on 0..255 in a picture (1, C, H, W) in [0, 1].

    The flattest blocks show it: the difference of two Laplacians (Immerkaer 1996) sees noise and hardly anything else;
    of its energy in blocks of 10x10 the 20 % quantile over blocks, corrected for being one, is taken.
    """
    mask = torch.tensor([[1.0, -2, 1], [-2, 4, -2], [1, -2, 1]])[None, None]
    planes = picture.transpose(0, 1)
    if min(planes.shape[-2:]) < 12:
        return 0.0
    laplacian = F.conv2d(planes, mask) / 6
    energy = F.avg_pool2d(laplacian.square(), 10, 5).flatten(1)
    flat = torch.quantile(energy.mean(0), 0.2)
    return float(flat.sqrt()) * 255 * 1.1


def tables_quality(data: bytes) -> int | None:
    """The quality a JPEG file was written with, from its luminance table by the standard's scaling; None if no JPEG."""
    if not data.startswith(b"\xff\xd8"):
        return None
    # `Image.open` has a limit of pixels of its own, below ours; here nothing is decoded.
    try:
        with JpegImageFile(io.BytesIO(data)) as image:
            table = np.array(image.quantization.get(0, []), dtype=float)
    except (OSError, SyntaxError):  # Pillow's words for a header that ends early, and for none
        return None
    if table.shape != (64,):
        return None
    return min(range(1, 101), key=lambda quality: float(np.abs(_scaled(quality) - table).sum()))


def _scaled(quality: int) -> np.ndarray:
    factor = 5000 / quality if quality < 50 else 200 - 2 * quality
    return np.clip(np.floor((_LUMINANCE * factor + 50) / 100), 1, 255)


def blockiness(picture: Tensor) -> float:
    """How much larger steps are across the 8x8 grid than elsewhere, on (1, C, H, W): 1 without blocks."""
    y = picture.mean(1)[0]
    ratios = []
    for plane in (y, y.T):
        steps = (plane[:, 1:] - plane[:, :-1]).abs().mean(0)
        if len(steps) < 24:
            return 1.0
        across = torch.arange(len(steps)) % 8 == 7
        ratios.append(float(steps[across].mean() / steps[~across].mean().clamp_min(1e-6)))
    return math.sqrt(ratios[0] * ratios[1])


def sharpness(picture: Tensor) -> float:
    """Energy of differences of neighbours over energy of differences four pixels apart, on (1, C, H, W)."""
    y = picture.mean(1, keepdim=True)
    if min(y.shape[-2:]) < 12:
        return 1.0
    near = (y[..., 1:] - y[..., :-1]).square().mean()
    far = (y[..., 4:] - y[..., :-4]).square().mean()
    return float(near / far.clamp_min(1e-8))


def estimate(picture: Tensor, source: object = None) -> Estimate:
    """What is wrong with (1, C, H, W) in [0, 1]. `source`: the file's path or bytes, if it came from one.

    A picture that is not a JPEG file now, but was one, is known by its blocks; its quality is then read off
    their height, roughly.
    """
    quality = None
    if isinstance(source, bytes):
        quality = tables_quality(source)
    elif isinstance(source, str | Path) and Path(source).is_file():
        with open(source, "rb") as file:
            head = file.read(2)
            quality = tables_quality(head + file.read()) if head == b"\xff\xd8" else None
    if quality is None and (blocks := blockiness(picture)) > 1.12:
        quality = max(5, round(75 * math.exp(-2.4 * (blocks - 1.12))))
    return Estimate(noise_level(picture), quality, sharpness(picture))
