"""How the entry recipe's classifier and generator are trained, on Fashion-MNIST."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unpool.errors import ModelError
from unpool.generation.classic import CNNClassifier, DeconvGenerator
from unpool.images.metrics import psnr_rgb
from unpool.train.data.fashion import CLASSES, FashionSamples
from unpool.train.task import Loss, Options, Task
from unpool.zoo.weights import load_module


class ClassifierOptions(Options):
    """Augmentation: pixels of random shift (with mirroring), and the share of dense features dropped."""

    shift: int = 2
    dropout: float = 0.3


class TrainClassifier(Task):
    """Train a `CNNClassifier`; validation pictures choose, the test part is never touched."""

    Options: ClassVar[type[Options]] = ClassifierOptions
    input_range: ClassVar = {"picture": (0.0, 1.0)}

    def __init__(self, options: ClassifierOptions, data: Path | None = None) -> None:
        super().__init__(options, data)
        self.network = CNNClassifier()
        self.networks = {"classifier": self.network}
        self.optimisers = {"classifier": ["classifier"]}
        self.held_out = FashionSamples("validation", data)

    def dataset(self) -> FashionSamples:
        """The 55,000 training pictures, moved and mirrored."""
        return FashionSamples("train", self.data, shift=self.options.shift)

    def losses(self, batch: dict[str, Tensor], step: int, generator: torch.Generator) -> Iterator[Loss]:
        """The cross-entropy."""
        features = F.dropout(self.network.features(batch["picture"]).relu(), self.options.dropout)
        yield Loss("classifier", F.cross_entropy(self.network.answer(features), batch["label"]))

    def evaluate(self) -> dict[str, float]:
        """Accuracy and cross-entropy on the 5,000 validation pictures."""
        logits = self.network(torch.from_numpy(self.held_out.batch(0, 5000)).to(self.device)).cpu()
        labels = torch.from_numpy(self.held_out.labels)
        right = float((logits.argmax(1) == labels).float().mean())
        self.figures = {"accuracy": right, "cross_entropy": float(F.cross_entropy(logits, labels))}
        return self.figures

    def record(self) -> dict[str, Any]:
        """Names and licences for the weight file."""
        return {
            "network": "unpool.generation.classic:CNNClassifier",
            "preprocessing": {"size": (28, 28)},
            "headline": f"Fashion-MNIST: {self.figures['accuracy']:.1%} of the validation pictures",
            "notes": f"Outputs: {', '.join(CLASSES)}.",
        }


class GeneratorOptions(Options):
    """Which classifier drives it (a name or a weight file), and the generator's width and rank."""

    classifier: str = "classic/cnn-classifier"
    channels: int = 12
    rank: int = 16


class TrainGenerator(Task):
    """Train a `DeconvGenerator` to give back the picture whose features it is handed."""

    Options: ClassVar[type[Options]] = GeneratorOptions
    input_range: ClassVar = {"picture": (0.0, 1.0)}

    def __init__(self, options: GeneratorOptions, data: Path | None = None) -> None:
        super().__init__(options, data)
        classifier, _ = load_module(options.classifier)
        if not isinstance(classifier, CNNClassifier):
            raise ModelError(f"{options.classifier} is not a CNNClassifier: name one, or train classic/cnn-classifier")
        self.classifier = classifier
        self.network = DeconvGenerator(channels=options.channels, rank=options.rank)
        self.networks = {"generator": self.network}
        self.optimisers = {"generator": ["generator"]}
        self.held_out = FashionSamples("validation", data)

    def dataset(self) -> FashionSamples:
        """The 55,000 training pictures."""
        return FashionSamples("train", self.data)

    def losses(self, batch: dict[str, Tensor], step: int, generator: torch.Generator) -> Iterator[Loss]:
        """The mean squared error."""
        picture = batch["picture"]
        again = self.network(self._features(picture))
        yield Loss("generator", (again - picture).square().mean())

    def _features(self, picture: Tensor) -> Tensor:
        with torch.no_grad():
            return self.classifier.to(picture.device).features(picture)

    def evaluate(self) -> dict[str, float]:
        """Reconstruction of the validation pictures, and how many of them the classifier still names the same."""
        picture = torch.from_numpy(self.held_out.batch(0, 5000)).to(self.device)
        features = self._features(picture)
        again = self.network(features)
        named = self.classifier.answer(features.relu()).argmax(1)
        self.figures = {
            "mse": float((again - picture).square().mean()),
            "psnr_grey": float(psnr_rgb(again, picture).mean()),
            "same_class": float((self.classifier(again).argmax(1) == named).float().mean()),
        }
        return self.figures

    def samples(self) -> dict[str, Tensor]:
        """Validation pictures over their reconstructions."""
        picture = torch.from_numpy(self.held_out.batch(0, 8))
        again = self.network(self._features(picture.to(self.device))).cpu()
        return {"pictures": torch.cat([picture, again], 2)}

    def export(self) -> nn.Module:
        """The generator, its Gaussians fitted to the training pictures' features."""
        data = self.dataset()
        pieces = [torch.from_numpy(data.batch(start, start + 5000)) for start in range(0, len(data), 5000)]
        features = torch.cat([self._features(piece.to(self.device)) for piece in pieces])
        self.network.fit(features, torch.from_numpy(data.labels).to(self.device))
        return self.network

    def record(self) -> dict[str, Any]:
        """Names and licences for the weight file."""
        return {
            "network": "unpool.generation.classic:DeconvGenerator",
            "config": {"channels": self.options.channels, "rank": self.options.rank},
            "headline": f"{self.figures['psnr_grey']:.2f} dB from the classifier's 512 features, on validation",
            "notes": f"Driven by the features of {self.options.classifier}.",
        }
