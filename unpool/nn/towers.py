"""An encoder tower, and the decoder tower that mirrors it by the same stride table."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from unpool.nn.blocks import ACTIVATIONS, GAINS, Depthwise, RepConv, Residual
from unpool.nn.conv import conv
from unpool.nn.deconv import Upsample
from unpool.nn.normalisation import GDN

BLOCKS = ("residual", "depthwise", "rep")


def stage_sizes(size: Sequence[int], strides: Sequence[int]) -> list[tuple[int, ...]]:
    """The extents at each level of a tower, the picture's first: each is the one before over the stride, rounded up.

    >>> stage_sizes((28, 5), (2, 2, 2))
    [(28, 5), (14, 3), (7, 2), (4, 1)]
    """
    table = [tuple(size)]
    for stride in strides:
        table.append(tuple(-(-extent // stride) for extent in table[-1]))
    return table


class Encoder(nn.Module):
    """Convolutions that narrow a picture to features, (N, in, *size) -> (N, widths[-1], *small).

    One stage a stride: a convolution with that stride to that width, then `blocks` blocks. `small` is the last row of
    `stage_sizes(size, strides)`; any size from 1x1 goes in.

    widths, strides: one number a stage, from the picture inwards (a `Decoder` takes the same two tables).
    blocks: blocks a stage; one number, or one a stage.
    block: "residual", "depthwise" or "rep" (`RepConv` and activation).
    kernel: odd, of the convolutions; those that stride use at least stride + 1, so that no sample is skipped.
    activation: relu, leaky, silu, gelu, none. It precedes each strided convolution but the first.
    gdn: a GDN after each strided convolution but the last takes the activation's place there.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        widths: Sequence[int] = (32, 64, 128),
        strides: Sequence[int] = (2, 2, 2),
        blocks: int | Sequence[int] = 1,
        block: str = "residual",
        kernel: int = 3,
        activation: str = "relu",
        gdn: bool = False,
        dimensions: int = 2,
    ) -> None:
        super().__init__()
        counts = _check(widths, strides, blocks, block, activation)
        self.strides = tuple(strides)
        self.stages = nn.ModuleList()
        before = in_channels
        for level, (width, stride) in enumerate(zip(widths, strides)):
            first, last = level == 0, level == len(widths) - 1
            parts: list[nn.Module] = []
            if not first and not gdn:
                parts.append(ACTIVATIONS[activation]())
            down = max(kernel, stride + 1 - stride % 2)
            gain = 1.0 if first or gdn else GAINS[activation]
            shape: dict[str, Any] = {"kernel": down, "stride": stride, "gain": gain, "dimensions": dimensions}
            parts.append(conv(in_channels=before, out_channels=width, **shape))
            if gdn and not last:
                parts.append(GDN(channels=width))
            parts += [_block(block, width, kernel, activation, dimensions) for _ in range(counts[level])]
            self.stages.append(nn.Sequential(*parts))
            before = width

    def forward(self, x: Tensor) -> Tensor:
        """(N, in, *size) -> (N, widths[-1], *small)."""
        for stage in self.stages:
            x = stage(x)
        return x

    def features(self, x: Tensor) -> list[Tensor]:
        """(N, in, *size) -> the output of every stage, from the picture inwards."""
        outputs = []
        for stage in self.stages:
            x = stage(x)
            outputs.append(x)
        return outputs


class Decoder(nn.Module):
    """Deconvolutions that widen features to a picture, (N, widths[-1], *small) -> (N, out, *size): the mirror.

    Each stage, from the last width outwards: `blocks` blocks, activation, an `Upsample` of that stride. It takes the
    encoder's own tables, in the encoder's order.

    upsample: kind of `Upsample` ("deconv" cannot make checkerboards).
    up_kernel: its kernel; None is the kind's own default.
    gdn: an inverse GDN after each upsampling but the last takes the activation's place there.
    The other arguments are the encoder's.
    """

    def __init__(
        self,
        *,
        out_channels: int,
        widths: Sequence[int] = (32, 64, 128),
        strides: Sequence[int] = (2, 2, 2),
        blocks: int | Sequence[int] = 1,
        block: str = "residual",
        kernel: int = 3,
        activation: str = "relu",
        gdn: bool = False,
        upsample: str = "deconv",
        up_kernel: int | None = None,
        dimensions: int = 2,
    ) -> None:
        super().__init__()
        counts = _check(widths, strides, blocks, block, activation)
        self.strides = tuple(strides)
        self.stages = nn.ModuleList()
        for level in reversed(range(len(widths))):
            width, after = widths[level], widths[level - 1] if level else out_channels
            parts = [_block(block, width, kernel, activation, dimensions) for _ in range(counts[level])]
            if not gdn:
                parts.append(ACTIVATIONS[activation]())
            self.stages.append(nn.Sequential(*parts))
            self.stages.append(
                Upsample(
                    kind=upsample,
                    in_channels=width,
                    out_channels=after,
                    stride=strides[level],
                    kernel=up_kernel,
                    gain=1.0 if gdn else GAINS[activation],
                    dimensions=dimensions,
                )
            )
            if gdn and level:
                self.stages.append(GDN(channels=after, inverse=True))

    def forward(self, code: Tensor, size: Sequence[int] | None = None) -> Tensor:
        """(N, widths[-1], *small) -> (N, out, *size).

        size: the extent the picture had before the encoder; each stage is cut to the extent its twin was given.
        None is `small` times all strides. Raises ValueError if a picture of `size` has no code of this extent.
        """
        if size is None:
            targets: list[tuple[int, ...] | None] = [None] * len(self.strides)
        else:
            table = stage_sizes(size, self.strides)
            if tuple(code.shape[2:]) != table[-1]:
                raise ValueError(f"size {tuple(size)} has a code of {table[-1]}, not {tuple(code.shape[2:])}")
            targets = list(reversed(table[:-1]))
        for stage in self.stages:
            code = stage(code, targets.pop(0)) if isinstance(stage, Upsample) else stage(code)
        return code


def _check(
    widths: Sequence[int], strides: Sequence[int], blocks: int | Sequence[int], block: str, activation: str
) -> list[int]:
    if not widths or len(widths) != len(strides):
        raise ValueError(f"widths and strides are one number a stage each, not {len(widths)} and {len(strides)}")
    if block not in BLOCKS:
        raise ValueError(f"block must be one of {', '.join(BLOCKS)}, not {block!r}")
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, not {activation!r}")
    counts = [blocks] * len(widths) if isinstance(blocks, int) else list(blocks)
    if len(counts) != len(widths):
        raise ValueError(f"blocks is one number, or one a stage ({len(widths)}), not {len(counts)}")
    return counts


def _block(block: str, width: int, kernel: int, activation: str, dimensions: int) -> nn.Module:
    if block == "rep":
        rep = RepConv(in_channels=width, out_channels=width, kernel=kernel, gain=0.3, dimensions=dimensions)
        return nn.Sequential(ACTIVATIONS[activation](), rep)
    kind = Residual if block == "residual" else Depthwise
    return kind(channels=width, kernel=kernel, activation=activation, dimensions=dimensions)
