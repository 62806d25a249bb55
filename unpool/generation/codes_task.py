"""A generator whose latents are the codes of an autoencoder: it learns from real pictures and from a critic at once.

A critic alone needs millions of pictures before anything like a face appears. Here every training picture has a place
in latent space from the first step: its code, made of zero mean and unit covariance over all of them. There the
generator must give the picture back (in pixels, and as a trained network sees it), which keeps it from melting and from
dropping modes. The critic looks through the same network, at these pictures and at those made from random latents, and
asks for what an average over all that a code leaves open does not have: sharpness. (Larsen et al. 2016 joined an
autoencoder and an adversary; Sauer et al. 2021 let the critic look through a trained network.)
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from unpool.generation.loss import critic_loss, generator_loss, gradient_penalty, log_spectrum
from unpool.generation.perception import MapCritic, Perception, unlikeness
from unpool.generation.pictures import Pictures
from unpool.generation.prior import fit
from unpool.generation.task import GeneratorTask, NetworkOptions
from unpool.train.task import Loss, Options
from unpool.zoo.weights import load_module, take_over

_EXAMPLES = 200  # pictures by which what the perception sees is evened out
_SPECTRA = 4000  # pictures over which the spectrum of real ones is a mean
_BATCH = 200


class CodesOptions(NetworkOptions):
    """Settings of a generator that learns from codes.

    codes: weights of the autoencoder whose codes are the latents; as many numbers as `latent`.
    perception: weights of the network that judges likeness, and through which the critic looks; stages: how far;
        side: to which height and width it has pictures enlarged.
    start: steps of giving back alone, before the critic comes in.
    begin: weights of a generator of the same shape to go on from (one without a `prior` may be given one).
    prior: couplings of the flow from standard normal latents to the codes; it is fitted before training, then fixed.
    pixels, seen, critic: weights of the mean absolute difference of pixels, that of what is seen, and the critic's.
    spectrum: weight of the squared difference between the logarithms of real and generated pictures' power spectra.
    drawn: pictures from random latents, for each picture that is given back.
    jitter: deviation of the noise on the codes that are given back, once the critic is there.
    gamma: weight of the two gradient penalties; penalty_every: steps from one to the next (their weight grows alike).
    """

    codes: str
    perception: str
    stages: int = 2
    side: int = 96
    start: int = 0
    begin: str | None = None
    prior: int = 0
    pixels: float = 10.0
    seen: float = 1.0
    critic: float = 0.5
    spectrum: float = 0.5
    drawn: float = 1.0
    jitter: float = 0.15
    gamma: float = 0.1
    penalty_every: int = 4


class Coded:
    """Pictures and `codes` (2, N, latent), of each and of its mirror image; a training set for the loop."""

    def __init__(self, pictures: Pictures, codes: np.ndarray) -> None:
        self.pictures, self.codes = pictures.pictures, codes
        self.name = pictures.name

    def __len__(self) -> int:
        return len(self.pictures)

    def sample(self, index: int, rng: np.random.Generator) -> Mapping[str, Any]:
        mirrored = int(rng.integers(2))
        shown = self.pictures[index][:, :: 1 - 2 * mirrored]
        return {"picture": shown.transpose(2, 0, 1).astype(np.float32) / 255, "latent": self.codes[mirrored, index]}


class GenerateFromCodes(GeneratorTask):
    """A generator and one critic for each map of the perception."""

    Options: ClassVar[type[Options]] = CodesOptions

    def __init__(self, options: CodesOptions, data: Path | None = None) -> None:
        super().__init__(options, data)
        if options.begin is not None:
            self.went_on_from = take_over(self.networks["generator"], options.begin, anew=["prior"])
        self.perception = Perception(options.perception, stages=options.stages, side=options.side)
        with torch.no_grad():
            maps = self.perception(torch.zeros(1, 3, *self.config["size"]))
        self.spectrum = log_spectrum(torch.zeros(1, 3, *self.config["size"]))  # known when the data are there
        self.networks["critics"] = nn.ModuleList(MapCritic(channels=one.shape[1]) for one in maps)
        self.optimisers = {"start": ["generator"], "critic": ["critics"], "generator": ["generator"]}

    @cached_property
    def config(self) -> dict[str, Any]:
        """The generator's constructor arguments."""
        return super().config | {"prior": self.options.prior}

    def dataset(self) -> Coded:  # type: ignore[override]
        """The training pictures with their latents; what is seen of them is evened out."""
        kept = self._training
        autoencoder: Any = load_module(self.options.codes)[0]
        self.perception.even_out(kept.tensor(np.arange(min(_EXAMPLES, len(kept)))))
        some = np.linspace(0, len(kept) - 1, min(_SPECTRA, len(kept))).astype(np.int64)
        self.spectrum = log_spectrum(kept.tensor(some))
        codes: list[Tensor] = []
        with torch.no_grad():
            for mirrored in (False, True):
                for first in range(0, len(kept), _BATCH):
                    shown = kept.tensor(np.arange(first, min(first + _BATCH, len(kept))))
                    codes.append(autoencoder.encode(shown.flip(3) if mirrored else shown))
        return Coded(kept, self._latents(white(torch.cat(codes))).view(2, len(kept), -1).numpy())

    def _latents(self, codes: Tensor) -> Tensor:
        """Latents of codes (N, latent): where the prior has them come from, or the codes themselves."""
        prior = self.export().prior
        if prior is None:
            return codes
        if self.went_on_from is None or not self.went_on_from.config.get("prior"):
            fit(prior, codes)
        prior.requires_grad_(False)
        with torch.no_grad():
            return prior.latent(codes)[0]

    def losses(self, batch: dict[str, Tensor], step: int, generator: torch.Generator) -> Iterator[Loss]:
        real, latent = batch["picture"], batch["latent"]
        started = step >= self.options.start
        if started:
            latent = latent + self.options.jitter * torch.randn(latent.shape, device=latent.device, generator=generator)
            drawn = round(self.options.drawn * len(latent))
            others = torch.randn(drawn, latent.shape[1], device=latent.device, generator=generator)
            latent = torch.cat([latent, others])
        self.perception.to(real.device)
        made = self.networks["generator"](latent)
        seen = self.perception(made)
        with torch.no_grad():
            wanted = self.perception(real)
        pixels = (made[: len(real)] - real).abs().mean()
        likeness = unlikeness([one[: len(real)] for one in seen], wanted)
        value = self.options.pixels * pixels + self.options.seen * likeness
        log = {"pixels": pixels.detach(), "likeness": likeness.detach()}
        if not started:
            yield Loss("start", value, log)
            return
        partner = torch.arange(len(made), device=real.device) % len(real)
        yield self._criticise(wanted, [one.detach() for one in seen], partner, step)
        critics = self._critics()
        with torch.no_grad():
            real_scores = [critic(one)[partner] for critic, one in zip(critics, wanted)]
        scores = [critic(one) for critic, one in zip(critics, seen)]
        against = torch.stack([generator_loss(real, made) for real, made in zip(real_scores, scores)]).mean()
        spectrum = (log_spectrum(made) - self.spectrum.to(made.device)).square().mean()
        value = value + self.options.critic * against + self.options.spectrum * spectrum
        yield Loss("generator", value, log | {"against": against.detach(), "spectrum": spectrum.detach()})

    def _critics(self) -> nn.ModuleList:
        critics = self.networks["critics"]
        assert isinstance(critics, nn.ModuleList)
        return critics

    def _criticise(self, wanted: list[Tensor], seen: list[Tensor], partner: Tensor, step: int) -> Loss:
        """The critics want every place of a real picture above the same place of the made one that is its partner."""
        penalised = step % self.options.penalty_every == 0
        if penalised:
            wanted, seen = ([one.clone().requires_grad_() for one in maps] for maps in (wanted, seen))
        values, penalties = [], []
        for critic, real, made in zip(self._critics(), wanted, seen):
            of_real, of_made = critic(real), critic(made)
            values.append(critic_loss(of_real[partner], of_made))
            if penalised:
                penalties.append(gradient_penalty(of_real, real) + gradient_penalty(of_made, made))
        value = torch.stack(values).mean()
        log = {"margin": value.detach()}
        if penalised:
            penalty = torch.stack(penalties).mean()
            log["penalty"] = penalty.detach()
            value = value + 0.5 * self.options.gamma * self.options.penalty_every * penalty
        return Loss("critic", value, log)

    def record(self) -> dict[str, Any]:
        given = super().record()
        codes, eyes = self.options.codes, self.options.perception
        normal = " and made normal by a flow" if self.options.prior else ""
        how = f"Latents: codes of {codes}, whitened{normal}. Likeness and critic see through {eyes}."
        return given | {"notes": f"{how} {given['notes']}"}


def white(codes: Tensor) -> Tensor:
    """Codes (N, K) made of zero mean and unit covariance, by the inverse of a Cholesky factor; N > K."""
    centred = codes.double() - codes.double().mean(0)
    factor = torch.linalg.cholesky(torch.cov(centred.T))
    return torch.linalg.solve_triangular(factor, centred.T, upper=False).T.float()
