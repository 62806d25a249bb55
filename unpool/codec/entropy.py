"""The entropy model: integer networks that predict every latent's mean and width, and the widths' distributions.

Latents are integers in sixteenths of a quantiser step, so that a predicted mean is one as well; widths are indices of
64 fixed ones.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from unpool.codec.integer import IntegerConv, PackedConv
from unpool.codec.tables import Tables, frequencies

UNIT = 16  # latents are integers in units of 1/16 quantiser step
SCALES = 64  # widths of the residual's distribution
SCALE_LOW, SCALE_HIGH = 0.11, 90.0
INDEX_UNIT = 16  # the networks speak of a width's index in sixteenths
CONTEXT_MAX = 255
_LOG_STEP = math.log(SCALE_HIGH / SCALE_LOW) / (SCALES - 1)
_ROOT_HALF = math.sqrt(0.5)
_RAREST = 1e-7


def scale_of(index: Tensor) -> Tensor:
    """The standard deviation (quantiser steps) that index 0..63 stands for."""
    return SCALE_LOW * torch.exp(index * _LOG_STEP)


def compand(latent: Tensor) -> Tensor:
    """Latents in sixteenths to context inputs within +-255: quarter steps up to 32 steps, whole steps beyond."""
    size = latent.abs()
    small = torch.floor(size / 4)
    large = torch.floor((size - 512) / 16).add_(128).clamp_(max=CONTEXT_MAX)
    return torch.where(size < 512, small, large) * latent.sign()


def compand_through(latent: Tensor) -> Tensor:
    """`compand` with a straight-through gradient."""
    slope = torch.where(latent.abs() < 512, latent / 4, latent / 16)
    return slope + (compand(latent) - slope).detach()


class HyperSynthesis(nn.Module):
    """Integer network: hyper-latents (N, Z, h / 4, w / 4) in whole steps to features (N, F, h, w) in 0..255."""

    def __init__(self, *, hyper: int, width: int, anchors: int, packed: bool = False) -> None:
        super().__init__()
        layer = PackedConv if packed else IntegerConv
        self.quality_bias = nn.Parameter(torch.zeros(anchors, width))  # in units of 32 integers
        self.enter = layer(inputs=hyper, outputs=width, kernel=3, input_max=16 * 64)
        self.first = layer(inputs=width, outputs=4 * width)
        self.middle = layer(inputs=width, outputs=width, kernel=3)
        self.second = layer(inputs=width, outputs=4 * width)

    def forward(self, z: Tensor, bias: Tensor) -> Tensor:
        """`bias` (N, F) are integers, from `Codec.quality_terms`."""
        h = self.enter(torch.clamp(z * 16, -1024, 1024), bias[:, :, None, None])
        h = self.middle(functional.pixel_shuffle(self.first(h), 2))
        return functional.pixel_shuffle(self.second(h), 2)


class ContextPass(nn.Module):
    """Integer network of one coding pass: features and known latents to mean and width index, both in sixteenths."""

    def __init__(self, *, width: int, known: int, coded: int, packed: bool = False) -> None:
        super().__init__()
        layer = PackedConv if packed else IntegerConv
        self.known, self.coded = known, coded
        self.features = layer(inputs=width, outputs=width, rectified=False)
        self.context = (
            layer(inputs=known, outputs=width, kernel=3, input_max=CONTEXT_MAX, rectified=False) if known else None
        )
        self.hidden = layer(inputs=width, outputs=width)
        self.head = layer(inputs=width, outputs=2 * coded, rectified=False)
        if not packed:
            with torch.no_grad():
                self.head.weight.mul_(0.2)
                self.head.bias[coded:] = 20 * INDEX_UNIT / 32

    def forward(self, features: Tensor, latents: Tensor | None) -> tuple[Tensor, Tensor]:
        """Features (N, F, h, w), companded latents (N, known, h, w) to two integer maps (N, coded, h, w)."""
        h = self.features(features)
        if self.context is not None and latents is not None:
            h = h + self.context(latents)
        h = self.hidden(torch.clamp(h, 0, 255))
        mean, index = self.head(h).chunk(2, dim=1)
        return mean, torch.clamp(index, 0, (SCALES - 1) * INDEX_UNIT)


def gaussian_tables() -> Tables:
    """The tables a network starts with: zero-mean Gaussians of the 64 widths, wide enough for six deviations."""
    frequency = []
    for index in range(SCALES):
        deviation = SCALE_LOW * math.exp(index * _LOG_STEP)
        half = max(2, math.ceil(6 * deviation))
        edges = [math.erf((k - 0.5) / deviation * _ROOT_HALF) for k in range(-half, half + 2)]
        frequency.append(frequencies(np.append(np.diff(edges) / 2, 1e-5)))
    return Tables(frequency)


def checkerboard(like: Tensor) -> Tensor:
    """(h, w) of 0 and 1, 0 in the upper left corner."""
    rows = torch.arange(like.shape[-2], device=like.device)[:, None]
    return (rows + torch.arange(like.shape[-1], device=like.device)) % 2


class _GaussianBits(torch.autograd.Function):
    """`gaussian_bits` in one step each way: a third of the training time went into its elementwise pieces."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, index: Tensor) -> Tensor:
        inverse = torch.exp(index * -_LOG_STEP) / SCALE_LOW
        upper = (value.abs() - 0.5) * inverse
        lower = upper + inverse
        chance = (0.5 * (torch.erfc(upper * _ROOT_HALF) - torch.erfc(lower * _ROOT_HALF))).clamp_min_(_RAREST)
        ctx.save_for_backward(value, inverse, upper, chance)
        return torch.log2(chance).neg_()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        value, inverse, upper, chance = ctx.saved_tensors
        lower = upper + inverse
        density_upper = torch.exp(-0.5 * upper.square())
        density_lower = torch.exp(-0.5 * lower.square())
        # Far out the densities underflow; their ratio to the chance tends to the slope of the tail.
        rare = chance <= _RAREST
        factor = gradients[0] / (chance * (math.log(2) * math.sqrt(2 * math.pi)))
        tail = gradients[0] * (upper / math.log(2))
        by_size = torch.where(rare, tail, factor * (density_upper - density_lower)) * inverse
        by_log_scale = torch.where(rare, -tail * upper, factor * (lower * density_lower - upper * density_upper))
        return by_size * value.sign(), by_log_scale * _LOG_STEP


def gaussian_bits(value: Tensor, index: Tensor) -> Tensor:
    """Bits of values whose unit interval has the chance of a zero-mean Gaussian of deviation `scale_of(index)`."""
    return _GaussianBits.apply(value, index)
