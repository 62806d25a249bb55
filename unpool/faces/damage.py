"""What happens to a face before a recogniser gets it: light, occlusion, blur, few pixels, noise, JPEG."""

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from unpool.images.amounts import draw, draw_index
from unpool.images.degradations import JPEG, GaussianBlur, GaussianNoise, MotionBlur
from unpool.images.placement import Light, Occlusion
from unpool.images.resampling import imresize


def reduced(faces: Tensor, size: int, kernel: str = "bicubic") -> Tensor:
    """Faces (N, C, H, W) in [0, 1] with `size` pixels a side, enlarged again to H x W by bicubic."""
    small = imresize(faces, size=(size, size), kernel=kernel).clamp_(0, 1)
    return imresize(small, size=(faces.shape[-2], faces.shape[-1])).clamp_(0, 1)


@dataclass(frozen=True)
class Poor:
    """A poor face of the same size: `picture, generator -> picture`. All faces of a call share what is drawn.

    sizes: the pixels a side that are left, drawn on a logarithmic scale. The others are probabilities.
    """

    sizes: tuple[int, int] = (12, 112)
    kernels: tuple[str, ...] = ("bicubic", "lanczos")
    light: float = 0.2
    occlusion: float = 0.1
    blur: float = 0.3
    noise: float = 0.3
    jpeg: float = 0.3

    def __call__(self, picture: Tensor, generator: Generator) -> Tensor:
        def chance(probability: float) -> bool:
            return draw((0.0, 1.0), generator) < probability

        height, width = picture.shape[-2:]
        if chance(self.light):
            picture = Light((0.6, 1.3), (0.7, 1.5), (0.0, 0.6))(picture, generator)
        if chance(self.occlusion):
            picture = Occlusion((0.03, 0.15))(picture, generator)
        size = round(math.exp(draw((math.log(self.sizes[0]), math.log(self.sizes[1])), generator)))
        if chance(self.blur):
            camera = GaussianBlur((0.3, 0.8)) if chance(0.7) else MotionBlur((1.5, 3.0))
            side = min(112, 2 * size)  # blur is as wide as the pixels that follow it
            picture = camera(imresize(picture, size=(side, side)).clamp_(0, 1), generator)
        picture = imresize(picture, size=(size, size), kernel=self.kernels[draw_index(len(self.kernels), generator)])
        picture = picture.clamp_(0, 1)
        if chance(self.noise):
            picture = GaussianNoise((2.0, 15.0))(picture, generator)
        if chance(self.jpeg):
            picture = JPEG((30.0, 90.0))(picture, generator)
        return imresize(picture, size=(height, width)).clamp_(0, 1)


# What a decoder is asked to undo. Which light there was, and what lies behind a hand, no face tells.
RESTORABLE = Poor(sizes=(12, 56), light=0.0, occlusion=0.0)


def poor_in_groups(faces: Tensor, share: float, group: int, generator: Generator, how: Poor | None = None) -> Tensor:
    """Faces (N, C, H, W), a `share` of their groups of `group` neighbours made poor, each group in its own way."""
    how = how or Poor()
    if not len(faces):
        return faces
    return torch.cat(
        [how(part, generator) if draw((0.0, 1.0), generator) < share else part for part in faces.split(group)]
    )
