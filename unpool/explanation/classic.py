"""`classic/deconvnet`: convolution and pooling inverted layer by layer with the same filters, and how it is trained."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from unpool.images.metrics import psnr_rgb
from unpool.nn.conv import adjoint, conv
from unpool.nn.pooling import max_pool, unpool
from unpool.train.data.fashion import FashionSamples
from unpool.train.task import Loss, Options, Task

Trail = list[tuple[tuple[int, ...], Tensor, tuple[int, ...]]]


class DeconvNet(nn.Module):
    """Stages of convolution (3x3), ReLU and 2x2 max pooling, and the way back (Zeiler and Fergus 2014).

    The way back of a stage unpools by the switches of the way there, rectifies, and applies the transpose of the same
    filters. Pooling keeps a quarter of the samples, so the way back is not an inverse; with filters trained for it, it
    reconstructs as well as these filters can.

    ceil: pooling keeps an odd last row or column as windows of their own.
    """

    def __init__(
        self, *, in_channels: int = 1, channels: tuple[int, ...] = (32,), padding: int = 1, ceil: bool = False
    ) -> None:
        super().__init__()
        self.ceil = ceil
        self.convolutions = nn.ModuleList(
            conv(in_channels=before, out_channels=after, padding=padding, gain=0.4)
            for before, after in zip((in_channels, *channels), channels)
        )

    @classmethod
    def of(cls, network: nn.Module) -> "DeconvNet":
        """The same, on the convolutions of a network that is made of such stages; its filters are shared, not copied.

        Args:
            network: its `Conv2d` layers, in their order, each followed by a rectifier and 2x2 max pooling.
        """
        convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
        if not convolutions:
            raise ValueError(f"{type(network).__name__} has no convolution to invert")
        ceil = any(module.ceil_mode for module in network.modules() if isinstance(module, nn.MaxPool2d))
        made = cls(in_channels=convolutions[0].in_channels, channels=(), ceil=ceil)
        made.convolutions = nn.ModuleList(convolutions)
        return made

    def encode(self, picture: Tensor, stages: int | None = None) -> tuple[Tensor, Trail]:
        """(N, in, H, W) -> pooled activations of the last of `stages`, and what the way back needs."""
        trail: Trail = []
        for convolution in self._stages(stages):
            activation = convolution(picture).relu()
            values, switches = max_pool(activation, 2, ceil_mode=self.ceil)
            trail.append((tuple(picture.shape[2:]), switches, tuple(activation.shape[2:])))
            picture = values
        return picture, trail

    def decode(self, values: Tensor, trail: Trail) -> Tensor:
        """Pooled activations and their trail -> (N, in, H, W)."""
        for convolution, (size, switches, pooled) in zip(reversed(self._stages(len(trail))), reversed(trail)):
            values = adjoint(convolution, unpool(values, switches, pooled, "add").relu(), size=size)
        return values

    def project(self, picture: Tensor, stage: int, channel: int) -> Tensor:
        """The strongest activation of a channel, alone, taken back to pixels: (N, in, H, W) -> (N, in, H, W).

        Args:
            stage: counted from 1.
            channel: which feature map of that stage.
        """
        values, trail = self.encode(picture, stage)
        if not 0 <= channel < values.shape[1]:
            raise ValueError(f"stage {stage} has channels 0 to {values.shape[1] - 1}, not {channel}")
        chosen = values[:, channel].flatten(1)
        only = torch.zeros_like(values)
        only[:, channel].flatten(1).scatter_(1, chosen.argmax(1, keepdim=True), chosen.amax(1, keepdim=True))
        return self.decode(only, trail)

    def example_inputs(self) -> tuple[Tensor, ...]:
        """A picture of the right shape."""
        return (torch.rand(1, self._stages(1)[0].in_channels, 28, 28, generator=torch.Generator().manual_seed(0)),)

    def forward(self, picture: Tensor) -> Tensor:
        """(N, in, H, W) -> what all activations together give back, the same shape."""
        return self.decode(*self.encode(picture))

    def _stages(self, stages: int | None) -> list[Any]:
        if stages is not None and not 1 <= stages <= len(self.convolutions):
            raise ValueError(f"there are stages 1 to {len(self.convolutions)}, not {stages}")
        return list(self.convolutions)[:stages]


class DeconvNetOptions(Options):
    """Channels of each stage."""

    channels: tuple[int, ...] = (32,)


class TrainDeconvNet(Task):
    """Train the filters so that the way back, with the same filters, gives the picture again."""

    Options: ClassVar[type[Options]] = DeconvNetOptions
    input_range: ClassVar = {"picture": (0.0, 1.0)}

    def __init__(self, options: DeconvNetOptions, data: Path | None = None) -> None:
        super().__init__(options, data)
        self.networks = {"network": DeconvNet(channels=options.channels)}
        self.optimisers = {"network": ["network"]}
        self.held_out = FashionSamples("validation", data)

    def dataset(self) -> FashionSamples:
        """The 55,000 training pictures of Fashion-MNIST."""
        return FashionSamples("train", self.data)

    def losses(self, batch: dict[str, Tensor], step: int, generator: torch.Generator) -> Iterator[Loss]:
        """The mean squared error."""
        picture = batch["picture"]
        yield Loss("network", (self.networks["network"](picture) - picture).square().mean())

    def evaluate(self) -> dict[str, float]:
        """Reconstruction of the 5,000 validation pictures."""
        picture = torch.from_numpy(self.held_out.batch(0, 5000)).to(self.device)
        again = torch.cat([self.networks["network"](piece) for piece in picture.split(500)]).clamp(0, 1)
        error = float((again - picture).square().mean())
        self.figures = {"mse": error, "psnr_grey": float(psnr_rgb(again, picture).mean())}
        return self.figures

    def samples(self) -> dict[str, Tensor]:
        """Validation pictures over their reconstructions."""
        picture = torch.from_numpy(self.held_out.batch(0, 8))
        again = self.networks["network"](picture.to(self.device)).cpu().clamp(0, 1)
        return {"pictures": torch.cat([picture, again], 2)}

    def record(self) -> dict[str, Any]:
        """Names and licences for the weight file."""
        return {
            "network": "unpool.explanation.classic:DeconvNet",
            "config": {"channels": list(self.options.channels)},
            "headline": f"{self.figures['psnr_grey']:.2f} dB through pooling and back with the same filters",
        }
