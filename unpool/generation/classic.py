"""The documents' entry recipe: a convolutional classifier, and a deconvolutional generator driven by its features."""

import torch
from torch import Tensor, nn

from unpool.nn.conv import conv
from unpool.nn.deconv import PlainDeconv


class CNNClassifier(nn.Module):
    """Convolutions 32, 64, 128 (3x3, ReLU), each with 2x2 max pooling; dense 512; ten logits. For 28x28x1.

    Convolutions are not padded; pooling keeps what is left over at the edge: 28 pixels become 13, 6 and 2.
    """

    def __init__(self, *, classes: int = 10, channels: tuple[int, ...] = (32, 64, 128), features: int = 512) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in zip((1, *channels), channels):
            convolution = conv(in_channels=before, out_channels=after, padding=0, gain=2**0.5)
            layers += [convolution, nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True)]
        self.layers = nn.Sequential(*layers)
        self.dense = nn.Linear(4 * channels[-1], features)
        self.answer = nn.Linear(features, classes)

    def features(self, picture: Tensor) -> Tensor:
        """(N, 1, 28, 28) in [0, 1] -> (N, features), before the last rectifier."""
        return self.dense(self.layers(picture).flatten(1))

    def example_inputs(self) -> tuple[Tensor, ...]:
        """A picture of the right shape."""
        return (torch.rand(1, 1, 28, 28, generator=torch.Generator().manual_seed(0)),)

    def forward(self, picture: Tensor) -> Tensor:
        """(N, 1, 28, 28) in [0, 1] -> logits (N, classes)."""
        return self.answer(self.features(picture).relu())


class DeconvGenerator(nn.Module):
    """From a classifier's features to a picture: dense to 7x7, transposed convolutions 32, 16 (4x4, stride 2), 1 (4x4).

    It also holds a Gaussian of the features for each class (mean, `rank` main directions, and what is left as
    independent noise), so that it can generate pictures without one to start from.
    """

    mean: Tensor
    directions: Tensor
    rest: Tensor

    def __init__(self, *, features: int = 512, channels: int = 12, classes: int = 10, rank: int = 16) -> None:
        super().__init__()
        self.channels = channels
        self.dense = nn.Linear(features, channels * 49)
        self.deconvs = nn.Sequential(
            nn.ReLU(),
            PlainDeconv(in_channels=channels, out_channels=32, kernel=4, stride=2, gain=2**0.5),
            nn.ReLU(),
            PlainDeconv(in_channels=32, out_channels=16, kernel=4, stride=2, gain=2**0.5),
            nn.ReLU(),
            PlainDeconv(in_channels=16, out_channels=1, kernel=4, stride=1),
            nn.Sigmoid(),
        )
        self.register_buffer("mean", torch.zeros(classes, features))
        self.register_buffer("directions", torch.zeros(classes, rank, features))
        self.register_buffer("rest", torch.zeros(classes, features))

    def example_inputs(self) -> tuple[Tensor, ...]:
        """Features of the right shape."""
        return (torch.rand(1, self.dense.in_features, generator=torch.Generator().manual_seed(0)),)

    def forward(self, features: Tensor) -> Tensor:
        """Features (N, features), before the classifier's last rectifier -> (N, 1, 28, 28) in [0, 1]."""
        return self.deconvs(self.dense(features.relu()).view(-1, self.channels, 7, 7))

    def fit(self, features: Tensor, labels: Tensor) -> None:
        """Fit the Gaussians to features (M, features) and labels (M,) of at least `rank` + 2 pictures a class."""
        classes, rank, _ = self.directions.shape
        for number in range(classes):
            own = features[labels == number].double()
            if len(own) < rank + 2:
                raise ValueError(f"class {number} has {len(own)} features: at least {rank + 2} are needed")
            centred = own - own.mean(0)
            values, vectors = torch.linalg.eigh(centred.T @ centred / (len(own) - 1))
            directions = (vectors[:, -rank:] * values[-rank:].clamp(min=0).sqrt()).T
            self.mean[number] = own.mean(0)
            self.directions[number] = directions
            self.rest[number] = (centred.var(0) - directions.square().sum(0)).clamp(min=0).sqrt()

    def sample(self, labels: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Features (N, features) drawn from the Gaussians of `labels` (N,)."""
        classes, rank, features = self.directions.shape
        if not bool(((labels >= 0) & (labels < classes)).all()):
            raise ValueError(f"labels must lie in 0..{classes - 1}")
        main = torch.randn(len(labels), 1, rank, generator=generator).to(self.mean.device)
        noise = torch.randn(len(labels), features, generator=generator).to(self.mean.device)
        return self.mean[labels] + (main @ self.directions[labels]).squeeze(1) + self.rest[labels] * noise

    def generate(self, labels: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """New pictures (N, 1, 28, 28) of the classes `labels` (N,)."""
        return self(self.sample(labels, generator))
