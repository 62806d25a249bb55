"""A start that already compresses: the network's linear path set to the principal components of photographs.

With the residual branches still small, the codec then begins as a block transform coder (Karhunen and Loeve) instead
of as noise, which saves the first hour of training on a processor.
"""

import torch
from torch import Tensor

from unpool.codec.model import Codec


def _components(vectors: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Leading principal axes (count, D) of rows (N, D), about zero, and their standard deviations (count,)."""
    values, axes = torch.linalg.eigh(vectors.T @ vectors / len(vectors))
    order = torch.argsort(values, descending=True)[:count]
    return axes[:, order].T.contiguous(), values[order].clamp_min(1e-12).sqrt()


@torch.no_grad()
def start_from_components(codec: Codec, patches: Tensor) -> None:
    """Set the linear layers of both transforms from patches (N, 3, 16, 16) in [0, 1]."""
    blocks = torch.nn.functional.pixel_unshuffle(patches.double() - 0.5, 8)  # (N, 192, 2, 2)
    channels = codec.analysis.embed.out_channels
    axes, deviation = _components(blocks.permute(0, 2, 3, 1).reshape(-1, 192), channels)
    tame = deviation.rsqrt() / 4  # brings the channels' sizes nearer to each other inside the network
    inner = torch.einsum("cd,ndij->ncij", axes, blocks)
    stacked = torch.nn.functional.pixel_unshuffle(inner, 2).flatten(1)  # (N, 4 C): channel, then position
    low_axes, _ = _components(stacked, codec.latents)
    tame_low = tame.repeat_interleave(4)
    # An 8x8 block lies in the middle of four blocks that are shifted by half a block.
    embed = axes * tame[:, None]
    back = axes / tame[:, None]
    for layer in (codec.analysis.embed, codec.synthesis.deconvolution, codec.analysis.down, codec.synthesis.up):
        for parameter in layer.parameters():
            parameter.zero_()
    for row in range(2):
        for column in range(2):
            quarter = _quarter(row, column)
            opposite = _quarter(1 - row, 1 - column)
            codec.analysis.embed.weight[:, quarter, row, column] = embed[:, opposite].float()
            codec.synthesis.deconvolution.weight[opposite, :, row, column] = back[:, quarter].T.float()
    codec.analysis.down.weight.copy_((low_axes / tame_low)[..., None, None].float())
    codec.synthesis.up.weight.copy_((low_axes * tame_low).T[..., None, None].float())


def _quarter(row: int, column: int) -> list[int]:
    """Channels of `pixel_unshuffle(8)` that hold the quarter of a shifted block towards which the middle block lies.

    A shifted block up and left of the middle (0, 0) covers the middle block with its lower right quarter.
    """
    rows = range(4, 8) if row == 0 else range(4)
    columns = range(4, 8) if column == 0 else range(4)
    return [colour * 64 + r * 8 + c for colour in range(3) for r in rows for c in columns]
