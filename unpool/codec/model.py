"""The codec's network: analysis, hyperprior, sliced context model and deconvolutional synthesis, for all rates at once.

Everything but the latents lives at one eighth of the resolution: the picture is cut into 8x8 blocks, worked on there,
and comes back through one deconvolution of kernel 16 and stride 8. Rates are set by learned gains (Cui et al. 2021,
asymmetric gained VAE); the entropy model is a hyperprior (Balle et al. 2018) with channel slices (Minnen and Singh
2020), the first of them in a checkerboard (He et al. 2021).
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from unpool.codec.entropy import (
    INDEX_UNIT,
    SCALES,
    UNIT,
    ContextPass,
    HyperSynthesis,
    checkerboard,
    compand_through,
    gaussian_bits,
    gaussian_tables,
)
from unpool.codec.integer import round_half_up
from unpool.codec.tables import Tables
from unpool.codec.transforms import AnalysisTransform, HyperAnalysis, SynthesisTransform

QUALITY_LOW, QUALITY_HIGH = 1.0, 100.0
LAMBDA_LOW, LAMBDA_HIGH = 0.0007, 0.15
_WIDEST, _DEEPEST = 1024, 16  # a weight file must not ask for all memory


def rate_weight(quality: Tensor) -> Tensor:
    """Lambda of `bits per pixel + lambda * squared error (0..255)` for a quality of 1 to 100, any shape."""
    place = (quality - QUALITY_LOW) / (QUALITY_HIGH - QUALITY_LOW)
    return LAMBDA_LOW * (LAMBDA_HIGH / LAMBDA_LOW) ** place


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
        packed: hold the integer networks as integers alone, as they ship; they cannot be trained then.
        look: have a second synthesis, `look`, that was trained for how pictures look (`unpool.codec.look`).
    """

    feed_forward = False  # its inference is a bitstream, not one pass
    table_frequencies: Tensor
    table_sizes: Tensor
    certain: Tensor

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
        packed: bool = False,
        look: bool = False,
    ) -> None:
        super().__init__()
        widths = (channels, sum(slices), hyper, width)
        depths = (len(slices), analysis_blocks, synthesis_blocks, low_blocks, anchors)
        if min(*widths, *slices, anchors - 1) < 1 or max(widths) > _WIDEST or max(depths) > _DEEPEST:
            raise ValueError(f"a codec has 1 to {_WIDEST} channels, at most {_DEEPEST} blocks, 2 to {_DEEPEST} anchors")
        self.slices = tuple(slices)
        self.latents, self.hyper, self.anchors = sum(slices), hyper, anchors
        sides = {"channels": channels, "latents": self.latents, "low_blocks": low_blocks}
        self.analysis = AnalysisTransform(blocks=analysis_blocks, **sides)
        self.synthesis = SynthesisTransform(blocks=synthesis_blocks, **sides)
        self.look = SynthesisTransform(blocks=synthesis_blocks, **sides) if look else None
        self.hyper_analysis = HyperAnalysis(latents=self.latents, hyper=hyper, width=width)
        self.hyper_synthesis = HyperSynthesis(hyper=hyper, width=width, anchors=anchors, packed=packed)
        self.passes = nn.ModuleList(
            ContextPass(width=width, known=known, coded=coded, packed=packed) for known, coded, _ in self.schedule()
        )
        steps = torch.sqrt(26 / rate_weight(torch.linspace(QUALITY_LOW, QUALITY_HIGH, anchors))) / 255
        self.log_gain = nn.Parameter(-torch.log(steps)[:, None].repeat(1, self.latents))
        self.log_inverse_gain = nn.Parameter(torch.log(steps)[:, None].repeat(1, self.latents))
        self.hyper_scale = nn.Parameter(torch.full((anchors, hyper), 1.5))  # width index / 16
        self._register_tables(gaussian_tables())

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

    def _register_tables(self, tables: Tables) -> None:
        self.register_buffer("table_frequencies", torch.from_numpy(np.concatenate(tables.frequency)).int())
        sizes = torch.tensor([len(one) for one in tables.frequency], dtype=torch.int32)
        self.register_buffer("table_sizes", sizes)
        self.register_buffer("certain", torch.tensor(tables.certain, dtype=torch.int32))

    def tables(self) -> Tables:
        """The tables of the entropy coder, one a width, that travel with the weights."""
        sizes = self.table_sizes.cpu().numpy()
        parts = np.split(self.table_frequencies.cpu().numpy().astype(np.int64), np.cumsum(sizes)[:-1])
        return Tables(parts, int(self.certain))

    def set_tables(self, tables: Tables) -> None:
        """Replace the tables; each keeps its size."""
        if [len(one) for one in tables.frequency] != self.table_sizes.tolist():
            raise ValueError("the tables' sizes are part of the network and cannot change")
        self._register_tables(tables)

    def quality_terms(self, tenths: int) -> tuple[Tensor, Tensor]:
        """What the integer networks know of the quality, in integers alone.

        Args:
            tenths: ten times the quality, 10..1000.

        Returns:
            Bias (1, F) of the hyper-synthesis, and width index (Z,) of the hyper-latents, both float32.
        """
        span = 10 * int(QUALITY_HIGH - QUALITY_LOW)
        row, part = divmod((tenths - 10) * (self.anchors - 1), span)
        if row == self.anchors - 1:
            row, part = row - 1, span

        def between(table: Tensor) -> Tensor:
            whole = torch.floor(table.detach().double() + 0.5).long()
            return torch.div(whole[row] * (span - part) + whole[row + 1] * part, span, rounding_mode="floor")

        bias = between(self.hyper_synthesis.quality_bias * 32)
        index = (between(self.hyper_scale * 16 * INDEX_UNIT) + INDEX_UNIT // 2) // INDEX_UNIT
        return bias[None].float(), index.clamp(0, SCALES - 1).float()

    def gains(self, tenths: int) -> tuple[Tensor, Tensor]:
        """Gain and inverse gain (M, 1, 1) for ten times a quality."""
        quality = torch.tensor([tenths / 10], device=self.log_gain.device)
        tables = self.log_gain, self.log_inverse_gain
        first, second = (torch.exp(self.interpolate(table, quality))[0, :, None, None] for table in tables)
        return first, second

    def _sampled(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        """What the rate is measured on: with a generator or in training noise, since rounding has no slope."""
        if not self.training and generator is None:
            return torch.floor(x + 0.5)
        noise = torch.rand(x.shape, device=x.device, generator=generator) - 0.5
        return x + noise.to(x.dtype)

    def forward(self, picture: Tensor, quality: Tensor, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Rates and picture, differentiable: additive noise for the rates while training, rounding for the picture.

        Args:
            picture: (N, 3, 64 a, 64 b) in [0, 1].
            quality: (N,) in 1..100.
            generator: source of the noise; in eval mode and without one, rates are those of rounded latents.

        Returns:
            `picture` (N, 3, H, W), `latents` that it was made from, `latent_bits` and `hyper_bits` (N,).
        """
        gain = torch.exp(self.interpolate(self.log_gain, quality))[:, :, None, None]
        return self.code(self.analysis(picture) * gain, quality, generator)

    def code(
        self,
        y: Tensor,
        quality: Tensor,
        generator: torch.Generator | None = None,
        quantise: Callable[[Tensor], Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """`forward` from latents (N, M, 4 a, 4 b) that have their gains: hyperprior, coding passes, synthesis.

        quantise: stands for rounding, in rates and values alike, instead of the noise and the rounding of `forward`.
        """

        def quantised(x: Tensor) -> tuple[Tensor, Tensor]:
            """What the rate is measured on, and what the decoder will see."""
            if quantise is None:
                return self._sampled(x, generator), round_half_up(x)
            return (value := quantise(x)), value

        z, z_seen = quantised(self.hyper_analysis(y))
        z_index = torch.clamp(self.interpolate(self.hyper_scale, quality) * 16, 0, SCALES - 1)
        z_bits = gaussian_bits(z, z_index[:, :, None, None].expand_as(z))
        bias = round_half_up(self.interpolate(self.hyper_synthesis.quality_bias, quality) * 32)
        features = self.hyper_synthesis(z_seen, bias)
        bits = torch.zeros_like(z_bits.sum((1, 2, 3)))
        board = checkerboard(y)
        parts = list(torch.split(y, list(self.slices), dim=1))
        rounded: list[Tensor] = []
        contexts: list[Tensor] = []
        for network, (known, _, parity) in zip(self.passes, self.schedule()):
            part = parts[0] if parity is not None else parts[len(rounded)]
            mean, index = network(features, torch.cat(contexts, dim=1) if known else None)
            mean = mean / UNIT
            rated, seen = quantised(part - mean)
            rates, value = gaussian_bits(rated, round_half_up(index / INDEX_UNIT)), mean + seen
            if parity is not None:
                here = (board == parity).to(y.dtype)
                rates, value = rates * here, value * here
            bits = bits + rates.sum((1, 2, 3))
            if parity == 1:
                value = value + rounded.pop()
                contexts.clear()
            rounded.append(value)
            contexts.append(compand_through(value * UNIT))
        inverse = torch.exp(self.interpolate(self.log_inverse_gain, quality))[:, :, None, None]
        latents = torch.cat(rounded, dim=1) * inverse
        return {
            "picture": self.synthesis(latents),
            "latents": latents,
            "latent_bits": bits,
            "hyper_bits": z_bits.sum((1, 2, 3)),
        }
