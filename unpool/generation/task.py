"""How generators are trained: first as a decoder of real pictures, then against a critic."""

import math
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from unpool.generation.augmentation import augment
from unpool.generation.features import FEATURES, features, kid, sharpness
from unpool.generation.loss import critic_loss, evidence_bound, generator_loss, gradient_penalty
from unpool.generation.model import Critic, Generator, LatentEncoder, settle
from unpool.generation.pictures import Pictures, pictures
from unpool.train.data.fashion import CLASSES
from unpool.train.task import Loss, Options, Task

_JUDGED = 1000  # pictures that an evaluation during training compares
_SETTLED = 2000  # pictures from which the latents' distribution is measured


class NetworkOptions(Options):
    """The pictures, and the generator's constructor arguments."""

    pictures: Literal["fashion", "faces"]
    latent: int = 64
    widths: tuple[int, ...] = (16, 32, 64, 128)
    strides: tuple[int, ...] = (2, 2, 2, 2)
    blocks: int | tuple[int, ...] = 1
    block: str = "residual"
    upsample: str = "deconv"


class GenerateOptions(NetworkOptions):
    """Settings of a generator's training; critic and encoder share the generator's tables.

    start: steps trained as a variational autoencoder, before the critic takes over.
    sigma: noise of the pictures that the variational start assumes, of a range of 1.
    gamma: weight of the two gradient penalties; penalty_every: steps from one to the next (their weight grows alike).
    augment: probability of each differentiable augmentation.
    """

    start: int = 0
    sigma: float = 0.1
    gamma: float = 1.0
    penalty_every: int = 4
    augment: float = 0.0


class GeneratorTask(Task):
    """A generator, its pictures, and how good it is; how it learns is a subclass's affair."""

    input_range: ClassVar = {"picture": (0.0, 1.0)}

    def __init__(self, options: NetworkOptions, data: Path | None = None) -> None:
        super().__init__(options, data)
        self.networks = {"generator": Generator(**self.config)}

    @cached_property
    def config(self) -> dict[str, Any]:
        """The generator's constructor arguments."""
        options = self.options
        fashion = options.pictures == "fashion"
        return {
            "latent": options.latent,
            "classes": len(CLASSES) if fashion else 0,
            "size": (28, 28) if fashion else (64, 64),
            "channels": 1 if fashion else 3,
            "widths": options.widths,
            "strides": options.strides,
            "blocks": options.blocks,
            "block": options.block,
            "upsample": options.upsample,
            "output": "sigmoid",
        }

    @cached_property
    def _training(self) -> Pictures:
        return pictures(self.options.pictures, "train", self.data)

    def dataset(self) -> Pictures:
        return self._training

    @cached_property
    def _judged(self) -> tuple[Tensor, Tensor, Tensor]:
        """Training pictures (held-out ones choose nothing), their features, and their labels."""
        kept = self._training
        chosen = torch.randperm(len(kept), generator=torch.Generator().manual_seed(0))[:_JUDGED]
        values = kept.tensor(chosen.numpy())
        return values, features(values, self.options.pictures), torch.from_numpy(kept.labels)[chosen]

    def evaluate(self) -> dict[str, float]:
        """KID and sharpness against training pictures, and both in one: `distance`, which blur does not make small."""
        real, reference, labels = self._judged
        latent = torch.randn(len(labels), self.options.latent, generator=torch.Generator().manual_seed(1))
        make = self.networks["generator"]
        made = torch.cat([make(z.to(self.device), y.to(self.device)).cpu() for z, y in _pairs(latent, labels)])
        value, sharp = kid(reference, features(made, self.options.pictures)).value, sharpness(real, made)
        return {"kid": value, "sharpness": sharp, "distance": value + abs(math.log(max(sharp, 1e-6)))}

    def samples(self) -> dict[str, Tensor]:
        latent = torch.randn(64, self.options.latent, generator=torch.Generator().manual_seed(2))
        label = torch.arange(64) % max(self.config["classes"], 1)
        made = self.networks["generator"](latent.to(self.device), label.to(self.device))
        return {"first-64": made.clamp(0, 1).cpu()}

    def export(self) -> Generator:
        network = self.networks["generator"]
        assert isinstance(network, Generator)
        return network

    def record(self) -> dict[str, Any]:
        fashion = self.options.pictures == "fashion"
        size = "x".join(map(str, self.config["size"]))
        return {
            "network": "unpool.generation.model:Generator",
            "config": self.config,
            "licence": "Apache-2.0",
            "data_licence": "commercial" if fashion else "research only",
            "headline": f"{size} {'clothes of ten classes' if fashion else 'faces'}",
            "notes": f"KID on {FEATURES[self.options.pictures]}, of {_JUDGED} generated and training pictures.",
        }


class Generate(GeneratorTask):
    """A generator, its critic, and (while the variational start lasts) an encoder."""

    Options: ClassVar[type[Options]] = GenerateOptions

    def __init__(self, options: GenerateOptions, data: Path | None = None) -> None:
        super().__init__(options, data)
        self.networks["critic"] = Critic(**_without(self.config, "latent", "upsample", "output"))
        self.optimisers = {"critic": ["critic"], "generator": ["generator"]}
        if options.start:
            self.networks["encoder"] = LatentEncoder(**_without(self.config, "classes", "upsample", "output"))
            self.optimisers["start"] = ["encoder", "generator"]

    def losses(self, batch: dict[str, Tensor], step: int, generator: torch.Generator) -> Iterator[Loss]:
        if step < self.options.start:
            yield self._start(batch, generator)
        else:
            if step == self.options.start > 0:
                self._settle()
            yield from self._adversarial(batch, step, generator)

    def _start(self, batch: dict[str, Tensor], generator: torch.Generator) -> Loss:
        real, label = batch["picture"], batch["label"]
        mean, log_variance = self.networks["encoder"](real)
        noise = torch.randn(mean.shape, device=mean.device, generator=generator)
        answer = self.networks["generator"](mean + (0.5 * log_variance).exp() * noise, label)
        value = evidence_bound(real, answer, mean, log_variance, self.options.sigma)
        return Loss("start", value, {"start/mse": (real - answer).square().mean().detach()})

    @torch.no_grad()
    def _settle(self) -> None:
        """Between the two parts: let the generator's standard normal latents mean those that real pictures have.

        After a short variational start these are Gaussian well enough, but neither centred nor of unit variance.
        """
        kept = self.dataset()
        chosen = torch.randperm(len(kept), generator=torch.Generator().manual_seed(0))[:_SETTLED].numpy()
        labels = torch.from_numpy(kept.labels[chosen]) if self.config["classes"] else torch.zeros(len(chosen)).long()
        encoder = self.networks["encoder"]
        assert isinstance(encoder, LatentEncoder)
        settle(self.export(), encoder, kept.tensor(chosen), labels)

    def _adversarial(self, batch: dict[str, Tensor], step: int, generator: torch.Generator) -> Iterator[Loss]:
        options, (make, judge) = self.options, (self.networks["generator"], self.networks["critic"])
        real, label = batch["picture"], batch["label"]
        latent = torch.randn(len(real), options.latent, device=real.device, generator=generator)

        def seen(shown: Tensor) -> Tensor:
            return augment(shown, options.augment, generator)

        with torch.no_grad():
            made = seen(make(latent, label))
        shown = seen(real)
        penalised = step % options.penalty_every == 0
        if penalised:
            made, shown = made.requires_grad_(), shown.requires_grad_()
        of_real, of_made = judge(shown, label), judge(made, label)
        value = critic_loss(of_real, of_made)
        log = {"critic/margin": (of_real - of_made).mean().detach()}
        if penalised:
            penalty = gradient_penalty(of_real, shown) + gradient_penalty(of_made, made)
            log["critic/penalty"] = penalty.detach()
            value = value + 0.5 * options.gamma * options.penalty_every * penalty
        yield Loss("critic", value, log)

        latent = torch.randn(len(real), options.latent, device=real.device, generator=generator)
        with torch.no_grad():
            of_real = judge(seen(real), label)
        yield Loss("generator", generator_loss(of_real, judge(seen(make(latent, label)), label)))


def _without(config: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name not in names}


def _pairs(latent: Tensor, labels: Tensor, batch: int = 100) -> Iterator[tuple[Tensor, Tensor]]:
    return zip(latent.split(batch), labels.split(batch))
