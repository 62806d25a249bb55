"""The documents' two autoencoders, `classic/dense-autoencoder` and `classic/conv-deconv`, and how they are trained."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from unpool.images.metrics import psnr_rgb
from unpool.nn.conv import conv
from unpool.nn.deconv import PlainDeconv
from unpool.train.data.fashion import FashionSamples
from unpool.train.data.photos import crop, photos
from unpool.train.task import Loss, Options, Task


class DenseAutoencoder(nn.Module):
    """Dense layers down to a code and back: pixels-128-64-32 and 32-64-128-pixels, ReLU between, sigmoid at the end."""

    def __init__(self, *, side: int = 28, widths: tuple[int, ...] = (128, 64, 32)) -> None:
        super().__init__()
        self.side = side
        sizes = [side * side, *widths]
        self.encoder = _dense(sizes)
        self.decoder = _dense(sizes[::-1])

    def encode(self, picture: Tensor) -> Tensor:
        """(N, 1, side, side) in [0, 1] -> code (N, widths[-1])."""
        return self.encoder(picture.flatten(1))

    def decode(self, code: Tensor) -> Tensor:
        """Code (N, widths[-1]) -> (N, 1, side, side) in [0, 1]."""
        return self.decoder(code).sigmoid().view(-1, 1, self.side, self.side)

    def example_inputs(self) -> tuple[Tensor, ...]:
        """A picture of the right shape."""
        return (torch.rand(1, 1, self.side, self.side, generator=torch.Generator().manual_seed(0)),)

    def forward(self, picture: Tensor) -> Tensor:
        """(N, 1, side, side) -> its reconstruction, the same shape."""
        return self.decode(self.encode(picture))


def _dense(sizes: list[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class ConvDeconv(nn.Module):
    """One 3x3 convolution, a rectifier, and one 3x3 transposed convolution back to the picture."""

    def __init__(self, *, in_channels: int = 3, channels: int = 64) -> None:
        super().__init__()
        self.conv = conv(in_channels=in_channels, out_channels=channels, gain=2**0.5)
        self.deconv = PlainDeconv(in_channels=channels, out_channels=in_channels, stride=1, kernel=3)

    def encode(self, picture: Tensor) -> Tensor:
        """(N, in, H, W) in [0, 1] -> features (N, channels, H, W): no smaller, so this code compresses nothing."""
        return self.conv(picture).relu()

    def decode(self, features: Tensor) -> Tensor:
        """Features (N, channels, H, W) -> (N, in, H, W)."""
        return self.deconv(features)

    def forward(self, picture: Tensor) -> Tensor:
        """(N, in, H, W) -> its reconstruction, the same shape."""
        return self.decode(self.encode(picture))


class _Reconstruct(Task):
    """What the two share: one network, trained on the mean squared error of its reconstruction."""

    def losses(self, batch: dict[str, Tensor], step: int, generator: torch.Generator) -> Iterator[Loss]:
        """The mean squared error."""
        picture = batch["picture"]
        yield Loss("network", (self.networks["network"](picture) - picture).square().mean())

    def _figures(self, pictures: list[Tensor], unit: str) -> dict[str, float]:
        """Mean squared error and mean PSNR over pictures (1, C, H, W) or batches of them."""
        errors, decibels = [], []
        for picture in pictures:
            again = self.networks["network"](picture.to(self.device)).clamp(0, 1).cpu()
            errors.append((again - picture).square().flatten(1).mean(1))
            decibels.append(psnr_rgb(again, picture))
        self.figures = {"mse": float(torch.cat(errors).mean()), f"psnr_{unit}": float(torch.cat(decibels).mean())}
        return self.figures


class DenseOptions(Options):
    """The widths of the layers, the last of which is the code."""

    widths: tuple[int, ...] = (128, 64, 32)


class TrainDense(_Reconstruct):
    """Train a `DenseAutoencoder` on Fashion-MNIST."""

    Options: ClassVar[type[Options]] = DenseOptions
    input_range: ClassVar = {"picture": (0.0, 1.0)}

    def __init__(self, options: DenseOptions, data: Path | None = None) -> None:
        super().__init__(options, data)
        self.networks = {"network": DenseAutoencoder(widths=options.widths)}
        self.optimisers = {"network": ["network"]}
        self.held_out = FashionSamples("validation", data)

    def dataset(self) -> FashionSamples:
        """The 55,000 training pictures."""
        return FashionSamples("train", self.data)

    def evaluate(self) -> dict[str, float]:
        """Error on the 5,000 validation pictures."""
        return self._figures([torch.from_numpy(self.held_out.batch(0, len(self.held_out)))], "grey")

    def samples(self) -> dict[str, Tensor]:
        """Validation pictures over their reconstructions."""
        picture = torch.from_numpy(self.held_out.batch(0, 8))
        again = self.networks["network"](picture.to(self.device)).cpu()
        return {"pictures": torch.cat([picture, again], 2)}

    def record(self) -> dict[str, Any]:
        """Names and licences for the weight file."""
        return {
            "network": "unpool.autoencoders.classic:DenseAutoencoder",
            "config": {"widths": list(self.options.widths)},
            "preprocessing": {"size": (28, 28)},
            "headline": f"{self.options.widths[-1]} numbers a picture: {self.figures['psnr_grey']:.2f} dB, validation",
        }


class Crops:
    """Random squares of training photographs, `picture` (3, side, side) float32 in [0, 1]."""

    def __init__(self, side: int, data: Path | None) -> None:
        self.pack, self.side = photos(data), side
        self.indices = self.pack.where(part="train")

    def __len__(self) -> int:
        return len(self.indices)

    def name(self, index: int) -> str:
        """File name of the photograph."""
        return self.pack.names[self.indices[index]]

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """One crop."""
        samples = crop(self.pack[self.indices[index]], self.side, rng)
        return {"picture": samples.transpose(2, 0, 1).astype(np.float32) / 255}


class ConvDeconvOptions(Options):
    """Channels between the two layers, and the side of a training crop."""

    channels: int = 64
    side: int = 64


class TrainConvDeconv(_Reconstruct):
    """Train a `ConvDeconv` on photographs."""

    Options: ClassVar[type[Options]] = ConvDeconvOptions
    input_range: ClassVar = {"picture": (0.0, 1.0)}

    def __init__(self, options: ConvDeconvOptions, data: Path | None = None) -> None:
        super().__init__(options, data)
        self.networks = {"network": ConvDeconv(channels=options.channels)}
        self.optimisers = {"network": ["network"]}
        self._held_out: list[Tensor] = []

    def dataset(self) -> Crops:
        """Crops of the training photographs."""
        return Crops(self.options.side, self.data)

    def evaluate(self) -> dict[str, float]:
        """Error on the upper left 192 pixels of each validation photograph."""
        if not self._held_out:
            pack = photos(self.data)
            cut = [pack[i][:192, :192].transpose(2, 0, 1) for i in pack.where(part="validation")]
            self._held_out = [torch.from_numpy(np.ascontiguousarray(one))[None].float() / 255 for one in cut]
        return self._figures(self._held_out, "rgb")

    def record(self) -> dict[str, Any]:
        """Names and licences for the weight file."""
        return {
            "network": "unpool.autoencoders.classic:ConvDeconv",
            "config": {"channels": self.options.channels},
            "data_licence": "research only",
            "headline": f"{self.figures['psnr_rgb']:.2f} dB on validation photographs, compressing nothing",
        }
