"""The family's stem: a convolutional encoder to a code of so many numbers, a deconvolutional decoder back.

To make an autoencoder of one's own, subclass `Autoencoder` and override what differs: `corrupt` (what the encoder sees
in training), `bottleneck` (what happens to the code in training) or `penalties` (what is added to the loss). The loop,
the losses, the measurements and the weight files need nothing else. `docs/autoencoders.md` has one in thirty lines.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unpool.nn.towers import Decoder, Encoder, stage_sizes

# The linear path's values are scaled by this and its weights by the inverse, so that an optimiser whose steps have one
# size for all weights (Adam) moves it slowly from where it starts.
_LINEAR_PACE = 0.125


@dataclass
class Pass:
    """One pass in training: the reconstruction (N, C, H, W), the code it was decoded from, and what the loss adds."""

    reconstruction: Tensor
    code: Tensor
    penalties: Mapping[str, Tensor] = field(default_factory=dict)


class Autoencoder(nn.Module):
    """Convolutional-deconvolutional autoencoder: (N, channels, *size) in [0, 1] to codes (N, code) and back.

    Two paths are added on the way in and on the way out: a tower of `nn` (`Encoder`, `Decoder`, one stride table), and,
    where `grid` is not 0, a linear map of the picture averaged to grid x grid, which `start_linear` can set to a
    principal component analysis, so that training starts from PCA's reconstruction instead of from nothing.

    size: (height, width) of the pictures, any from 1x1; the stride table mirrors it exactly.
    code: numbers a picture.
    widths, strides, blocks, block: of the encoder tower. decoder_widths: the decoder's, if they differ.
    squeeze: channels to which the last features are reduced before the dense layer.
    upsample: kind of `nn.Upsample`; "deconv" cannot make checkerboards.
    """

    def __init__(
        self,
        *,
        size: Sequence[int] = (64, 64),
        channels: int = 3,
        code: int = 64,
        widths: Sequence[int] = (32, 64, 96),
        strides: Sequence[int] = (4, 2, 2),
        blocks: int | Sequence[int] = 1,
        block: str = "depthwise",
        decoder_widths: Sequence[int] | None = None,
        squeeze: int = 24,
        upsample: str = "deconv",
        grid: int = 0,
    ) -> None:
        super().__init__()
        decoder_widths = widths if decoder_widths is None else decoder_widths
        self.size = (size[0], size[1])
        self.channels, self.code, self.grid = channels, code, grid
        self.small = stage_sizes(self.size, strides)[-1]
        features = squeeze * math.prod(self.small)
        tower: dict[str, Any] = {"strides": strides, "blocks": blocks, "block": block}
        self.encoder = nn.Sequential(
            Encoder(in_channels=channels, widths=widths, **tower),
            nn.ReLU(),
            nn.Conv2d(widths[-1], squeeze, 1),
            nn.Flatten(),
            nn.Linear(features, self.head_width()),
        )
        self.expand = nn.Linear(code, features)
        self.widen = nn.Conv2d(squeeze, decoder_widths[-1], 1)
        self.decoder = Decoder(out_channels=channels, widths=decoder_widths, upsample=upsample, **tower)
        if grid:
            self.analysis = nn.Linear(channels * grid * grid, self.head_width())
            self.synthesis = nn.Linear(code, channels * grid * grid)

    def head_width(self) -> int:
        """How many numbers the encoder's last layer gives; `code`, unless a subclass makes its code from more."""
        return self.code

    def head(self, picture: Tensor) -> Tensor:
        """(N, channels, *size) in [0, 1] -> (N, head_width())."""
        centred = 2 * picture - 1
        numbers = self.encoder(centred)
        if self.grid:
            coarse = F.adaptive_avg_pool2d(centred, self.grid).flatten(1)
            numbers = numbers + self.analysis(_LINEAR_PACE * coarse)
        return numbers

    def encode(self, picture: Tensor) -> Tensor:
        """(N, channels, *size) in [0, 1] -> code (N, code), float; the same for the same picture, always."""
        return self.head(picture)

    def decode(self, code: Tensor) -> Tensor:
        """Code (N, code) -> picture (N, channels, *size); about [0, 1], not clamped, so that losses keep a slope."""
        squeezed = self.expand(code).unflatten(1, (-1, *self.small))
        picture = self.decoder(self.widen(squeezed), self.size)
        if self.grid:
            coarse = _LINEAR_PACE * self.synthesis(code).unflatten(1, (self.channels, self.grid, self.grid))
            picture = picture + F.interpolate(coarse, self.size, mode="bilinear", align_corners=False)
        return (picture + 1) / 2

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """(N, channels, *size) in [0, 1] -> its reconstruction, the same shape, and its code (N, code)."""
        code = self.encode(picture)
        return self.decode(code), code

    def corrupt(self, picture: Tensor, generator: torch.Generator) -> Tensor:
        """What the encoder sees of `picture` in training, the same shape. Here: the picture itself."""
        return picture

    def bottleneck(self, numbers: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """The encoder's numbers (N, head_width()) -> the code that is decoded in training, and named penalties."""
        return numbers, {}

    def penalties(self, picture: Tensor, code: Tensor, label: Tensor | None) -> dict[str, Tensor]:
        """Further terms of the loss by name, each a scalar with its weight in it. `label`: classes (N,), or none."""
        return {}

    def training_pass(self, picture: Tensor, generator: torch.Generator, label: Tensor | None = None) -> Pass:
        """Corrupt, encode, decode; (N, channels, *size) in [0, 1], randomness from `generator` alone."""
        seen = self.corrupt(picture, generator)
        code, penalties = self.bottleneck(self.head(seen), generator)
        return Pass(self.decode(code), code, penalties | self.penalties(seen, code, label))

    @torch.no_grad()
    def start_linear(self, pictures: Tensor, labels: Tensor | None = None) -> None:
        """Start the linear path at a linear code of `pictures` (N, channels, *size), the towers at (nearly) nothing.

        Codes become `linear_code` of the pictures averaged to the grid. The way back is the least squares fit, in the
        space of bilinear interpolation from the grid, to the pictures themselves. labels: classes (N,), -1 for none.
        """
        if not self.grid:
            raise ValueError("an autoencoder with grid=0 has no linear path to start")
        centred = 2 * pictures - 1
        rows = F.adaptive_avg_pool2d(centred, self.grid).flatten(1).double()
        mean = rows.mean(0)
        scaled = self.linear_code(rows - mean, labels)
        down, across = (torch.linalg.pinv(_interpolation(self.grid, length)) for length in self.size)
        wanted = torch.einsum("gh,nchw,kw->ncgk", down, centred, across).flatten(1).double()
        middle = wanted.mean(0)
        codes = (rows - mean) @ scaled
        back = torch.linalg.lstsq(codes, wanted - middle).solution.T
        self.analysis.weight[: self.code].copy_(scaled.T / _LINEAR_PACE)
        self.analysis.bias[: self.code].copy_(-(mean @ scaled))
        self.synthesis.weight.copy_(back / _LINEAR_PACE)
        self.synthesis.bias.copy_(middle / _LINEAR_PACE)
        *_, last = self.encoder.children()
        for parameter in last.parameters():
            parameter.zero_()
        *_, last = self.decoder.stages
        for parameter in last.parameters():
            parameter.mul_(0.05)

    def linear_code(self, rows: Tensor, labels: Tensor | None) -> Tensor:
        """Centred rows (N, D) float64 -> matrix (D, code) that makes codes of them; here whitened PCA."""
        values, vectors = torch.linalg.eigh(rows.T @ rows / len(rows))
        return vectors.flip(1)[:, : self.code] / values.flip(0)[: self.code].clamp(min=1e-8).sqrt()

    def example_inputs(self) -> tuple[Tensor, ...]:
        """One picture of noise, for tracing."""
        return (torch.rand(1, self.channels, *self.size, generator=torch.Generator().manual_seed(0)),)


def _interpolation(grid: int, length: int) -> Tensor:
    """The matrix (length, grid) of bilinear interpolation along one side."""
    unit = torch.eye(grid)[None, :, :, None]
    return F.interpolate(unit, (length, 1), mode="bilinear", align_corners=False)[0, :, :, 0].T
