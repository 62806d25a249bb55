"""Max pooling that returns its switches, and unpooling that puts each value back where its maximum came from."""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Extent = int | Sequence[int]

_POOL: dict[int, Any] = {3: F.max_pool1d, 4: F.max_pool2d}


def max_pool(
    x: Tensor,
    kernel: Extent,
    stride: Extent | None = None,
    padding: Extent = 0,
    dilation: Extent = 1,
    ceil_mode: bool = False,
) -> tuple[Tensor, Tensor]:
    """Maxima of each window and where they stood: (N, C, *size) -> values and switches, both (N, C, *small).

    The arguments are torch's. switches: int64, the flat index into `size` of each window's maximum (row * width +
    column in two dimensions; padding is never chosen; among equal values the first in reading order is).

    >>> max_pool(torch.tensor([[[1.0, 3.0, 2.0]]]), 2, ceil_mode=True)
    (tensor([[[3., 2.]]]), tensor([[[1, 2]]]))
    """
    if x.dim() not in _POOL:
        raise ValueError(f"max_pool takes (N, C, length) or (N, C, height, width), not {tuple(x.shape)}")
    return _POOL[x.dim()](
        x, kernel, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode, return_indices=True
    )


def unpool(values: Tensor, switches: Tensor, size: Sequence[int], rule: str = "overwrite") -> Tensor:
    """Each value at its switch, zero elsewhere: (N, C, *small) -> (N, C, *size).

    size: the extent of what was pooled (odd rows, padding and overlap make it impossible to guess).
    rule: what happens where overlapping windows chose the same sample. Without overlap the two are equal.
      "overwrite"  the last window in reading order wins (as torch's `max_unpool2d` does when it runs in one thread;
                   here always). `unpool(*max_pool(x))` is then x at the switches.
      "add"        the values are summed. It is the adjoint of pooling at fixed switches, and what autograd does.

    >>> unpool(torch.tensor([[[3.0, 2.0]]]), torch.tensor([[[1, 2]]]), size=(3,))
    tensor([[[0., 3., 2.]]])
    """
    if values.shape != switches.shape:
        raise ValueError(f"values {tuple(values.shape)} and switches {tuple(switches.shape)} differ in shape")
    if len(size) != values.dim() - 2:
        raise ValueError(f"size needs {values.dim() - 2} numbers, not {len(size)}")
    flat, places = values.flatten(2), switches.flatten(2)
    shape = (*values.shape[:2], math.prod(size))
    if rule == "add":
        placed = flat.new_zeros(shape).scatter_add(2, places, flat)
    elif rule == "overwrite":
        order = torch.arange(flat.shape[2], device=values.device).expand_as(places)
        winner = places.new_full(shape, -1).scatter_reduce(2, places, order, "amax")
        placed = torch.where(winner >= 0, flat.gather(2, winner.clamp(min=0)), 0)
    else:
        raise ValueError(f"rule must be 'add' or 'overwrite', not {rule!r}")
    return placed.view(*values.shape[:2], *size)


class MaxPool(nn.Module):
    """`max_pool` as a module: (N, C, *size) -> values and switches, both (N, C, *small)."""

    def __init__(
        self,
        *,
        kernel: int,
        stride: int | None = None,
        padding: int = 0,
        dilation: int = 1,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.padding, self.dilation = kernel, stride, padding, dilation
        self.ceil_mode = ceil_mode

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C, *size) -> values (N, C, *small), switches (N, C, *small) int64."""
        return max_pool(x, self.kernel, self.stride, self.padding, self.dilation, self.ceil_mode)


class Unpool(nn.Module):
    """`unpool` as a module: values and switches (N, C, *small) -> (N, C, *size)."""

    def __init__(self, *, rule: str = "overwrite") -> None:
        super().__init__()
        if rule not in ("add", "overwrite"):
            raise ValueError(f"rule must be 'add' or 'overwrite', not {rule!r}")
        self.rule = rule

    def forward(self, values: Tensor, switches: Tensor, size: Sequence[int]) -> Tensor:
        """Values and switches (N, C, *small) -> (N, C, *size)."""
        return unpool(values, switches, size, self.rule)
