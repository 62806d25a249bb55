"""A trained network as a measure of likeness and as the eyes of a critic; it stays as it is."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unpool.errors import ModelError
from unpool.zoo.weights import load_module


class Perception(nn.Module):
    """What the first layers of a trained face recogniser see of a picture: maps from fine to coarse.

    model: weights of a network whose `encoder` has `maps(picture, stages)`, such as faces/recogniser.
    stages: how many of its stages are looked at, beside its stem.
    side: height and width to which pictures are enlarged first, so that the filters find the detail they know.
    """

    def __init__(self, model: str, *, stages: int, side: int) -> None:
        super().__init__()
        encoder = getattr(load_module(model)[0], "encoder", None)
        if encoder is None or not hasattr(encoder, "maps"):
            raise ModelError(f"{model} cannot judge likeness: its encoder has no maps; faces/recogniser's has")
        self.encoder: Any = encoder.to(memory_format=torch.channels_last)
        self.stages, self.side = stages, side
        self.scales = [1.0] * (stages + 1)

    @torch.no_grad()
    def even_out(self, examples: Tensor) -> None:
        """Scale the maps so that each has deviation 1 on these pictures (N, 3, H, W) in [0, 1]."""
        self.scales = [scale * float(one.std(dim=(0, 2, 3)).mean()) for one, scale in zip(self(examples), self.scales)]

    def forward(self, picture: Tensor) -> list[Tensor]:
        """(N, 3, H, W) in [0, 1] -> maps (N, C, side / 2, side / 2), (N, C', side / 4, side / 4), ..."""
        large = F.interpolate(picture, (self.side, self.side), mode="bilinear", align_corners=False)
        return [one / scale for one, scale in zip(self.encoder.maps(large, self.stages), self.scales)]


def unlikeness(seen: list[Tensor], wanted: list[Tensor]) -> Tensor:
    """Mean absolute difference between two pictures' maps, a mean over the maps, ()."""
    return torch.stack([(one - other).abs().mean() for one, other in zip(seen, wanted)]).mean()


class MapCritic(nn.Module):
    """How real a map looks at each of a coarse grid of places; higher is more real."""

    def __init__(self, *, channels: int, width: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 3, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, width, 3, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 1, 3, 1, 1),
        )

    def forward(self, features: Tensor) -> Tensor:
        """(N, channels, H, W) -> (N, H / 4 * W / 4), rounded up."""
        return self.layers(features).flatten(1)
