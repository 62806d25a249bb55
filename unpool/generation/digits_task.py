"""How the generator of spoken digits, its judge and the denoising autoencoder are trained."""

import copy
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from unpool.generation.digits import (
    CLASSES,
    SPEAKERS,
    DigitJudge,
    Judge,
    MaskAutoencoder,
    Recordings,
    Voices,
    classes_of,
    masked,
    parted,
    recordings,
    thinned,
)
from unpool.generation.features import precision_recall
from unpool.generation.model import Generator, LatentEncoder, settle
from unpool.generation.waveform import BANDS, FRAMES, HOP, LENGTH, Spectrogram
from unpool.train.task import Loss, Options, Task
from unpool.zoo.loading import load
from unpool.zoo.record import Record


class Examples:
    """Recordings for the generator: `example` (BANDS, FRAMES / 2) or (1, LENGTH) in [0, 1], and its class, `label`."""

    def __init__(self, source: Recordings, waveform: bool) -> None:
        self.names, self.labels = source.names, classes_of(source)
        parts = torch.from_numpy(source.samples).split(100)
        self.values = torch.cat([0.5 + 0.5 * part[:, None] if waveform else thinned(part) for part in parts])

    def __len__(self) -> int:
        return len(self.names)

    def name(self, index: int) -> str:
        return self.names[index]

    def sample(self, index: int, rng: np.random.Generator) -> Mapping[str, Any]:
        return {"example": self.values[index], "label": self.labels[index]}


class SpeakOptions(Options):
    """Settings of the generator of spoken digits.

    latent, widths, strides, blocks, upsample: the generator's; the encoder shares its tables.
    waveform: generate samples instead of levels of a spectrogram.
    beta: weight of the divergence: about how many levels share a sample, so count one event several times.
    judge: the classifier whose verdict is an evaluation's figure.
    """

    latent: int = 32
    widths: tuple[int, ...] = (64, 96, 96, 80)
    strides: tuple[int, ...] = (2, 2, 2, 2)
    blocks: int | tuple[int, ...] = 1
    upsample: str = "deconv"
    waveform: bool = False
    beta: float = 3.0
    judge: str = "generation/digit-judge"


class Speak(Task):
    """A variational autoencoder of recordings, conditioned on digit and speaker, with a deviation for every value."""

    Options: ClassVar[type[Options]] = SpeakOptions
    input_range: ClassVar = {"example": (0.0, 1.0)}

    def __init__(self, options: SpeakOptions, data: Path | None = None) -> None:
        super().__init__(options, data)
        self.encoder = LatentEncoder(**self._tables)
        self.generator = Generator(**self.config)
        self.networks = {"encoder": self.encoder, "generator": self.generator}
        self.optimisers = {"voices": ["encoder", "generator"]}

    @property
    def _tables(self) -> dict[str, Any]:
        shape = (
            {"size": (LENGTH,), "channels": 1} if self.options.waveform else {"size": (FRAMES // 2,), "channels": BANDS}
        )
        return {name: getattr(self.options, name) for name in ("latent", "widths", "strides", "blocks")} | shape

    @property
    def config(self) -> dict[str, Any]:
        """The generator's constructor arguments. Its channels are values, then their deviations."""
        own = {"classes": CLASSES, "upsample": self.options.upsample, "output": "sigmoid"}
        return self._tables | own | {"channels": 2 * self._tables["channels"]}

    def dataset(self) -> Examples:
        return self._training

    @cached_property
    def _training(self) -> Examples:
        return Examples(recordings("train", self.data), self.options.waveform)

    def losses(self, batch: dict[str, Tensor], step: int, generator: torch.Generator) -> Iterator[Loss]:
        """The negative evidence lower bound, a value."""
        example, label = batch["example"], batch["label"]
        mean, log_variance = self.encoder(example)
        noise = torch.randn(mean.shape, device=mean.device, generator=generator)
        value, deviation = parted(self.generator(mean + (0.5 * log_variance).exp() * noise, label))
        misfit = (0.5 * ((example - value) / deviation).square() + deviation.log()).mean()
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean() / example[0].numel()
        log = {"voices/mse": (example - value).square().mean().detach(), "voices/divergence": divergence.detach()}
        yield Loss("voices", misfit + self.options.beta * divergence, log)

    @cached_property
    def _judge(self) -> Judge:
        return load(self.options.judge, "cpu")

    @cached_property
    def _held_out(self) -> tuple[Tensor, Tensor, Tensor]:
        """Validation recordings: digits, classes, and the judge's features of them."""
        held_out = recordings("validation", self.data)
        features = self._judge(torch.from_numpy(held_out.samples))[1]
        return torch.from_numpy(held_out.digits), torch.from_numpy(classes_of(held_out)), features

    def evaluate(self) -> dict[str, float]:
        """What the judge says of as many generated as validation recordings, and how they cover each other."""
        digits, classes, real = self._held_out
        latents = torch.randn(len(digits), self.options.latent, generator=torch.Generator().manual_seed(1))
        told, features = self._judge(self._voices().waves(latents, classes, iterations=10))
        precision, recall = precision_recall(real, features)
        accuracy = float((told.argmax(1) == digits).float().mean())
        return {"digit_accuracy": accuracy, "precision": precision, "recall": recall}

    def samples(self) -> dict[str, Tensor]:
        """Spectrograms of the ten digits, low notes below."""
        if self.options.waveform:
            return {}
        latents = torch.randn(10, self.options.latent, generator=torch.Generator().manual_seed(2))
        made = self._voices().levels(latents, torch.arange(10) * len(SPEAKERS))
        return {"digits": made[:, None].flip(2)}

    def _voices(self) -> Voices:
        record = Record(name="generation/digits", task="generation", network="unpool.generation.model:Generator")
        return Voices(self.export(), record, self.device)

    def export(self) -> Generator:
        """The generator whose standard normal latents mean what those of recordings mean."""
        settled, kept = copy.deepcopy(self.generator), self._training
        settle(settled, self.encoder, kept.values, torch.from_numpy(kept.labels))
        return settled

    def record(self) -> dict[str, Any]:
        return {
            "network": "unpool.generation.model:Generator",
            "config": self.config,
            "headline": "spoken digits in six voices, as spectrograms of 1 s at 8 kHz",
            "notes": "Figures: 300 generated recordings as the judge hears them, against validation recordings. "
            "Trained on the Free Spoken Digit Dataset, CC BY-SA 4.0.",
        }


class JudgeOptions(Options):
    """Augmentation of the recordings, and dropout of the features before the answer.

    shift: frames of the random delay. noise: largest level of white noise, of a loudness of 1.
    """

    shift: int = 12
    noise: float = 0.2
    dropout: float = 0.3


class Heard:
    """Recordings as waveforms: `samples` (LENGTH,) and `label`, the digit; delayed by up to `shift` frames."""

    def __init__(self, source: Recordings, shift: int) -> None:
        self.source, self.shift = source, shift

    def __len__(self) -> int:
        return len(self.source)

    def name(self, index: int) -> str:
        return self.source.names[index]

    def sample(self, index: int, rng: np.random.Generator) -> Mapping[str, Any]:
        delay = int(rng.integers(0, self.shift * HOP + 1))
        samples = np.pad(self.source.samples[index], (delay, 0))[:LENGTH]
        return {"samples": samples, "label": self.source.digits[index]}


class TrainJudge(Task):
    """Train a `DigitJudge`; validation recordings choose, the test part is never touched."""

    Options: ClassVar[type[Options]] = JudgeOptions
    input_range: ClassVar = {"samples": (-1.0, 1.0)}

    def __init__(self, options: JudgeOptions, data: Path | None = None) -> None:
        super().__init__(options, data)
        self.network = DigitJudge()
        self.networks = {"judge": self.network}
        self.optimisers = {"judge": ["judge"]}
        self.spectrogram = Spectrogram()

    def dataset(self) -> Heard:
        return Heard(recordings("train", self.data), self.options.shift)

    def losses(self, batch: dict[str, Tensor], step: int, generator: torch.Generator) -> Iterator[Loss]:
        """The cross-entropy, of recordings with a random level of noise and fewer decibels here and there."""
        samples = batch["samples"]
        level = self.options.noise * torch.rand(len(samples), 1, generator=generator, device=generator.device) ** 4
        noise = torch.randn(samples.shape, generator=generator, device=generator.device)
        levels = self.spectrogram(samples + 0.1 * level * noise)
        features = F.dropout(self.network.features(levels), self.options.dropout)
        yield Loss("judge", F.cross_entropy(self.network.answer(features), batch["label"], label_smoothing=0.05))

    def evaluate(self) -> dict[str, float]:
        held_out = recordings("validation", self.data)
        samples = torch.from_numpy(held_out.samples).to(self.device)
        logits = self.network(self.spectrogram(samples)).cpu()
        labels = torch.from_numpy(held_out.digits)
        return {
            "accuracy": float((logits.argmax(1) == labels).float().mean()),
            "cross_entropy": float(F.cross_entropy(logits, labels)),
        }

    def record(self) -> dict[str, Any]:
        return {
            "network": "unpool.generation.digits:DigitJudge",
            "headline": "which digit is spoken, by six speakers",
            "notes": "Judges generated digits; it has never heard one. Recordings: CC BY-SA 4.0.",
        }


class DenoiseOptions(Options):
    """snr: lowest and highest signal-to-noise ratio of the training recordings, in decibels."""

    snr: tuple[float, float] = (-5.0, 15.0)


def with_noise(clean: Tensor, snr: Tensor, generator: torch.Generator) -> Tensor:
    """Waveforms (N, L) with white Gaussian noise at `snr` (N, 1) decibels under their mean power."""
    noise = torch.randn(clean.shape, generator=generator, device=clean.device)
    power = clean.square().mean(1, keepdim=True) * 10 ** (-snr / 10)
    return clean + power.sqrt() * noise


def snr_db(clean: Tensor, other: Tensor) -> Tensor:
    """Signal-to-noise ratio of waveforms (N, L) in decibels, (N,)."""
    return 10 * torch.log10(clean.square().sum(1) / (other - clean).square().sum(1).clamp(min=1e-12))


class Denoise(Task):
    """Train a `MaskAutoencoder` to give recordings back without the noise laid over them."""

    Options: ClassVar[type[Options]] = DenoiseOptions
    input_range: ClassVar = {"samples": (-1.0, 1.0)}

    def __init__(self, options: DenoiseOptions, data: Path | None = None) -> None:
        super().__init__(options, data)
        self.network = MaskAutoencoder()
        self.networks = {"denoiser": self.network}
        self.optimisers = {"denoiser": ["denoiser"]}

    def dataset(self) -> Heard:
        return Heard(recordings("train", self.data), 0)

    def losses(self, batch: dict[str, Tensor], step: int, generator: torch.Generator) -> Iterator[Loss]:
        """The mean signal-to-noise ratio, negated."""
        low, high = self.options.snr
        clean = batch["samples"]
        snr = low + (high - low) * torch.rand(len(clean), 1, generator=generator, device=clean.device)
        yield Loss("denoiser", -snr_db(clean, masked(self.network, with_noise(clean, snr, generator))).mean())

    def evaluate(self) -> dict[str, float]:
        """Gain over noisy validation recordings at 0, 5 and 10 dB."""
        clean = torch.from_numpy(recordings("validation", self.data).samples)
        return gains(lambda noisy: masked(self.network, noisy.to(self.device)).cpu(), clean)

    def record(self) -> dict[str, Any]:
        return {
            "network": "unpool.generation.digits:MaskAutoencoder",
            "headline": "white noise off recordings of spoken digits",
            "notes": "Gain in signal-to-noise ratio on validation recordings. Recordings: CC BY-SA 4.0.",
        }


def gains(denoise: Any, clean: Tensor) -> dict[str, float]:
    """Gain in signal-to-noise ratio, in decibels, of `denoise` on waveforms (N, LENGTH) at 0, 5 and 10 dB."""
    generator, found = torch.Generator().manual_seed(0), {}
    for snr in (0, 5, 10):
        noisy = with_noise(clean, torch.full((len(clean), 1), float(snr)), generator)
        found[f"gain_{snr}_db"] = float((snr_db(clean, denoise(noisy)) - snr_db(clean, noisy)).mean())
    return found
