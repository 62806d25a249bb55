"""How autoencoders are trained: one task for the whole family."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from unpool.autoencoders import family, loss
from unpool.autoencoders.model import Autoencoder
from unpool.autoencoders.quantised import VectorQuantised
from unpool.autoencoders.samples import SOURCES, FaceSamples, FewLabels, held_out
from unpool.autoencoders.verification import balanced_pairs, best_threshold, cosines
from unpool.errors import RecipeError
from unpool.images.degradations import Degradation, GaussianBlur, GaussianNoise, Occlusion
from unpool.images.metrics import psnr_rgb
from unpool.train.data.fashion import CLASSES, FashionSamples
from unpool.train.task import Dataset, Loss, Options, Task
from unpool.zoo.weights import load_module, take_over

FAMILY: dict[str, type[Autoencoder]] = {
    "convolutional": Autoencoder,
    "dense": family.Dense,
    "denoising": family.Denoising,
    "k-sparse": family.KSparse,
    "contractive": family.Contractive,
    "variational": family.Variational,
    "vector-quantised": VectorQuantised,
    "supervised": family.Supervised,
}

# What the denoising figures are taken on, each with its own seed.
PROBES: dict[str, Degradation] = {
    "noise": GaussianNoise(25.0),
    "blur": GaussianBlur(2.0),
    "covered": Occlusion(0.25, aspect=(1.0, 1.0), fill="mean"),
}


def probe(pictures: Tensor, seed: int, name: str) -> Tensor:
    """`pictures` (N, 3, H, W), each under a draw of its own of the damage `name` of `PROBES`."""
    generator = torch.Generator().manual_seed(seed)
    return torch.cat([PROBES[name](one, generator) for one in pictures.split(1)])


class AutoencoderOptions(Options):
    """Which member of the family, how large, for which loss, on which pictures."""

    kind: str = Field("convolutional", description=f"one of {', '.join(FAMILY)}, or package.module:Class")
    network: dict[str, Any] = Field({}, description="keywords of the class")
    reconstruction: dict[Literal["mse", "log-mse", "cross-entropy", "structural", "perceptual"], float] = {"mse": 1.0}
    pictures: Literal["faces", "fashion-mnist"] = "faces"
    sources: Literal["celeba", "all"] = "celeba"
    shift: int = Field(0, ge=0, le=8)
    light: float = Field(0.0, ge=0, lt=1)
    labels: float | None = Field(None, gt=0, le=1, description="share of Fashion-MNIST's labels that training sees")
    likeness: float = Field(
        0.0, ge=0, description="weight of codes being as alike as the faces are to the recogniser's teacher"
    )
    start: str | None = Field(None, description="weights of the same shape to start from, instead of a linear code")


class TrainAutoencoder(Task):
    """Train any member of the family, on aligned faces or on Fashion-MNIST."""

    Options: ClassVar[type[Options]] = AutoencoderOptions
    network: Autoencoder
    input_range: ClassVar = {"picture": (0.0, 1.0)}

    def __init__(self, options: AutoencoderOptions, data: Path | None = None) -> None:
        super().__init__(options, data)
        self.cls = _member(options.kind)
        self.config = dict(options.network)
        if options.pictures == "fashion-mnist":
            self.config = {"size": [28, 28], "channels": 1} | self.config
            if issubclass(self.cls, family.Supervised):
                self.config["classes"] = len(CLASSES)
        self.samples_of = self.dataset()
        config = dict(self.config)
        if issubclass(self.cls, family.Supervised) and isinstance(self.samples_of, FaceSamples):
            config["classes"] = self.samples_of.classes
        try:
            network = self.cls(**config)
        except (TypeError, ValueError) as error:
            raise RecipeError(f"options.network: {self.cls.__name__} does not take it ({error})") from None
        if options.start is not None:
            self.went_on_from = take_over(network, options.start)
        elif network.grid:
            network.start_linear(*self._plain())
        self.network = network
        self.networks = {"autoencoder": network}
        self.optimisers = {"autoencoder": ["autoencoder"]}
        self.criteria = {name: (weight, _criterion(name)) for name, weight in options.reconstruction.items()}
        self.figures: dict[str, float] = {}
        self._held_out: tuple[Tensor, np.ndarray] | None = None
        self._damaged: list[Tensor] = []

    def dataset(self) -> Dataset:
        """Training pictures of the chosen set."""
        options = self.options
        if options.labels is not None:
            return FewLabels(self.data, options.labels)
        if options.pictures == "fashion-mnist":
            return FashionSamples("train", self.data, shift=options.shift)
        side = self.config.get("size", (64, 64))[0]
        return FaceSamples(
            side,
            self.data,
            sources=options.sources,
            shift=options.shift,
            light=options.light,
            teacher=options.likeness > 0,
        )

    def losses(self, batch: dict[str, Tensor], step: int, generator: torch.Generator) -> Iterator[Loss]:
        """The reconstruction's losses and the member's own penalties, added up."""
        network, picture = self.network, batch["picture"]
        made = network.training_pass(picture, generator, batch.get("label"))
        terms: dict[str, Tensor] = {
            name: weight * rule(made.reconstruction, picture) for name, (weight, rule) in self.criteria.items()
        }
        terms |= made.penalties
        if "teacher" in batch:
            terms["likeness"] = self.options.likeness * loss.likeness(made.code, batch["teacher"])
        total = torch.stack([term.float() for term in terms.values()]).sum()
        yield Loss("autoencoder", total, {f"loss/{name}": term.detach() for name, term in terms.items()})

    def evaluate(self) -> dict[str, float]:
        """On people (or pictures) held out: `psnr`; of faces `psnr_damaged` and `verification` by cosine, of a head for
        garments `accuracy`.
        """
        network = self.network
        pictures, people = self._validation()
        figures = {"psnr": _psnr(network, pictures, pictures)}
        if self.options.pictures == "faces":
            values = [_psnr(network, bad, pictures[: len(bad)]) for bad in self._probes()]
            figures["psnr_damaged"] = float(np.mean(values))
            codes = np.concatenate([network.encode(p.to(self.device)).float().cpu() for p in pictures.split(128)])
            first, second, same = balanced_pairs(people, 3000)
            scores = cosines(codes[first], codes[second])
            figures["verification"] = float(((scores >= best_threshold(scores, same)) == same).mean())
        elif isinstance(network, family.Supervised):
            answers = network.classify(network.encode(pictures.to(self.device))).argmax(1).cpu().numpy()
            figures["accuracy"] = float((answers == people).mean())
        self.figures = figures
        return figures

    def samples(self) -> dict[str, Tensor]:
        """Held-out pictures over their reconstructions."""
        picture = self._validation()[0][:8]
        again = self.network(picture.to(self.device))[0].cpu().clamp(0, 1)
        return {"pictures": torch.cat([picture, again], 2)}

    def export(self) -> nn.Module:
        """The network; one of faces without its head, which codes and pictures do not need and which lists people."""
        network = self.network
        if isinstance(network, family.Supervised) and self.options.pictures == "faces":
            bare = type(network)(**self.config)
            bare.load_state_dict({k: v for k, v in network.state_dict().items() if k != "directions"})
            return bare.eval()
        return network

    def record(self) -> dict[str, Any]:
        """Words for the weight file."""
        if not self.cls.__module__.startswith("unpool."):
            return {}
        network, on_faces = self.network, self.options.pictures == "faces"
        sources = SOURCES[self.options.sources] if on_faces else ("fashion-mnist",)
        headline = f"{network.code} numbers a picture: {self.figures['psnr']:.2f} dB on held-out pictures"
        return {
            "network": f"{self.cls.__module__}:{self.cls.__name__}",
            "config": self.config,
            "preprocessing": {"size": network.size},
            "trained_on": [name.replace("_", "-") for name in sources if name != "celeba"],
            "data_licence": "research only" if on_faces else "commercial",
            "headline": headline,
            "notes": "CelebA gives numbers, not names: people of LFW may be among them." if on_faces else "",
        }

    def _probes(self) -> list[Tensor]:
        """The first held-out faces under each damage, made once."""
        if not self._damaged:
            clean = self._validation()[0][:96]
            self._damaged = [probe(clean, seed, name) for seed, name in enumerate(PROBES)]
        return self._damaged

    def _plain(self) -> tuple[Tensor, Tensor]:
        """Training pictures and their labels, to start a linear path from."""
        samples = self.samples_of
        if isinstance(samples, FaceSamples):
            return samples.pictures(), torch.from_numpy(samples.labels)
        assert isinstance(samples, FashionSamples)
        return torch.from_numpy(samples.batch(0, 10000)), torch.from_numpy(samples.labels[:10000])

    def _validation(self) -> tuple[Tensor, np.ndarray]:
        if self._held_out is None:
            if self.options.pictures == "faces":
                self._held_out = held_out(self.network.size[0], self.data, test=False, most=320)
            else:
                validation = FashionSamples("validation", self.data)
                self._held_out = torch.from_numpy(validation.batch(0, 1000)), validation.labels[:1000]
        return self._held_out


def _member(kind: str) -> type[Autoencoder]:
    if kind in FAMILY:
        return FAMILY[kind]
    if ":" in kind:
        from unpool.zoo.table import resolve

        try:
            found = resolve(kind)
        except (ImportError, AttributeError) as error:
            raise RecipeError(f"options.kind {kind!r} cannot be imported ({error})") from None
        if isinstance(found, type) and issubclass(found, Autoencoder):
            return found
    raise RecipeError(f"options.kind {kind!r} is none of {', '.join(FAMILY)}, nor a subclass of Autoencoder")


def _criterion(name: str) -> Callable[[Tensor, Tensor], Tensor]:
    if name == "perceptual":
        return loss.Perceptual(load_module("efficientnet-lite0")[0])
    plain = {
        "mse": loss.mean_squared_error,
        "log-mse": loss.log_mean_squared_error,
        "cross-entropy": loss.cross_entropy,
        "structural": loss.structural,
    }
    return plain[name]


def _psnr(network: Autoencoder, seen: Tensor, wanted: Tensor) -> float:
    """Mean PSNR over pictures of what the network makes of `seen`, clamped to [0, 1]."""
    device = next(network.parameters()).device
    values = [
        psnr_rgb(network(a.to(device))[0].float().cpu().clamp(0, 1), b)
        for a, b in zip(seen.split(128), wanted.split(128))
    ]
    return float(torch.cat(values).mean())
