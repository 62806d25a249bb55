"""What happens to pictures on their way: each degradation is an object, `picture, generator -> picture`.

Pictures are float tensors (N, C, H, W) in [0, 1]; a call draws its random parameters once, from the generator alone,
so that the same seed gives the same result. A parameter is a number, or a `(low, high)` range drawn uniformly.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from PIL import Image
from torch import Generator, Tensor

from unpool.images.amounts import Amount, draw, draw_index
from unpool.images.blurring import blur, gaussian_kernel, motion_kernel
from unpool.images.placement import Affine, Light, Mirror, Occlusion
from unpool.images.resampling import imresize

__all__ = [
    "JPEG",
    "Affine",
    "Amount",
    "Chain",
    "Degradation",
    "Downscale",
    "GaussianBlur",
    "GaussianNoise",
    "Light",
    "Mirror",
    "MotionBlur",
    "Occlusion",
    "PoissonNoise",
    "RandomChain",
    "RandomChoice",
    "WebP",
    "recode",
]


class Degradation(Protocol):
    """The one contract: a picture (N, C, H, W) in [0, 1] and a generator give a picture."""

    def __call__(self, picture: Tensor, generator: Generator) -> Tensor: ...


def _normal(like: Tensor, generator: Generator) -> Tensor:
    noise = torch.randn(like.shape, generator=generator, device=generator.device, dtype=torch.float32)
    return noise.to(like.device, like.dtype)


@dataclass(frozen=True)
class Downscale:
    """Shrink by a factor (4 means a quarter of each side; a range is drawn from) or to a size (height, width)."""

    factor: Amount | None = None
    size: tuple[int, int] | None = None
    kernel: str = "bicubic"

    def __call__(self, picture: Tensor, generator: Generator) -> Tensor:
        if self.factor is None:
            small = imresize(picture, size=self.size, kernel=self.kernel)
        else:
            small = imresize(picture, 1 / draw(self.factor, generator), kernel=self.kernel)
        return small.clamp_(0, 1)


@dataclass(frozen=True)
class GaussianBlur:
    """Gaussian blur; sigma in pixels."""

    sigma: Amount

    def __call__(self, picture: Tensor, generator: Generator) -> Tensor:
        return blur(picture, gaussian_kernel(draw(self.sigma, generator)))


@dataclass(frozen=True)
class MotionBlur:
    """Blur along a straight line; length in pixels, angle in degrees counter-clockwise from the right."""

    length: Amount
    angle: Amount = (0.0, 180.0)

    def __call__(self, picture: Tensor, generator: Generator) -> Tensor:
        length = draw(self.length, generator)
        return blur(picture, motion_kernel(length, draw(self.angle, generator)))


@dataclass(frozen=True)
class GaussianNoise:
    """Additive white noise; sigma in 0..255 units. `clip=False` keeps values outside [0, 1], as the literature does."""

    sigma: Amount
    clip: bool = True

    def __call__(self, picture: Tensor, generator: Generator) -> Tensor:
        sigma = draw(self.sigma, generator) / 255
        noisy = picture + sigma * _normal(picture, generator)
        return noisy.clamp_(0, 1) if self.clip else noisy


@dataclass(frozen=True)
class PoissonNoise:
    """Photon noise; `peak` is the number of photons that white stands for."""

    peak: Amount
    clip: bool = True

    def __call__(self, picture: Tensor, generator: Generator) -> Tensor:
        peak = draw(self.peak, generator)
        rate = (picture.clamp(0, 1) * peak).float().to(generator.device)
        noisy = (torch.poisson(rate, generator=generator) / peak).to(picture.device, picture.dtype)
        return noisy.clamp_(0, 1) if self.clip else noisy


def recode(picture: Tensor, file_format: str, **options: object) -> Tensor:
    """Round to 8 bit, write as a file in memory and read back. `picture`: (N, 1 or 3, H, W) in [0, 1]."""
    decoded = []
    for one in picture:
        samples = (one.detach().float().clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
        image = Image.fromarray(samples[..., 0] if samples.shape[2] == 1 else np.ascontiguousarray(samples))
        file = io.BytesIO()
        image.save(file, file_format, **options)
        back = np.asarray(Image.open(file).convert(image.mode), dtype=np.float32).reshape(samples.shape)
        decoded.append(torch.from_numpy(back / 255).permute(2, 0, 1))
    return torch.stack(decoded).to(picture.device, picture.dtype)


@dataclass(frozen=True)
class JPEG:
    """JPEG compression by Pillow; quality 1 to 95, chroma subsampling `4:2:0`, `4:2:2` or `4:4:4`."""

    quality: Amount
    subsampling: str = "4:2:0"

    def __call__(self, picture: Tensor, generator: Generator) -> Tensor:
        quality = round(draw(self.quality, generator))
        return recode(picture, "JPEG", quality=quality, subsampling=self.subsampling)


@dataclass(frozen=True)
class WebP:
    """Lossy WebP compression by Pillow; quality 0 to 100."""

    quality: Amount

    def __call__(self, picture: Tensor, generator: Generator) -> Tensor:
        return recode(picture, "WEBP", quality=round(draw(self.quality, generator)))


@dataclass(frozen=True)
class Chain:
    """One degradation after the other."""

    steps: Sequence[Degradation]

    def __call__(self, picture: Tensor, generator: Generator) -> Tensor:
        for step in self.steps:
            picture = step(picture, generator)
        return picture


@dataclass(frozen=True)
class RandomChoice:
    """One of several, with the given weights (equal by default)."""

    choices: Sequence[Degradation]
    weights: Sequence[float] | None = None

    def __call__(self, picture: Tensor, generator: Generator) -> Tensor:
        weights = torch.tensor(self.weights or [1] * len(self.choices), dtype=torch.float32, device=generator.device)
        return self.choices[int(torch.multinomial(weights, 1, generator=generator))](picture, generator)


@dataclass(frozen=True)
class RandomChain:
    """Some of several degradations, each at most once, in random order; `count` of them, or from a range."""

    steps: Sequence[Degradation]
    count: int | tuple[int, int]

    def __call__(self, picture: Tensor, generator: Generator) -> Tensor:
        low, high = self.count if isinstance(self.count, tuple) else (self.count, self.count)
        count = low + draw_index(high - low + 1, generator)
        order = torch.randperm(len(self.steps), generator=generator, device=generator.device)[:count].tolist()
        return Chain([self.steps[index] for index in order])(picture, generator)
