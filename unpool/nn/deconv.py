"""Four ways to enlarge under one interface, one of which cannot make checkerboards."""

import math
from collections.abc import Sequence
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unpool.nn.conv import TRANSPOSE, check_dimensions, conv

KINDS = ("deconv", "deconv-plain", "resize", "shuffle")


class Upsample(nn.Module):
    """Enlarge by a whole factor: (N, in, *size) -> (N, out, *(stride * size)), in one or two dimensions.

    kind:
      "deconv"        `Deconv`: transposed convolution whose polyphase kernels have equal sums; no checkerboard whatever
                      the weights
      "deconv-plain"  `PlainDeconv`: the ordinary transposed convolution
      "resize"        `ResizeConv`: nearest neighbour, then a convolution (Odena et al. 2016)
      "shuffle"       `ShuffleConv`: a convolution to stride^d times the channels, then pixel shuffle (Shi et al. 2016)
    kernel: None is 2 * stride for the deconvolutions (3 at stride 1) and 3 for the other two.
    gain: standard deviation of the output for an input of unit variance, before training.

    >>> Upsample(kind="deconv", in_channels=8, out_channels=4)(torch.zeros(1, 8, 3, 5), size=(5, 9)).shape
    torch.Size([1, 4, 5, 9])
    """

    def __init__(
        self,
        *,
        kind: str = "deconv",
        in_channels: int,
        out_channels: int,
        stride: int = 2,
        kernel: int | None = None,
        bias: bool = True,
        dimensions: int = 2,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        classes = dict(zip(KINDS, (Deconv, PlainDeconv, ResizeConv, ShuffleConv)))
        if kind not in classes:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
        self.kind, self.stride = kind, stride
        self.operation = classes[kind](
            in_channels=in_channels,
            out_channels=out_channels,
            stride=stride,
            kernel=kernel,
            bias=bias,
            dimensions=dimensions,
            gain=gain,
        )

    def forward(self, x: Tensor, size: Sequence[int] | None = None) -> Tensor:
        """(N, in, *s) -> (N, out, *(stride * s)), cut at its far end to `size` where one is given."""
        return self.operation(x, size)


def cut(x: Tensor, size: Sequence[int] | None) -> Tensor:
    """(N, C, *s) -> (N, C, *size): rows and columns past `size` are left off. Raises ValueError if s is smaller."""
    if size is None:
        return x
    for axis, wanted in enumerate(size, start=2):
        if x.shape[axis] < wanted:
            raise ValueError(f"size {tuple(size)} is larger than the {tuple(x.shape[2:])} made")
        if x.shape[axis] > wanted:
            x = x.narrow(axis, 0, wanted)
    return x


class PlainDeconv(nn.Module):
    """The ordinary transposed convolution, (N, in, *s) -> (N, out, *(stride * s)); kernel of at least `stride`.

    Unless its weights happen to allow it, a constant picture comes out with a pattern of period `stride`, and the
    pixels near the border are darker: they are reached by fewer taps.
    """

    bias: nn.Parameter | None

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        stride: int = 2,
        kernel: int | None = None,
        bias: bool = True,
        dimensions: int = 2,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        check_dimensions(dimensions)
        self.kernel = kernel or (2 * stride if stride > 1 else 3)
        if self.kernel < stride:
            raise ValueError(f"a kernel of {self.kernel} leaves holes at stride {stride}: it must be at least as large")
        self.stride, self.dimensions = stride, dimensions
        self.shape = (in_channels, out_channels, *[self.kernel] * dimensions)  # plain numbers, which tracing needs
        self.weight = nn.Parameter(torch.empty(self.shape))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        taps = (self.kernel / stride) ** dimensions  # the taps that reach one output pixel, on average
        nn.init.normal_(self.weight, std=gain / math.sqrt(in_channels * taps))

    def forward(self, x: Tensor, size: Sequence[int] | None = None) -> Tensor:
        """(N, in, *s) -> (N, out, *(stride * s)), cut at its far end to `size`."""
        return self._transpose(x, self.weight, before=0, after=0, size=size)

    def _transpose(self, x: Tensor, weight: Tensor, *, before: int, after: int, size: Sequence[int] | None) -> Tensor:
        # The input has been extended by `before` and `after` samples: what they alone reach is cut from the output.
        low = (self.kernel - self.stride + 1) // 2 + self.stride * before
        high = self.kernel - self.stride - (self.kernel - self.stride + 1) // 2 + self.stride * after
        inner = min(low, high)
        wanted = [self.stride * (n - before - after) for n in x.shape[2:]]
        y = TRANSPOSE[self.dimensions](x, weight, self.bias, stride=self.stride, padding=inner)
        if low > inner:
            for axis in range(2, 2 + self.dimensions):
                y = y.narrow(axis, low - inner, y.shape[axis] - low + inner)
        return cut(y, wanted if size is None else size)


class Deconv(PlainDeconv):
    """A transposed convolution that cannot make checkerboards, (N, in, *s) -> (N, out, *(stride * s)).

    At stride s a transposed convolution is s^d convolutions (its polyphase kernels), one for each output position
    modulo s. A picture of period s appears wherever their sums differ, and a kernel divisible by the stride does not
    make them equal. Here the free parameter `weight` is projected, orthogonally, on the kernels whose polyphase sums
    are equal for each pair of channels; nothing else is restricted. So a constant input gives a constant output
    whatever the weights.

    Border rule: the input is extended by its own border samples (replicate), as far as the kernel reaches, so the
    statement holds up to the border.

    `projected()` is the kernel that is applied; `fuse()` gives a module with the projection worked out.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        stride: int = 2,
        kernel: int | None = None,
        bias: bool = True,
        dimensions: int = 2,
        gain: float = 1.0,
    ) -> None:
        super().__init__(
            in_channels=in_channels,
            out_channels=out_channels,
            stride=stride,
            kernel=kernel,
            bias=bias,
            dimensions=dimensions,
            gain=gain,
        )
        self.register_buffer("projection", equal_sums(self.kernel, stride, dimensions), persistent=False)
        self.projection: Tensor
        # The projection takes stride^d - 1 of kernel^d directions: what is left carries the whole variance.
        kept = 1 - (stride**dimensions - 1) / self.kernel**dimensions
        nn.init.normal_(self.weight, std=gain / math.sqrt(in_channels * (self.kernel / stride) ** dimensions * kept))
        low = (self.kernel - stride + 1) // 2
        self.before, self.after = (self.kernel - 1 - low) // stride, (low + stride - 1) // stride

    def projected(self) -> Tensor:
        """The kernel that is applied, (in, out, *kernel)."""
        return (self.weight.flatten(2) @ self.projection).view(self.shape)

    def forward(self, x: Tensor, size: Sequence[int] | None = None) -> Tensor:
        """(N, in, *s) -> (N, out, *(stride * s)), cut at its far end to `size`."""
        return self._extended(x, self.projected(), size)

    def fuse(self) -> "FusedDeconv":
        """The same function with the projection worked out: a little faster, exactly equal, not for training on."""
        return FusedDeconv(self)

    def _extended(self, x: Tensor, weight: Tensor, size: Sequence[int] | None) -> Tensor:
        if self.before or self.after:
            x = F.pad(x, (self.before, self.after) * self.dimensions, mode="replicate")
        return self._transpose(x, weight, before=self.before, after=self.after, size=size)


class FusedDeconv(Deconv):
    """`Deconv` at run time: its kernel is stored already projected. Made by `Deconv.fuse()`."""

    def __init__(self, of: Deconv) -> None:
        super().__init__(
            in_channels=of.weight.shape[0],
            out_channels=of.weight.shape[1],
            stride=of.stride,
            kernel=of.kernel,
            bias=of.bias is not None,
            dimensions=of.dimensions,
        )
        self.weight = nn.Parameter(of.projected().detach().clone())
        if of.bias is not None:
            self.bias = nn.Parameter(of.bias.detach().clone())
        self.to(of.weight.device)

    def projected(self) -> Tensor:
        """The stored kernel itself."""
        return self.weight


def equal_sums(kernel: int, stride: int, dimensions: int) -> Tensor:
    """The orthogonal projection on kernels of equal polyphase sums, as float32 (kernel^d, kernel^d), for flat kernels.

    Tap i of an axis belongs to phase i mod stride. Each tap gives up its phase's surplus over the mean phase sum,
    spread evenly over the phase's taps.
    """
    phase = torch.tensor(
        [
            sum((i % stride) * stride**axis for axis, i in enumerate(tap))
            for tap in product(range(kernel), repeat=dimensions)
        ]
    )
    member = F.one_hot(phase, stride**dimensions).double()  # (taps, phases)
    # Constraint: the phase sums, centred. The projection takes away its row space.
    constraint = member - member.mean(1, keepdim=True)
    return (torch.eye(len(phase), dtype=torch.double) - constraint @ torch.linalg.pinv(constraint)).float()


class ResizeConv(nn.Module):
    """Nearest neighbour, then a convolution over the replicated border: (N, in, *s) -> (N, out, *(stride * s))."""

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        stride: int = 2,
        kernel: int | None = None,
        bias: bool = True,
        dimensions: int = 2,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.dimensions = kernel or 3, stride, dimensions
        self.conv = conv(
            in_channels=in_channels,
            out_channels=out_channels,
            kernel=self.kernel,
            padding=0,
            bias=bias,
            dimensions=dimensions,
            gain=gain,
        )

    def forward(self, x: Tensor, size: Sequence[int] | None = None) -> Tensor:
        """(N, in, *s) -> (N, out, *(stride * s)), cut at its far end to `size`."""
        if self.stride > 1:
            x = F.interpolate(x, scale_factor=float(self.stride), mode="nearest")
        pad = (self.kernel // 2, (self.kernel - 1) // 2) * self.dimensions
        return cut(self.conv(F.pad(x, pad, mode="replicate")), size)


class ShuffleConv(nn.Module):
    """A convolution to stride^d times the channels, then pixel shuffle: (N, in, *s) -> (N, out, *(stride * s)).

    It begins without checkerboards (every phase has the same weights: Aitken et al. 2017); nothing keeps it there.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        stride: int = 2,
        kernel: int | None = None,
        bias: bool = True,
        dimensions: int = 2,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.dimensions = kernel or 3, stride, dimensions
        phases = stride**dimensions
        self.conv = conv(
            in_channels=in_channels,
            out_channels=out_channels * phases,
            kernel=self.kernel,
            padding=0,
            bias=bias,
            dimensions=dimensions,
            gain=gain,
        )
        with torch.no_grad():
            self.conv.weight.copy_(self.conv.weight[::phases].repeat_interleave(phases, 0))

    def forward(self, x: Tensor, size: Sequence[int] | None = None) -> Tensor:
        """(N, in, *s) -> (N, out, *(stride * s)), cut at its far end to `size`."""
        pad = (self.kernel // 2, (self.kernel - 1) // 2) * self.dimensions
        y = self.conv(F.pad(x, pad, mode="replicate"))
        if self.dimensions == 2:
            return cut(F.pixel_shuffle(y, self.stride), size)
        n, channels, length = y.shape
        y = y.view(n, channels // self.stride, self.stride, length).transpose(2, 3)
        return cut(y.reshape(n, channels // self.stride, length * self.stride), size)
