"""Degradations of pose and scene: small rotations, shifts and scalings, mirror, occlusion, light."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from unpool.images.amounts import Amount, draw


@dataclass(frozen=True)
class Affine:
    """Rotate, shift and scale about the centre; what comes in from outside is the mirrored picture.

    Rotation in degrees counter-clockwise, shift as a fraction of each side (drawn for x and y apart), scale above 1
    enlarges what is seen.
    """

    rotation: Amount = 0.0
    shift: Amount = 0.0
    scale: Amount = 1.0

    def __call__(self, picture: Tensor, generator: Generator) -> Tensor:
        angle = math.radians(draw(self.rotation, generator))
        shift_x, shift_y = draw(self.shift, generator), draw(self.shift, generator)
        scale = draw(self.scale, generator)
        height, width = picture.shape[-2:]
        cosine, sine, aspect = math.cos(angle) / scale, math.sin(angle) / scale, height / width
        # Output to input in grid_sample's coordinates, [-1, 1] from border to border.
        matrix = torch.tensor([[cosine, -sine * aspect, 0.0], [sine / aspect, cosine, 0.0]], dtype=torch.float64)
        matrix[:, 2] = -matrix[:, :2] @ torch.tensor([2 * shift_x, 2 * shift_y], dtype=torch.float64)
        theta = matrix.to(picture.device, picture.dtype).expand(picture.shape[0], 2, 3)
        grid = F.affine_grid(theta, list(picture.shape), align_corners=False)
        moved = F.grid_sample(picture, grid, mode="bicubic", padding_mode="reflection", align_corners=False)
        return moved.clamp(0, 1)


@dataclass(frozen=True)
class Mirror:
    """Left becomes right with probability `p`."""

    p: float = 0.5

    def __call__(self, picture: Tensor, generator: Generator) -> Tensor:
        return picture.flip(-1) if draw((0.0, 1.0), generator) < self.p else picture


@dataclass(frozen=True)
class Occlusion:
    """Cover a rectangle of the picture.

    Args:
        area: covered fraction of the picture.
        aspect: width over height of the rectangle, drawn on a logarithmic scale.
        fill: a grey level in [0, 1], `mean` (of the picture) or `noise` (uniform).
    """

    area: Amount = (0.05, 0.25)
    aspect: tuple[float, float] = (0.5, 2.0)
    fill: float | str = "mean"

    def __post_init__(self) -> None:
        if isinstance(self.fill, str) and self.fill not in ("mean", "noise"):
            raise ValueError(f"fill is a number, 'mean' or 'noise', not {self.fill!r}")

    def __call__(self, picture: Tensor, generator: Generator) -> Tensor:
        height, width = picture.shape[-2:]
        pixels = draw(self.area, generator) * height * width
        aspect = math.exp(draw((math.log(self.aspect[0]), math.log(self.aspect[1])), generator))
        rows = min(height, max(1, round(math.sqrt(pixels / aspect))))
        columns = min(width, max(1, round(math.sqrt(pixels * aspect))))
        top = int(draw((0.0, height - rows + 1 - 1e-6), generator))
        left = int(draw((0.0, width - columns + 1 - 1e-6), generator))
        covered = picture.clone()
        hole = covered[..., top : top + rows, left : left + columns]
        if self.fill == "noise":
            hole.copy_(torch.rand(hole.shape, generator=generator, device=generator.device))
        else:
            hole.copy_(picture.mean((-2, -1), keepdim=True) if self.fill == "mean" else torch.tensor(self.fill))
        return covered


@dataclass(frozen=True)
class Light:
    """Another exposure, another tone curve, and light that falls off to one side.

    Args:
        gain: factor on the values, 1 leaves them.
        gamma: exponent on the values, 1 leaves them; above 1 darkens the middle tones.
        gradient: brightness lost at the dark side, as a fraction, in a random direction.
    """

    gain: Amount = 1.0
    gamma: Amount = 1.0
    gradient: Amount = 0.0

    def __call__(self, picture: Tensor, generator: Generator) -> Tensor:
        gain, gamma = draw(self.gain, generator), draw(self.gamma, generator)
        loss, angle = draw(self.gradient, generator), draw((0.0, 2 * math.pi), generator)
        lit = picture.clamp(0, 1) ** gamma * gain
        if loss:
            y = torch.linspace(-1, 1, picture.shape[-2], device=picture.device, dtype=picture.dtype)[:, None]
            x = torch.linspace(-1, 1, picture.shape[-1], device=picture.device, dtype=picture.dtype)[None, :]
            across = (x * math.cos(angle) + y * math.sin(angle)) / (abs(math.cos(angle)) + abs(math.sin(angle)))
            lit = lit * (1 - loss * (across + 1) / 2)
        return lit.clamp(0, 1)
