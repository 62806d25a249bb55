"""Blocks of convolutions: residual, depthwise, re-parameterisable."""

import copy
import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unpool.nn.conv import CONV, CONVOLVE, AnyConv, check_dimensions, conv
from unpool.nn.deconv import Deconv

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky": lambda: nn.LeakyReLU(0.2),
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "none": nn.Identity,
}

# Standard deviation that a layer before the activation needs so that variance neither grows nor fades.
GAINS = {"relu": math.sqrt(2), "leaky": math.sqrt(2 / 1.04), "silu": 1.6, "gelu": 1.5, "none": 1.0}


class Residual(nn.Module):
    """x + branch(x), (N, C, *size) -> (N, C, *size); the branch is activation, conv, activation, conv.

    The last convolution begins at zero, so a tower of any depth begins as the identity and needs no normalisation
    (Zhang, Dauphin and Ma 2019, "Fixup").

    expand: channels of the middle are expand * channels.
    groups: of both convolutions.
    """

    def __init__(
        self,
        *,
        channels: int,
        kernel: int = 3,
        expand: float = 1.0,
        groups: int = 1,
        activation: str = "relu",
        dimensions: int = 2,
    ) -> None:
        super().__init__()
        middle = round(expand * channels)
        rest: dict[str, Any] = {"kernel": kernel, "groups": groups, "dimensions": dimensions}
        self.branch = nn.Sequential(
            ACTIVATIONS[activation](),
            conv(in_channels=channels, out_channels=middle, gain=GAINS[activation], **rest),
            ACTIVATIONS[activation](),
            conv(in_channels=middle, out_channels=channels, gain=0, **rest),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, *size) -> (N, C, *size)."""
        return x + self.branch(x)


class Depthwise(nn.Module):
    """x + branch(x), (N, C, *size) -> (N, C, *size): depthwise conv, then 1x1 to expand * C, activation, 1x1 back to C.

    The inverted bottleneck with its depthwise convolution first (Liu et al. 2022); the last convolution begins at zero.
    """

    def __init__(
        self,
        *,
        channels: int,
        kernel: int = 5,
        expand: float = 2.0,
        activation: str = "relu",
        dimensions: int = 2,
    ) -> None:
        super().__init__()
        middle = round(expand * channels)
        self.branch = nn.Sequential(
            conv(in_channels=channels, out_channels=channels, kernel=kernel, groups=channels, dimensions=dimensions),
            conv(in_channels=channels, out_channels=middle, kernel=1, gain=GAINS[activation], dimensions=dimensions),
            ACTIVATIONS[activation](),
            conv(in_channels=middle, out_channels=channels, kernel=1, gain=0, dimensions=dimensions),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, *size) -> (N, C, *size)."""
        return x + self.branch(x)


class RepConv(nn.Module):
    """A convolution trained as a sum of branches, (N, in, *size) -> (N, out, *ceil(size / stride)).

    Branches: the kernel itself; a 1x1; a 1x1 to expand * out channels followed by a kernel (Zhang et al. 2021, "ECB");
    and the identity where shapes allow it. All are linear, so their sum is one convolution (Ding et al. 2021,
    "RepVGG"), and it is computed as one in training too: the branches are merged into one kernel, through which
    gradients flow back to each. `fuse()` gives that convolution as a plain one.

    kernel: odd. identity: None is "where in = out and stride = 1".
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        kernel: int = 3,
        stride: int = 1,
        expand: float = 1.0,
        identity: bool | None = None,
        gain: float = 1.0,
        dimensions: int = 2,
    ) -> None:
        super().__init__()
        check_dimensions(dimensions)
        if kernel % 2 == 0:
            raise ValueError(f"a re-parameterisable convolution has an odd kernel, not {kernel}")
        fits = in_channels == out_channels and stride == 1
        if identity and not fits:
            raise ValueError("an identity branch needs as many output as input channels, and stride 1")
        self.identity = fits if identity is None else identity
        self.kernel, self.stride, self.dimensions, self.channels = kernel, stride, dimensions, out_channels
        middle = round(expand * out_channels)
        share = gain / math.sqrt(3)
        size, point = [kernel] * dimensions, [1] * dimensions
        self.shape = (out_channels, in_channels, *size)  # plain numbers, which tracing needs
        self.weight = nn.Parameter(torch.empty(self.shape))
        self.point = nn.Parameter(torch.empty(out_channels, in_channels, *point))
        self.widen = nn.Parameter(torch.empty(middle, in_channels))
        self.narrow = nn.Parameter(torch.empty(out_channels, middle, *size))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        for weight, std in ((self.weight, share), (self.point, share), (self.widen, 1.0), (self.narrow, share)):
            nn.init.normal_(weight, std=std / math.sqrt(math.prod(weight.shape[1:])))

    def merged(self) -> Tensor:
        """The one kernel that all branches make together, (out, in, *kernel)."""
        chained = (self.narrow.flatten(2).transpose(1, 2) @ self.widen).transpose(1, 2)
        centre: Tensor = self.point
        if self.identity:
            eye = torch.eye(self.channels, dtype=centre.dtype, device=centre.device)
            centre = centre + eye.view(self.channels, self.channels, *[1] * self.dimensions)
        centre = F.pad(centre, (self.kernel // 2,) * 2 * self.dimensions)
        return (self.weight.flatten(2) + chained + centre.flatten(2)).view(self.shape)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in, *size) -> (N, out, *ceil(size / stride))."""
        return CONVOLVE[self.dimensions](x, self.merged(), self.bias, self.stride, self.kernel // 2)

    def fuse(self) -> AnyConv:
        """The same function as one plain convolution."""
        weight = self.merged().detach()
        plain: Any = CONV[self.dimensions](
            weight.shape[1],
            weight.shape[0],
            self.kernel,
            stride=self.stride,
            padding=self.kernel // 2,
            device=weight.device,
            dtype=weight.dtype,
        )
        with torch.no_grad():
            plain.weight.copy_(weight)
            plain.bias.copy_(self.bias)
        return plain


def fuse(network: nn.Module) -> nn.Module:
    """A copy of a network for run time: each `RepConv` and `Deconv` is replaced by its `fuse()`.

    Computes the same function (to rounding); the original is left alone.
    """
    if isinstance(network, RepConv | Deconv):
        return network.fuse()
    twin = copy.deepcopy(network)
    for path, part in list(twin.named_modules()):
        if isinstance(part, RepConv | Deconv):
            parent, _, name = path.rpartition(".")
            setattr(twin.get_submodule(parent), name, part.fuse())
    return twin
