"""Codes that are whole numbers: the vector-quantised autoencoder (van den Oord et al. 2017)."""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unpool.autoencoders.model import Autoencoder
from unpool.nn.towers import Decoder, Encoder, stage_sizes


class VectorQuantised(Autoencoder):
    """Each place of the small feature grid is one of `entries` vectors; a code is their numbers, (N, places) int64.

    Gradients pass straight through the choice. Entries that a batch left unused are moved, in training, onto features
    of that batch, so that none stays idle.

    entries: vectors in the book. width: numbers a vector.
    commitment: weight of the term that keeps features near their entry.
    """

    def __init__(
        self,
        *,
        size: Sequence[int] = (64, 64),
        channels: int = 3,
        entries: int = 512,
        width: int = 32,
        commitment: float = 0.25,
        widths: Sequence[int] = (32, 64, 96),
        strides: Sequence[int] = (2, 2, 2),
        blocks: int | Sequence[int] = 1,
        block: str = "depthwise",
        upsample: str = "deconv",
    ) -> None:
        nn.Module.__init__(self)
        self.size, self.channels, self.grid = (size[0], size[1]), channels, 0
        self.small = stage_sizes(self.size, strides)[-1]
        self.code = math.prod(self.small)
        self.width, self.commitment = width, commitment
        tower: dict[str, Any] = {"widths": widths, "strides": strides, "blocks": blocks, "block": block}
        self.encoder = nn.Sequential(Encoder(in_channels=channels, **tower), nn.ReLU(), nn.Conv2d(widths[-1], width, 1))
        self.widen = nn.Conv2d(width, widths[-1], 1)
        self.decoder = Decoder(out_channels=channels, upsample=upsample, **tower)
        self.book = nn.Parameter(torch.randn(entries, width))

    def head(self, picture: Tensor) -> Tensor:
        """(N, channels, *size) in [0, 1] -> features (N, places, width)."""
        return self.encoder(2 * picture - 1).float().flatten(2).transpose(1, 2)

    def nearest(self, features: Tensor) -> Tensor:
        """Features (N, places, width) -> numbers of the nearest entries (N, places) int64."""
        flat = features.flatten(0, 1)
        distance = self.book.square().sum(1) - 2 * flat @ self.book.T
        return distance.argmin(1).unflatten(0, features.shape[:2])

    def encode(self, picture: Tensor) -> Tensor:
        """(N, channels, *size) in [0, 1] -> code (N, places) int64, each in 0..entries-1."""
        return self.nearest(self.head(picture))

    def decode(self, code: Tensor) -> Tensor:
        """Code (N, places) int64, or entries themselves (N, places, width) -> picture (N, channels, *size)."""
        vectors = code if code.is_floating_point() else F.embedding(code, self.book)
        squeezed = vectors.transpose(1, 2).unflatten(2, self.small)
        return (self.decoder(self.widen(squeezed), self.size) + 1) / 2

    def bottleneck(self, numbers: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """The chosen entries with the features' gradient, and the two terms that pull book and features together."""
        chosen = self.nearest(numbers.detach())
        self._revive(chosen, numbers.detach(), generator)
        entries = F.embedding(chosen, self.book)
        penalties = {
            "book": F.mse_loss(entries, numbers.detach()),
            "commitment": self.commitment * F.mse_loss(numbers, entries.detach()),
        }
        return numbers + (entries - numbers).detach(), penalties

    @torch.no_grad()
    def _revive(self, chosen: Tensor, features: Tensor, generator: torch.Generator) -> None:
        idle = torch.bincount(chosen.flatten(), minlength=len(self.book)) == 0
        drawn = torch.randint(chosen.numel(), (int(idle.sum()),), generator=generator, device=features.device)
        # A tenth of the way each time: an entry that is merely rare in one batch is not thrown away.
        self.book[idle] = self.book[idle].lerp(features.flatten(0, 1)[drawn], 0.1)
