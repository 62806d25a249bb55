"""Latents to bytes and back: the walk through hyper-latents and coding passes that encoder and decoder share."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from unpool.codec.entropy import INDEX_UNIT, UNIT, checkerboard, compand
from unpool.codec.model import Codec
from unpool.codec.tables import Decoder, Encoder, Tables

LATENT_MAX = 32767
HYPER_MAX = 64
HYPER_STRIDE = 4

# Given means in sixteenths (n,) int32 and tables' indices (n,) uint8 of the next symbols, their values (n,) int32.
# `where` (n,) are the flat places of the symbols in the latents; None for hyper-latents.
Code = Callable[[np.ndarray | None, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Trade:
    """How the encoder chooses symbols: with `weight` > 0 a cheaper neighbour of the nearest value may be taken.

    weight: bits that one squared quantiser step of error is worth.
    """

    weight: float = 0.0


class LatentCoder:
    """Codes the latents of a tile with a codec's entropy model.

    Args:
        codec: in eval mode.
    """

    def __init__(self, codec: Codec) -> None:
        self.codec = codec

    @cached_property
    def tables(self) -> Tables:
        """The tables that travel with the codec's weights."""
        return self.codec.tables()

    def encode(self, y: Tensor, tenths: int, trade: Trade | None = None) -> tuple[bytes, Tensor]:
        """Scaled latents (M, h, w) to a stream, and what the decoder will see: int16 (M, h, w) in sixteenths."""
        encoder, tables = Encoder(), self.tables
        wanted = y.detach().cpu().float().numpy().reshape(-1)
        hyper = self.hyper(y)
        weight = trade.weight if trade else 0.0

        def code(where: np.ndarray | None, mean: np.ndarray, index: np.ndarray) -> np.ndarray:
            if where is None:
                values = np.where(index < tables.certain, 0, hyper)
            else:
                values = choose(wanted[where] - mean / np.float32(UNIT), index, tables, weight)
            encoder.put(values, index, tables)
            return values

        latents = self.walk((y.shape[1], y.shape[2]), tenths, code)
        return encoder.finish(), latents

    def decode(self, stream: bytes, size: tuple[int, int], tenths: int) -> Tensor:
        """The latents int16 (M, h, w) in sixteenths of a stream; any stream gives some, or a BitstreamError."""
        decoder, tables = Decoder(stream), self.tables
        latents = self.walk(size, tenths, lambda _where, _mean, index: decoder.get(index, tables))
        decoder.finish()
        return latents

    @torch.inference_mode()
    def walk(self, size: tuple[int, int], tenths: int, code: Code) -> Tensor:
        """Go through the symbols of a tile of `size` latents in coding order; returns the latents as `decode` does."""
        with torch.autocast(self.codec.log_gain.device.type, enabled=False):
            return self._walk(size, tenths, code)

    def _walk(self, size: tuple[int, int], tenths: int, code: Code) -> Tensor:
        codec, (height, width) = self.codec, size
        device = codec.log_gain.device
        low = -(-height // HYPER_STRIDE), -(-width // HYPER_STRIDE)
        bias, hyper_index = codec.quality_terms(tenths)
        index = np.repeat(hyper_index.cpu().numpy().astype(np.uint8), low[0] * low[1])
        z = torch.from_numpy(code(None, np.zeros(len(index), np.int32), index)).float().view(1, codec.hyper, *low)
        features = codec.hyper_synthesis(z.to(device), bias.to(device))[..., :height, :width].contiguous()
        board = checkerboard(features).cpu().numpy().reshape(-1)
        latents = np.zeros((codec.latents, height * width), np.int16)
        contexts: list[Tensor] = []
        start = 0
        for network, (known, coded, parity) in zip(codec.passes, codec.schedule()):
            mean, widths = network(features, torch.cat(contexts, dim=1) if known else None)
            means = mean[0].cpu().numpy().astype(np.int32).reshape(coded, -1)
            indices = torch.floor((widths[0] + INDEX_UNIT // 2) / INDEX_UNIT).to(torch.uint8).cpu().numpy()
            indices = indices.reshape(coded, -1)
            where = np.arange(start * height * width, (start + coded) * height * width).reshape(coded, -1)
            here = slice(None) if parity is None else np.flatnonzero(board == parity)
            mean_here = means[:, here].reshape(-1)
            values = code(where[:, here].reshape(-1), mean_here, indices[:, here].reshape(-1))
            known_now = np.clip(mean_here + values * UNIT, -LATENT_MAX, LATENT_MAX).astype(np.int16)
            latents[start : start + coded, here] = known_now.reshape(coded, -1)
            if parity == 1:
                contexts.clear()
            slice_now = torch.from_numpy(latents[start : start + coded].astype(np.float32))
            contexts.append(compand(slice_now.view(1, coded, height, width).to(device)))
            if parity != 0:
                start += coded
        return torch.from_numpy(latents).view(-1, height, width)

    @torch.inference_mode()
    def hyper(self, y: Tensor) -> np.ndarray:
        """The hyper-latents that the encoder chooses: flat int32."""
        height, width = y.shape[1:]
        wide = functional.pad(y[None], (0, -width % HYPER_STRIDE, 0, -height % HYPER_STRIDE), mode="replicate")
        z = torch.floor(self.codec.hyper_analysis(wide) + 0.5).clamp(-HYPER_MAX, HYPER_MAX)
        return z.cpu().numpy().astype(np.int32).reshape(-1)


def choose(offset: np.ndarray, index: np.ndarray, tables: Tables, weight: float) -> np.ndarray:
    """Symbols for offsets (n,) from the mean: the nearest integers, or where `weight` says so the one nearer to zero.

    weight: bits that one squared step of error is worth; 0 rounds.
    """
    limit = LATENT_MAX // UNIT * 2
    nearest = np.clip(np.floor(offset + np.float32(0.5)), -limit, limit).astype(np.int32)
    if weight > 0:
        busy = np.flatnonzero(nearest)
        value, distance, row = nearest[busy], offset[busy], index[busy]
        widest = tables.bits.shape[1] // 2
        best, best_cost = value, _cost(value, distance, row, tables, widest, weight)
        for other in (value - np.sign(value), np.zeros_like(value)):
            cost = _cost(other, distance, row, tables, widest, weight)
            better = cost < best_cost
            best, best_cost = np.where(better, other, best), np.where(better, cost, best_cost)
        nearest[busy] = best
    nearest[index < tables.certain] = 0
    return nearest


def _cost(
    value: np.ndarray, offset: np.ndarray, row: np.ndarray, tables: Tables, widest: int, weight: float
) -> np.ndarray:
    bits = tables.bits[row, np.clip(value, -widest, widest) + widest]
    return bits + weight * np.square(offset - value)
