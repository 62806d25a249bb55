"""Differentiable augmentation: the critic sees real and generated pictures disturbed alike, so few data last longer."""

import torch
from torch import Tensor


def augment(pictures: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Each picture on its own changed in colour, shifted and cut into, with gradients: (N, C, H, W) -> the same.

    Brightness, saturation and contrast (three channels only), a shift by up to an eighth with zeros moving in, and a
    hole of a half by a half are each applied with `probability` (Zhao et al. 2020, "DiffAugment"). At probabilities
    below 1 the generator cannot hide behind them: none leaks into its pictures.
    """
    if probability <= 0:
        return pictures
    draw = _Draws(pictures, generator)
    if pictures.shape[1] == 3:
        pictures = pictures + draw.chosen(probability) * (draw.uniform() - 0.5)
        grey = pictures.mean(1, keepdim=True)
        pictures = torch.lerp(pictures, grey + (pictures - grey) * 2 * draw.uniform(), draw.chosen(probability))
        level = pictures.mean((1, 2, 3), keepdim=True)
        pictures = torch.lerp(pictures, level + (pictures - level) * (0.5 + draw.uniform()), draw.chosen(probability))
    return _with_hole(_shifted(pictures, draw, probability), draw, probability)


class _Draws:
    """Random numbers of one a picture, (N, 1, 1, 1)."""

    def __init__(self, pictures: Tensor, generator: torch.Generator) -> None:
        self.shape, self.device = (len(pictures), 1, 1, 1), pictures.device
        self.generator = generator

    def uniform(self) -> Tensor:
        return torch.rand(self.shape, device=self.device, generator=self.generator)

    def chosen(self, probability: float) -> Tensor:
        return (self.uniform() < probability).float()

    def integers(self, low: int, high: int) -> Tensor:
        """Whole numbers from low to high, both included, (N,)."""
        return torch.randint(low, high + 1, self.shape[:1], device=self.device, generator=self.generator)


def _shifted(pictures: Tensor, draw: _Draws, probability: float) -> Tensor:
    n, _, height, width = pictures.shape
    chosen = draw.chosen(probability).view(n).long()
    down = draw.integers(-(height // 8), height // 8) * chosen
    right = draw.integers(-(width // 8), width // 8) * chosen
    rows = torch.arange(height, device=pictures.device) - down[:, None]
    columns = torch.arange(width, device=pictures.device) - right[:, None]
    inside = ((rows >= 0) & (rows < height))[:, None, :, None] & ((columns >= 0) & (columns < width))[:, None, None, :]
    index = torch.arange(n, device=pictures.device)[:, None, None]
    rows, columns = rows.clamp(0, height - 1)[:, :, None], columns.clamp(0, width - 1)[:, None, :]
    return pictures.permute(0, 2, 3, 1)[index, rows, columns].permute(0, 3, 1, 2) * inside


def _with_hole(pictures: Tensor, draw: _Draws, probability: float) -> Tensor:
    height, width = pictures.shape[2:]
    top, left = draw.integers(-height // 4, height - height // 4), draw.integers(-width // 4, width - width // 4)
    rows = torch.arange(height, device=pictures.device) - top[:, None]
    columns = torch.arange(width, device=pictures.device) - left[:, None]
    hole = ((rows >= 0) & (rows < height // 2))[:, None, :, None] & ((columns >= 0) & (columns < width // 2))[
        :, None, None
    ]
    return pictures * (1 - hole * draw.chosen(probability))
