"""The codec's network: analysis, hyperprior, sliced context model and deconvolutional synthesis, for all rates at once.

Everything but the latents lives at one eighth of the resolution: the picture is cut into 8x8 blocks, worked on there, and comes back
through one deconvolution of kernel 16 and stride 8. Rates are set by learned gains (Cui et al. 2021, asymmetric gained VAE); the entropy
model is a hyperprior (Balle et al. 2018) with channel slices (Minnen and Singh 2020), the first of them in a checkerboard (He et al. 2021).
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from unpool.codec.integer import IntegerConv, round_half_up

UNIT = 16  # latents are integers in units of 1/16 quantiser step
SCALES = 64  # widths of the residual's distribution
SCALE_LOW, SCALE_HIGH = 0.11, 90.0
_LOG_STEP = math.log(SCALE_HIGH / SCALE_LOW) / (SCALES - 1)
_ROOT_HALF = math.sqrt(0.5)
_RAREST = 1e-7
INDEX_UNIT = 16  # the networks speak of a width's index in sixteenths
CONTEXT_MAX = 255
QUALITY_LOW, QUALITY_HIGH = 1.0, 100.0
LAMBDA_LOW, LAMBDA_HIGH = 0.0007, 0.15


def rate_weight(quality: Tensor) -> Tensor:
    """Lambda of `bits per pixel + lambda * squared error (0..255)` for a quality of 1 to 100, any shape."""
    place = (quality - QUALITY_LOW) / (QUALITY_HIGH - QUALITY_LOW)
    return LAMBDA_LOW * (LAMBDA_HIGH / LAMBDA_LOW) ** place


def scale_of(index: Tensor) -> Tensor:
    """The standard deviation (quantiser steps) that index 0..63 stands for."""
    return SCALE_LOW * torch.exp(index * _LOG_STEP)


def compand(latent: Tensor) -> Tensor:
    """Latents in sixteenths to context inputs within +-255: quarter steps up to 32 steps, whole steps beyond; integers in, integers out."""
    size = latent.abs()
    small = torch.floor(size / 4)
    large = torch.floor((size - 512) / 16).add_(128).clamp_(max=CONTEXT_MAX)
    return torch.where(size < 512, small, large) * latent.sign()


def _compand(latent: Tensor) -> Tensor:
    """`compand` with a straight-through gradient."""
    slope = torch.where(latent.abs() < 512, latent / 4, latent / 16)
    return slope + (compand(latent) - slope).detach()


class Residual(nn.Module):
    """x + 1x1(relu(3x3(x))): the block that two cores run fastest per multiplication (dense, channels-last)."""

    def __init__(self, *, channels: int, hidden: int | None = None) -> None:
        super().__init__()
        self.spread = nn.Conv2d(channels, hidden or channels, 3, padding=1)
        self.gather = nn.Conv2d(hidden or channels, channels, 1)
        nn.init.zeros_(self.gather.bias)
        with torch.no_grad():
            self.gather.weight.mul_(0.1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) to the same."""
        return x + self.gather(functional.relu(self.spread(x)))


class AnalysisTransform(nn.Module):
    """Picture (N, 3, 16 h, 16 w) in [0, 1] to latents (N, M, h, w) before gains."""

    def __init__(self, *, channels: int, latents: int, blocks: int, low_blocks: int) -> None:
        super().__init__()
        self.embed = nn.Conv2d(192, channels, 2)
        self.blocks = nn.Sequential(*(Residual(channels=channels) for _ in range(blocks)))
        self.down = nn.Conv2d(4 * channels, latents, 1)
        self.low = nn.Sequential(*(Residual(channels=latents, hidden=channels) for _ in range(low_blocks)))

    def forward(self, x: Tensor) -> Tensor:
        x = functional.pad(x - 0.5, (4, 4, 4, 4), mode="replicate")
        x = functional.pixel_unshuffle(x, 8).contiguous(memory_format=torch.channels_last)
        return self.low(self.down(functional.pixel_unshuffle(self.blocks(self.embed(x)), 2)))


class SynthesisTransform(nn.Module):
    """Latents (N, M, h, w) after inverse gains to a picture (N, 3, 16 h, 16 w), not yet clipped to [0, 1].

    Its last layer is a deconvolution of kernel 16 and stride 8, computed as a 2x2 convolution onto 8x8 blocks of pixels.
    """

    def __init__(self, *, channels: int, latents: int, blocks: int, low_blocks: int) -> None:
        super().__init__()
        self.low = nn.Sequential(*(Residual(channels=latents, hidden=channels) for _ in range(low_blocks)))
        self.up = nn.Conv2d(latents, 4 * channels, 1)
        self.blocks = nn.Sequential(*(Residual(channels=channels) for _ in range(blocks)))
        self.deconvolution = nn.Conv2d(channels, 192, 2, padding=1)

    def forward(self, y: Tensor) -> Tensor:
        h = functional.pixel_shuffle(self.up(self.low(y)), 2).contiguous(memory_format=torch.channels_last)
        blocks = functional.pixel_shuffle(self.deconvolution(self.blocks(h)), 8)
        return blocks[..., 4:-4, 4:-4] + 0.5


class HyperAnalysis(nn.Module):
    """Scaled latents (N, M, h, w) to hyper-latents (N, Z, h / 4, w / 4); h and w multiples of 4."""

    def __init__(self, *, latents: int, hyper: int, width: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(latents, width, 1)
        self.first = nn.Conv2d(width, width, 3, stride=2, padding=1)
        self.second = nn.Conv2d(width, hyper, 3, stride=2, padding=1)

    def forward(self, y: Tensor) -> Tensor:
        h = functional.relu(self.enter(torch.asinh(y)))
        return self.second(functional.relu(self.first(h)))


class HyperSynthesis(nn.Module):
    """Integer network: hyper-latents (N, Z, h / 4, w / 4) in whole steps to features (N, F, h, w) in 0..255."""

    def __init__(self, *, hyper: int, width: int, anchors: int) -> None:
        super().__init__()
        self.quality_bias = nn.Parameter(torch.zeros(anchors, width))  # in units of 32 integers
        self.enter = IntegerConv(inputs=hyper, outputs=width, kernel=3, input_max=16 * 64)
        self.first = IntegerConv(inputs=width, outputs=4 * width)
        self.middle = IntegerConv(inputs=width, outputs=width, kernel=3)
        self.second = IntegerConv(inputs=width, outputs=4 * width)

    def forward(self, z: Tensor, bias: Tensor) -> Tensor:
        """`bias` (N, F) are integers, from `Codec.quality_terms`."""
        h = self.enter(torch.clamp(z * 16, -1024, 1024), bias[:, :, None, None])
        h = self.middle(functional.pixel_shuffle(self.first(h), 2))
        return functional.pixel_shuffle(self.second(h), 2)


class ContextPass(nn.Module):
    """Integer network of one coding pass: features and the latents known so far to mean (sixteenths) and width index (sixteenths)."""

    def __init__(self, *, width: int, known: int, coded: int) -> None:
        super().__init__()
        self.known, self.coded = known, coded
        self.features = IntegerConv(inputs=width, outputs=width, rectified=False)
        self.context = (
            IntegerConv(inputs=known, outputs=width, kernel=3, input_max=CONTEXT_MAX, rectified=False) if known else None
        )
        self.hidden = IntegerConv(inputs=width, outputs=width)
        self.head = IntegerConv(inputs=width, outputs=2 * coded, rectified=False)
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


class Codec(nn.Module):
    """The whole network of the learned codec.

    Args:
        channels: width at one eighth of the resolution.
        slices: channels of each latent slice; the first is coded in two checkerboard passes, each other in one.
        hyper: channels of the hyper-latents (at 1/64).
        width: width of the hyperprior and context networks.
        analysis_blocks, synthesis_blocks: residual blocks at one eighth.
        low_blocks: residual blocks at one sixteenth, on each side.
        anchors: qualities for which gains are learned; between them they are interpolated.
    """

    def __init__(
        self,
        *,
        channels: int = 128,
        slices: tuple[int, ...] | list[int] = (32, 32, 64, 128),
        hyper: int = 64,
        width: int = 96,
        analysis_blocks: int = 2,
        synthesis_blocks: int = 3,
        low_blocks: int = 0,
        anchors: int = 8,
    ) -> None:
        super().__init__()
        self.slices = tuple(slices)
        self.latents, self.hyper, self.anchors = sum(slices), hyper, anchors
        sides = {"channels": channels, "latents": self.latents, "low_blocks": low_blocks}
        self.analysis = AnalysisTransform(blocks=analysis_blocks, **sides)
        self.synthesis = SynthesisTransform(blocks=synthesis_blocks, **sides)
        self.hyper_analysis = HyperAnalysis(latents=self.latents, hyper=hyper, width=width)
        self.hyper_synthesis = HyperSynthesis(hyper=hyper, width=width, anchors=anchors)
        self.passes = nn.ModuleList(
            ContextPass(width=width, known=known, coded=coded) for known, coded, _ in self.schedule()
        )
        steps = torch.sqrt(26 / rate_weight(torch.linspace(QUALITY_LOW, QUALITY_HIGH, anchors))) / 255
        self.log_gain = nn.Parameter(-torch.log(steps)[:, None].repeat(1, self.latents))
        self.log_inverse_gain = nn.Parameter(torch.log(steps)[:, None].repeat(1, self.latents))
        self.hyper_scale = nn.Parameter(torch.full((anchors, hyper), 1.5))  # width index / 16 / INDEX_UNIT

    def schedule(self) -> list[tuple[int, int, int | None]]:
        """(channels known before, channels coded, checkerboard parity or None) of each coding pass, in order."""
        first = self.slices[0]
        passes: list[tuple[int, int, int | None]] = [(0, first, 0), (first, first, 1)]
        known = first
        for coded in self.slices[1:]:
            passes.append((known, coded, None))
            known += coded
        return passes

    def interpolate(self, table: Tensor, quality: Tensor) -> Tensor:
        """Rows of a table (anchors, C) at qualities (N,): linear between neighbours, (N, C)."""
        place = (quality - QUALITY_LOW) / (QUALITY_HIGH - QUALITY_LOW) * (self.anchors - 1)
        below = place.floor().clamp(0, self.anchors - 2)
        part = (place - below)[:, None]
        row = below.long()
        return table[row] * (1 - part) + table[row + 1] * part

    def _sampled(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        """What the rate is measured on: noise instead of rounding while training, since rounding has no slope."""
        if not self.training:
            return torch.floor(x + 0.5)
        noise = torch.rand(x.shape, device=x.device, generator=generator) - 0.5
        return x + noise.to(x.dtype)

    def forward(self, picture: Tensor, quality: Tensor, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Rates and picture, differentiable: additive noise for the rates while training, rounding for the picture.

        Args:
            picture: (N, 3, 64 a, 64 b) in [0, 1].
            quality: (N,) in 1..100.
            generator: source of the noise.

        Returns:
            `picture` (N, 3, H, W), `latent_bits` and `hyper_bits` (N,).
        """
        gain = torch.exp(self.interpolate(self.log_gain, quality))[:, :, None, None]
        y = self.analysis(picture) * gain
        z = self.hyper_analysis(y)
        z_index = torch.clamp(self.interpolate(self.hyper_scale, quality) * 16, 0, SCALES - 1)
        z_bits = gaussian_bits(self._sampled(z, generator), z_index[:, :, None, None].expand_as(z))
        bias = round_half_up(self.interpolate(self.hyper_synthesis.quality_bias, quality) * 32)
        features = self.hyper_synthesis(round_half_up(z), bias)
        bits = torch.zeros_like(z_bits.sum((1, 2, 3)))
        board = checkerboard(y)
        parts = list(torch.split(y, self.slices, dim=1))
        rounded: list[Tensor] = []
        contexts: list[Tensor] = []
        for network, (known, _, parity) in zip(self.passes, self.schedule()):
            part = parts[0] if parity is not None else parts[len(rounded)]
            mean, index = network(features, torch.cat(contexts, dim=1) if known else None)
            mean = mean / UNIT
            rates = gaussian_bits(self._sampled(part - mean, generator), round_half_up(index / INDEX_UNIT))
            value = mean + round_half_up(part - mean)
            if parity is not None:
                here = (board == parity).to(y.dtype)
                rates, value = rates * here, value * here
            bits = bits + rates.sum((1, 2, 3))
            if parity == 1:
                value = value + rounded.pop()
                contexts.clear()
            rounded.append(value)
            contexts.append(_compand(value * UNIT))
        inverse = torch.exp(self.interpolate(self.log_inverse_gain, quality))[:, :, None, None]
        return {"picture": self.synthesis(torch.cat(rounded, dim=1) * inverse), "latent_bits": bits, "hyper_bits": z_bits.sum((1, 2, 3))}


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
    """Bits of values whose unit interval has a zero-mean Gaussian's probability of standard deviation `scale_of(index)`."""
    return _GaussianBits.apply(value, index)
