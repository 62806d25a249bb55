"""The transforms run tile by tile with margins as wide as they can see, so that no border of a tile shows."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from unpool.codec.entropy import UNIT
from unpool.codec.model import Codec
from unpool.codec.transforms import AnalysisTransform, SynthesisTransform

STRIDE = 16  # pixels a latent
Box = tuple[int, int, int, int]  # top, left, height, width


def margin(transform: AnalysisTransform | SynthesisTransform) -> int:
    """How many latents away a transform's output still depends on its input."""
    return len(transform.low) + -(-(len(transform.blocks) + 1) // 2)


def latent_size(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of latents of a picture or tile."""
    return -(-height // STRIDE), -(-width // STRIDE)


@torch.inference_mode()
def analyse(codec: Codec, pixels: Callable[[Box], Tensor], size: tuple[int, int], box: Box) -> Tensor:
    """Latents (M, h, w) before gains of a tile.

    Args:
        codec: in eval mode.
        pixels: gives (1, 3, h, w) in [0, 1] of a box inside the picture.
        size: (height, width) of the picture.
        box: the tile, its corner at multiples of 16.
    """
    around = margin(codec.analysis) * STRIDE
    top, left, height, width = box
    first_row, first_column = max(0, top - around), max(0, left - around)
    last_row, last_column = min(size[0], top + height + around), min(size[1], left + width + around)
    x = pixels((first_row, first_column, last_row - first_row, last_column - first_column))
    device = codec.log_gain.device
    x = functional.pad(x.to(device), (0, -x.shape[3] % STRIDE, 0, -x.shape[2] % STRIDE), mode="replicate")
    y = codec.analysis(x)[0]
    rows, columns = latent_size(height, width)
    row, column = (top - first_row) // STRIDE, (left - first_column) // STRIDE
    return y[:, row : row + rows, column : column + columns]


@torch.inference_mode()
def synthesise(
    codec: Codec, latents: Callable[[Box], Tensor], size: tuple[int, int], box: Box, tenths: int, look: bool = False
) -> Tensor:
    """The pixels (3, height, width) of a tile, not yet clipped.

    Args:
        codec: in eval mode.
        latents: gives int16 (M, h, w) in sixteenths of a box of latents inside the picture.
        size: (height, width) of the picture.
        box: the tile, its corner at multiples of 16.
        tenths: ten times the quality.
        look: by the second synthesis, which must be there.
    """
    synthesis = codec.look if look and codec.look is not None else codec.synthesis
    around = margin(synthesis)
    top, left, height, width = box
    rows, columns = latent_size(*size)
    row, column = top // STRIDE, left // STRIDE
    tall, wide = latent_size(height, width)
    first_row, first_column = max(0, row - around), max(0, column - around)
    last_row, last_column = min(rows, row + tall + around), min(columns, column + wide + around)
    values = latents((first_row, first_column, last_row - first_row, last_column - first_column))
    inverse = codec.gains(tenths)[1] / UNIT
    y = values.to(inverse.device).float() * inverse
    x = synthesis(y[None])[0]
    down, right = (row - first_row) * STRIDE, (column - first_column) * STRIDE
    return x[:, down : down + height, right : right + width]
