"""A picture in pieces: a network runs tile by tile, and the result equals one run over the whole picture.

Each tile is read with a margin of at least the network's receptive field, which is measured, and the margin's result
is cut away, never blended. A tile that touches the picture's border ends there, so that the network pads a true border
itself and never a tile's.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

Function = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Span:
    """One stretch of an axis: read `[start, stop)`, keep `[first, last)`, all in input pixels."""

    start: int
    stop: int
    first: int
    last: int


def spans(length: int, tile: int, margin: int, multiple: int = 1) -> list[Span]:
    """Cut an axis into stretches of `tile` kept pixels; inner cuts are multiples of `multiple`."""
    if min(length, tile, multiple) < 1 or margin < 0:
        raise ValueError("length, tile and multiple must be positive, and margin not negative")
    step = -(-tile // multiple) * multiple
    around = -(-margin // multiple) * multiple
    return [
        Span(max(0, first - around), min(length, first + step + around), first, min(length, first + step))
        for first in range(0, length, step)
    ]


def tiled(
    function: Function,
    picture: Tensor,
    *,
    scale: int = 1,
    tile: int | tuple[int, int],
    margin: int,
    multiple: int = 1,
) -> Tensor:
    """Run `function` over a picture in tiles, as if over the whole.

    Args:
        function: maps (N, C, h, w) to (N, D, h * scale, w * scale).
        picture: (N, C, H, W).
        scale: how many output pixels an input pixel becomes, along each side.
        tile: kept pixels per tile and side, or (rows, columns), rounded up to `multiple`.
        margin: pixels read around a tile, at least `receptive_field(...)` of the function.
        multiple: the network's total stride; offsets are multiples of it.
    """
    height, width = picture.shape[-2:]
    tall, wide = tile if isinstance(tile, tuple) else (tile, tile)
    columns = spans(width, wide, margin, multiple)
    rows = [
        torch.cat([*_row(function, picture, vertical, columns, scale)], -1)
        for vertical in spans(height, tall, margin, multiple)
    ]
    return torch.cat(rows, -2)


def _row(function: Function, picture: Tensor, rows: Span, columns: list[Span], scale: int) -> Iterator[Tensor]:
    for across in columns:
        piece = picture[..., rows.start : rows.stop, across.start : across.stop]
        result = function(piece)
        if result.shape[-2:] != (piece.shape[-2] * scale, piece.shape[-1] * scale):
            raise ValueError(
                f"a tile of {tuple(piece.shape[-2:])} became {tuple(result.shape[-2:])}: not {scale} times its size"
            )
        yield result[
            ...,
            (rows.first - rows.start) * scale : (rows.last - rows.start) * scale,
            (across.first - across.start) * scale : (across.last - across.start) * scale,
        ]


@torch.inference_mode()
def receptive_field(function: Function, channels: int, *, scale: int = 1, multiple: int = 1, limit: int = 512) -> int:
    """How many input pixels away, at most, a pixel still changes the output: the margin that tiles need.

    Measured: one pixel is made not-a-number, and what it reaches is not-a-number too, whatever the weights are. All
    phases of a network of total stride `multiple` are tried.

    Raises:
        ValueError: when one pixel changes the whole picture (a global operation: attention over everything, global
            pooling, normalisation by the picture's own statistics), or when the network hides not-a-number.
    """
    side = max(64, 8 * multiple)
    side += -side % multiple
    while side <= limit:
        reach = [_reach(function, channels, side, side // 2 + phase, scale) for phase in range(multiple)]
        if max(reach) < side // 2 - multiple:
            return max(reach)
        side *= 2
    raise ValueError(
        f"one pixel changes output pixels more than {limit // 2} pixels away: the network has a global operation "
        "(or a very wide view), so it cannot run in tiles; run it on whole pictures"
    )


def _reach(function: Function, channels: int, side: int, at: int, scale: int) -> int:
    probe = torch.rand(1, channels, side, side, generator=torch.Generator().manual_seed(0))
    probe[..., at, at] = torch.nan
    touched = torch.nonzero(function(probe).isnan().any(1)[0])
    if not len(touched):
        raise ValueError("the network hides not-a-number, so its view cannot be measured: give the margin yourself")
    return int((torch.div(touched, scale, rounding_mode="floor") - at).abs().max())
