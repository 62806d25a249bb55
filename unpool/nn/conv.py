"""Convolutions, and their exact adjoints sharing the same weight."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CONV: dict[int, type[nn.Conv1d] | type[nn.Conv2d]] = {1: nn.Conv1d, 2: nn.Conv2d}
CONVOLVE: dict[int, Callable[..., Tensor]] = {1: F.conv1d, 2: F.conv2d}
TRANSPOSE: dict[int, Callable[..., Tensor]] = {1: F.conv_transpose1d, 2: F.conv_transpose2d}

AnyConv = nn.Conv1d | nn.Conv2d


def conv(
    *,
    in_channels: int,
    out_channels: int,
    kernel: int = 3,
    stride: int = 1,
    padding: int | None = None,
    groups: int = 1,
    bias: bool = True,
    dimensions: int = 2,
    gain: float = 1.0,
) -> AnyConv:
    """A convolution in one or two dimensions, (N, in, *size) -> (N, out, *ceil(size / stride)) for an odd kernel.

    padding: zeros on each side; None is kernel // 2.
    gain: standard deviation of the output for an input of unit variance (before training). sqrt(2) suits a rectifier
    behind it (He et al. 2015), 0 makes a branch that begins as nothing. The bias begins at zero.
    """
    check_dimensions(dimensions)
    made: Any = CONV[dimensions](
        in_channels,
        out_channels,
        kernel,
        stride=stride,
        padding=kernel // 2 if padding is None else padding,
        groups=groups,
        bias=bias,
    )
    initialise(made, gain=gain)
    return made


@torch.no_grad()
def initialise(convolution: AnyConv, *, gain: float = 1.0) -> None:
    """Normal weights with standard deviation gain / sqrt(fan in), zero bias; in place."""
    weight = convolution.weight
    fan_in = math.prod(weight.shape[1:])
    weight.normal_(std=gain / math.sqrt(fan_in)) if gain else weight.zero_()
    if convolution.bias is not None:
        convolution.bias.zero_()


def check_dimensions(dimensions: int) -> None:
    """Raises ValueError unless dimensions is 1 or 2."""
    if dimensions not in CONV:
        raise ValueError(f"dimensions must be 1 or 2, not {dimensions}")


class Adjoint(nn.Module):
    """The exact adjoint of a convolution, on the convolution's own weight: <conv(x), y> = <x, adjoint(y)>.

    It is the transpose (not the inverse) of the convolution without its bias; nothing is copied, so training or moving
    the convolution trains or moves the adjoint. The convolution is not registered as a child: its parameters stay
    its own and appear once in a state dict.

    of: any Conv1d or Conv2d with zero padding (stride, dilation, groups, padding="same" and "valid" included).
    bias: also learn a bias of its own, one a channel of its output (the convolution's input).

    >>> down = conv(in_channels=3, out_channels=8, stride=2)
    >>> up = Adjoint(down)
    >>> up(down(torch.ones(1, 3, 7, 5)), size=(7, 5)).shape
    torch.Size([1, 3, 7, 5])
    """

    of: AnyConv
    bias: nn.Parameter | None

    def __init__(self, of: AnyConv, *, bias: bool = False) -> None:
        super().__init__()
        if not isinstance(of, nn.Conv1d | nn.Conv2d):
            raise ValueError(f"an adjoint needs a Conv1d or Conv2d, not {type(of).__name__}")
        if of.padding_mode != "zeros":
            raise ValueError(f"the adjoint of padding_mode={of.padding_mode!r} is not offered, only of zero padding")
        self.__dict__["of"] = of
        self.bias = nn.Parameter(torch.zeros(of.in_channels)) if bias else None

    def forward(self, y: Tensor, size: Sequence[int] | None = None) -> Tensor:
        """(N, out, *small) -> (N, in, *size), `out` and `in` being the convolution's.

        size: the size of the picture the convolution was given, since several sizes may give the same `small`; None
        is the smallest of them.
        """
        return adjoint(self.of, y, size=size, bias=self.bias)


def adjoint(of: AnyConv, y: Tensor, *, size: Sequence[int] | None = None, bias: Tensor | None = None) -> Tensor:
    """What `Adjoint` computes, as a function: (N, out, *small) -> (N, in, *size)."""
    low, extra = [], []
    for axis, small in enumerate(y.shape[2:]):
        reach = of.dilation[axis] * (of.kernel_size[axis] - 1)
        before, after = _padding(of, axis, reach)
        least = max((small - 1) * of.stride[axis] + reach + 1 - before - after, 1)
        wanted = least if size is None else size[axis]
        # An extent of 1 that padding alone covers may lie below the formula's least size.
        if not small == (wanted + before + after - reach - 1) // of.stride[axis] + 1:
            raise ValueError(f"a convolution of size {wanted} does not give size {small} along axis {axis}")
        low.append(before)
        extra.append(wanted - ((small - 1) * of.stride[axis] + reach + 1 - 2 * before))
    transpose = TRANSPOSE[y.dim() - 2]
    arguments: dict[str, Any] = {"stride": of.stride, "groups": of.groups, "dilation": of.dilation}
    if all(0 <= e < max(s, d) for e, s, d in zip(extra, of.stride, of.dilation)):
        return transpose(y, of.weight, bias, padding=tuple(low), output_padding=tuple(extra), **arguments)
    # Uneven padding on the two sides (padding="same" under an even kernel): everything, then cut.
    whole = transpose(y, of.weight, bias, **arguments)
    for axis, (before, more) in enumerate(zip(low, extra), start=2):
        whole = whole.narrow(axis, before, whole.shape[axis] - 2 * before + more)
    return whole


def _padding(of: AnyConv, axis: int, reach: int) -> tuple[int, int]:
    if of.padding == "valid":
        return 0, 0
    if of.padding == "same":
        return reach // 2, reach - reach // 2
    return int(of.padding[axis]), int(of.padding[axis])
