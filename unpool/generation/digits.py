"""Spoken digits: the recordings, the network that judges them, the one that takes noise from them, and their voices."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unpool.errors import DataError, UnpoolError
from unpool.generation.model import Generator
from unpool.generation.seeds import drawn
from unpool.generation.waveform import BANDS, FRAMES, LENGTH, Spectrogram, fitted, read_wav, trimmed
from unpool.nn.towers import Decoder, Encoder
from unpool.train.data.find import find
from unpool.zoo.record import Record
from unpool.zoo.runtime import inference

SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
_SILENCE = 0.05  # levels below stay as they are
CLASSES = 10 * len(SPEAKERS)
_TAKES = {"test": range(5), "validation": range(5, 10), "train": range(10, 50)}


class Recordings:
    """A part of the set in memory: `samples` (N, LENGTH) float32, `digits` and `speakers` (N,) int64, `names`."""

    def __init__(self, samples: np.ndarray, digits: np.ndarray, speakers: np.ndarray, names: list[str]) -> None:
        self.samples, self.digits, self.speakers, self.names = samples, digits, speakers, names

    def __len__(self) -> int:
        return len(self.names)


@lru_cache(maxsize=3)
def recordings(part: str, data: str | Path | None = None) -> Recordings:
    """The Free Spoken Digit Dataset's `test` (takes 0 to 4 of each digit and speaker, as is usual), `validation`
    (5 to 9) or `train` part, at one length and loudness.

    Raises:
        DataError: the set is not here, or holds no such recordings.
    """
    folder = find("fsdd", data)
    found = []
    for digit in range(10):
        for number, speaker in enumerate(SPEAKERS):
            files = (f"{digit}_{speaker}_{take}.wav" for take in _TAKES[part])
            found += [(file, digit, number) for file in files if (folder / file).is_file()]
    if not found:
        raise DataError(f"{folder} holds no recordings named DIGIT_SPEAKER_NN.wav of the {part} part")
    names, digits, speakers = zip(*found)
    samples = np.stack([fitted(read_wav(folder / name)) for name in names])
    return Recordings(samples, np.array(digits, np.int64), np.array(speakers, np.int64), list(names))


def classes_of(source: Recordings) -> np.ndarray:
    """A generator's classes of recordings, (N,): digit and speaker in one number."""
    return source.digits * len(SPEAKERS) + source.speakers


class DigitJudge(nn.Module):
    """Which digit is spoken: levels (N, 128, frames) in [0, 1] -> logits (N, classes). An `Encoder` over time."""

    def __init__(self, *, classes: int = 10, widths: Sequence[int] = (48, 64, 96), bins: int = BANDS) -> None:
        super().__init__()
        self.bins = bins
        self.tower = Encoder(in_channels=bins, widths=widths, strides=(2,) * len(widths), dimensions=1)
        self.answer = nn.Linear(2 * widths[-1], classes)

    def features(self, levels: Tensor) -> Tensor:
        """(N, bins, frames) -> (N, 2 * widths[-1]): mean and maximum over time of the last stage."""
        found = self.tower(2 * levels - 1).relu()
        return torch.cat([found.mean(2), found.amax(2)], dim=1)

    def forward(self, levels: Tensor) -> Tensor:
        """(N, bins, frames) in [0, 1] -> logits (N, classes)."""
        return self.answer(self.features(levels))

    def example_inputs(self) -> tuple[Tensor, ...]:
        """Levels of the right shape."""
        return (torch.rand(1, self.bins, FRAMES, generator=torch.Generator().manual_seed(0)),)


class MaskAutoencoder(nn.Module):
    """What share of each bin is speech: levels (N, 128, FRAMES) in [0, 1] -> mask (N, 128, FRAMES) in [0, 1].

    An `Encoder` over time narrows a noisy recording to a code a quarter as long, a `Decoder` widens it to the mask.
    """

    def __init__(self, *, widths: Sequence[int] = (64, 96), strides: Sequence[int] = (2, 2), bins: int = BANDS) -> None:
        super().__init__()
        self.bins = bins
        shape: dict[str, Any] = {"widths": widths, "strides": strides, "dimensions": 1}
        self.encoder = Encoder(in_channels=bins, **shape)
        self.decoder = Decoder(out_channels=bins, **shape)

    def forward(self, levels: Tensor) -> Tensor:
        """(N, bins, FRAMES) in [0, 1] -> (N, bins, FRAMES) in [0, 1]."""
        return torch.sigmoid(self.decoder(self.encoder(2 * levels - 1), (FRAMES,)))

    def example_inputs(self) -> tuple[Tensor, ...]:
        """Levels of the right shape."""
        return (torch.rand(1, self.bins, FRAMES, generator=torch.Generator().manual_seed(0)),)


def masked(network: nn.Module, noisy: Tensor) -> Tensor:
    """Noisy waveforms (N, LENGTH) with the network's mask laid over their transform, (N, LENGTH)."""
    spectrogram = Spectrogram()
    transformed = spectrogram.transform(noisy)
    mask = F.pad(network(spectrogram(noisy)), (0, 0, 0, 1))
    return spectrogram.samples(transformed * mask)


class Judge:
    """What `unpool.load` gives for a judge: which digit a recording says."""

    def __init__(self, module: DigitJudge, record: Record, device: torch.device) -> None:
        self.module, self.record, self.device = module, record, device

    def __call__(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Waveforms (N, LENGTH) -> probabilities (N, 10) and features (N, F)."""
        with inference(self.device, exact=True):
            features = self.module.features(Spectrogram()(samples).to(self.device))
            return self.module.answer(features).softmax(1).cpu(), features.cpu()


class Denoiser:
    """What `unpool.load` gives for a denoising autoencoder of recordings."""

    def __init__(self, module: MaskAutoencoder, record: Record, device: torch.device) -> None:
        self.module, self.record, self.device = module, record, device

    def __call__(self, samples: Tensor) -> Tensor:
        """Noisy waveforms (N, LENGTH), 8 kHz, in [-1, 1] -> the same with less noise."""
        with inference("cpu", exact=True):
            return masked(self.module.cpu(), samples)


def thinned(samples: Tensor) -> Tensor:
    """Waveforms (N, LENGTH) -> every second frame of their levels, (N, BANDS, FRAMES / 2): what generators learn."""
    return Spectrogram()(samples)[..., ::2].contiguous()


def parted(made: Tensor) -> tuple[Tensor, Tensor]:
    """A generator's output (N, 2 C, time) in [0, 1] -> values (N, C, time), and the deviations they are drawn with."""
    value, spread = made.chunk(2, dim=1)
    return value, 0.04 + 0.3 * spread


class Voices:
    """What `unpool.load` gives for a generator of spoken digits: seeds in, waveforms out.

    The class of a digit and a speaker is digit * 6 + speaker.
    """

    def __init__(self, module: Generator, record: Record, device: torch.device) -> None:
        self.module, self.record, self.device = module, record, device
        self.spectrogram = Spectrogram()

    def latents(self, n: int, *, seed: int = 0, truncation: float = 1.0) -> Tensor:
        """Latents (n, latent) of the seeds `seed` to `seed + n - 1`; `truncation` scales them, 0 to 1."""
        if not 0 <= truncation <= 1:
            raise UnpoolError(f"truncation lies between 0 and 1, not at {truncation:g}")
        return truncation * drawn(self.module.latent, n, seed)

    def classes(self, n: int, *, seed: int = 0, digit: int | None = None, speaker: int | None = None) -> Tensor:
        """Classes (n,) of the seeds `seed` to `seed + n - 1`: digits and speakers take turns unless asked for."""
        for name, value, count in (("digits", digit, 10), ("speakers", speaker, len(SPEAKERS))):
            if value is not None and not 0 <= value < count:
                raise UnpoolError(f"there are {name} 0 to {count - 1}, not {value}")
        turn = torch.arange(seed, seed + n)
        digits = turn % 10 if digit is None else torch.full((n,), digit)
        speakers = turn % len(SPEAKERS) if digit is not None else turn // 10 % len(SPEAKERS)
        return digits * len(SPEAKERS) + (speakers if speaker is None else speaker)

    def levels(self, latents: Tensor, classes: Tensor, texture: float = 1.0, seed: int = 0) -> Tensor:
        """Latents (N, latent), classes (N,) -> levels (N, BANDS, FRAMES) in [0, 1].

        texture: how much of the fluctuation is added that the network expects around its values; without any, sounds
            that are noise (f, s) come out as a buzz.
        """
        value, deviation = (F.interpolate(made, FRAMES, mode="linear") for made in self._made(latents, classes))
        noise = self.spectrogram.texture(len(value), torch.Generator().manual_seed(seed))
        return torch.where(value > _SILENCE, value + texture * deviation * noise, value).clamp(0, 1)

    def waves(self, latents: Tensor, classes: Tensor, *, texture: float = 1.0, iterations: int = 60) -> Tensor:
        """Latents (N, latent), classes (N,) -> waveforms (N, LENGTH) in [-1, 1]. iterations: of Griffin-Lim."""
        if self.module.size == (LENGTH,):
            return (2 * self._made(latents, classes)[0][:, 0] - 1).clamp(-1, 1)
        parts = zip(latents.split(50), classes.split(50))
        return torch.cat([self.spectrogram.wave(self.levels(z, c, texture), iterations) for z, c in parts])

    def _made(self, latents: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
        with inference(self.device, exact=True):
            return parted(self.module(latents.to(self.device), classes.to(self.device)).cpu())

    def say(
        self,
        n: int = 1,
        *,
        seed: int = 0,
        digit: int | None = None,
        speaker: int | None = None,
        truncation: float = 1.0,
    ) -> list[Tensor]:
        """Waveforms at 8 kHz, each (L,) in [-1, 1], of the seeds `seed`, `seed + 1`, ...; one seed, one recording.

        digit, speaker: what is said, and by which of the six voices; by default they take turns.
        truncation: the latent's scale: 0 is the most typical.
        """
        classes = self.classes(n, seed=seed, digit=digit, speaker=speaker)
        each = zip(self.latents(n, seed=seed, truncation=truncation).split(1), classes.split(1))
        return [trimmed(self.waves(latent, label)[0]) for latent, label in each]
