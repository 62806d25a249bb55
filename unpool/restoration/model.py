"""The restorer: a small deconvolutional network that works at low resolution and goes up once."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unpool.nn.blocks import RepConv
from unpool.nn.conv import conv
from unpool.nn.deconv import Deconv, Upsample

# Bicubic shrinking by two (Keys 1981, a = -1/2, widened against aliasing): the weights of eight neighbouring samples.
_HALVING = tuple(weight / 256 for weight in (-3, -9, 29, 111, 111, 29, -9, -3))


class Block(nn.Module):
    """x + branch(x), (N, C, h, w) -> (N, C, h, w): two 3x3 convolutions with a leaky rectifier between them.

    reparameterised: the convolutions have several branches while they train, and are one convolution each at run time.
    """

    def __init__(self, *, channels: int, reparameterised: bool) -> None:
        super().__init__()
        if reparameterised:
            self.first: nn.Module = RepConv(in_channels=channels, out_channels=channels, identity=False, gain=1.4)
            self.second: nn.Module = RepConv(in_channels=channels, out_channels=channels, identity=False, gain=0.1)
        else:
            self.first = conv(in_channels=channels, out_channels=channels, gain=1.4)
            self.second = conv(in_channels=channels, out_channels=channels, gain=0.1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) -> (N, C, h, w)."""
        return x + self.second(F.leaky_relu_(self.first(x), 0.1))


class Restorer(nn.Module):
    """(N, 3, H, W) in [0, 1] -> (N, 3, scale * H, scale * W), not clipped.

    A convolution in (of stride `down`), residual blocks of 3x3 convolutions, one deconvolution up to the output's size;
    the result is added to the input, enlarged bicubically where `scale` is above 1. The last layer begins at zero, so
    an untrained restorer gives its input back.

    scale: output pixels per input pixel along each side. down: the blocks work at 1/down of the input's resolution.
    channels: of every block. blocks: how many. upsampler: a kind of `unpool.nn.deconv.Upsample`, with
    this kernel (None is its own).
    reparameterised: train several branches per convolution (see `Block`).

    >>> Restorer(scale=4, channels=16, blocks=1)(torch.zeros(1, 3, 5, 7)).shape
    torch.Size([1, 3, 20, 28])
    """

    def __init__(
        self,
        *,
        scale: int = 1,
        down: int = 1,
        channels: int = 48,
        blocks: int = 6,
        upsampler: str = "deconv",
        kernel: int | None = None,
        reparameterised: bool = False,
    ) -> None:
        super().__init__()
        if min(scale, down, channels, blocks) < 1:
            raise ValueError("scale, down, channels and blocks must be at least 1")
        self.scale, self.down = scale, down
        first = 3 if down == 1 else 2 * down
        self.head = conv(
            in_channels=3, out_channels=channels, kernel=first, stride=down, padding=(first - down + 1) // 2
        )
        self.body = nn.Sequential(*[Block(channels=channels, reparameterised=reparameterised) for _ in range(blocks)])
        self.up = Upsample(
            kind=upsampler, in_channels=channels, out_channels=3, stride=scale * down, kernel=kernel, gain=0.0
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] -> (N, 3, scale * H, scale * W)."""
        height, width = x.shape[-2:]
        inside = F.pad(x, (0, -width % self.down, 0, -height % self.down), mode="replicate")
        features = self.head(inside)
        detail = self.up(self.body(features) + features, (self.scale * height, self.scale * width))
        if self.scale > 1:
            x = F.interpolate(x.float(), scale_factor=float(self.scale), mode="bicubic", align_corners=False)
        return x + detail


def begin_as_identity(block: nn.Module) -> None:
    """Let a block, before it has learned anything, give its input back: its last convolution is zero."""
    for parameter in block.get_submodule("second").parameters():
        nn.init.zeros_(parameter)


@torch.no_grad()
def begin_as_half(restorer: Restorer, trained: Restorer) -> None:
    """Let a restorer with the body of `trained`, which enlarges twice as much, begin with the latter's answer, shrunk.

    Deconvolving with stride 4 and shrinking by two is deconvolving with stride 2 and a kernel made of both. With
    kernels of 8 on either side it fits exactly; with others, or other scales, nothing is done.
    """
    half, whole = restorer.up.operation, trained.up.operation
    if not (isinstance(half, Deconv) and isinstance(whole, Deconv)):
        return
    if (half.stride, whole.stride, half.kernel, whole.kernel) != (2, 4, 8, 8):
        return
    taps = torch.arange(-3, 5)
    shrink = torch.tensor(_HALVING)
    # Row a of the new kernel gathers the old one's rows tap + 2 (a - 3) + 2: the two kernels' first rows are 3 and 2
    # output pixels before an input pixel's own place.
    rows = taps[None] + 2 * (torch.arange(8)[:, None] - 3) + 2
    inside = (rows >= 0) & (rows < 8)
    gather = torch.zeros(8, 8).scatter_add_(1, rows.clamp(0, 7), shrink * inside)
    half.weight.copy_(torch.einsum("ai,bj,nmij->nmab", gather, gather, whole.projected()))
    assert half.bias is not None
    assert whole.bias is not None
    half.bias.copy_(whole.bias)
