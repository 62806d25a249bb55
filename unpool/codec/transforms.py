"""Analysis, synthesis and hyper-analysis: the codec's networks whose arithmetic is free."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Residual(nn.Module):
    """x + 1x1(relu(3x3(x))): the block that two cores run fastest per multiplication (dense, channels-last)."""

    def __init__(self, *, channels: int, hidden: int | None = None) -> None:
        super().__init__()
        self.spread = nn.Conv2d(channels, hidden or channels, 3, padding=1)
        self.gather = nn.Conv2d(hidden or channels, channels, 1)
        with torch.no_grad():
            self.gather.weight.mul_(0.1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) to the same."""
        return x + self.gather(functional.relu(self.spread(x)))


class AnalysisTransform(nn.Module):
    """Picture (N, 3, 16 h, 16 w) in [0, 1] to latents (N, M, h, w) before gains."""

    def __init__(self, *, channels: int, latents: int, blocks: int, low_blocks: int) -> None:
        super().__init__()
        self.embed = nn.Conv2d(192, channels, 2)
        self.blocks = nn.Sequential(*(Residual(channels=channels) for _ in range(blocks)))
        self.down = nn.Conv2d(4 * channels, latents, 1)
        self.low = nn.Sequential(*(Residual(channels=latents, hidden=channels) for _ in range(low_blocks)))

    def forward(self, x: Tensor) -> Tensor:
        x = functional.pad(x - 0.5, (4, 4, 4, 4), mode="replicate")
        x = functional.pixel_unshuffle(x, 8).contiguous(memory_format=torch.channels_last)
        return self.low(self.down(functional.pixel_unshuffle(self.blocks(self.embed(x)), 2)))


class SynthesisTransform(nn.Module):
    """Latents (N, M, h, w) after inverse gains to a picture (N, 3, 16 h, 16 w), not yet clipped to [0, 1].

    Its last layer is a deconvolution of kernel 16 and stride 8, computed as a 2x2 convolution onto 8x8 blocks.
    """

    def __init__(self, *, channels: int, latents: int, blocks: int, low_blocks: int) -> None:
        super().__init__()
        self.low = nn.Sequential(*(Residual(channels=latents, hidden=channels) for _ in range(low_blocks)))
        self.up = nn.Conv2d(latents, 4 * channels, 1)
        self.blocks = nn.Sequential(*(Residual(channels=channels) for _ in range(blocks)))
        self.deconvolution = nn.Conv2d(channels, 192, 2, padding=1)

    def forward(self, y: Tensor) -> Tensor:
        h = functional.pixel_shuffle(self.up(self.low(y)), 2).contiguous(memory_format=torch.channels_last)
        blocks = functional.pixel_shuffle(self.deconvolution(self.blocks(h)), 8)
        return blocks[..., 4:-4, 4:-4] + 0.5


class HyperAnalysis(nn.Module):
    """Scaled latents (N, M, h, w) to hyper-latents (N, Z, h / 4, w / 4); h and w multiples of 4."""

    def __init__(self, *, latents: int, hyper: int, width: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(latents, width, 1)
        self.first = nn.Conv2d(width, width, 3, stride=2, padding=1)
        self.second = nn.Conv2d(width, hyper, 3, stride=2, padding=1)

    def forward(self, y: Tensor) -> Tensor:
        h = functional.relu(self.enter(torch.asinh(y)))
        return self.second(functional.relu(self.first(h)))
