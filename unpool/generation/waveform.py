"""Sound in and out: WAV files, spectrograms that a tower can learn, and the way back to a waveform (Griffin-Lim)."""

import io
import os
import wave
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from unpool.errors import DataError
from unpool.images.atomic import atomic

RATE = 8000  # samples a second
FRAMES, HOP, WINDOW = 128, 64, 256
BANDS = WINDOW // 2
LENGTH = (FRAMES - 1) * HOP  # samples of a recording: 1.016 s
_LOUDNESS = 0.1  # root mean square of a recording's sounding part
_RANGE = 60.0  # decibels between 0 and 1 of a spectrogram
_TOP = 26.0  # decibels of a magnitude at 1


def read_wav(path: str | Path) -> np.ndarray:
    """A WAV file (8 kHz, 16 bit, one channel) as float32 samples in [-1, 1].

    Raises:
        DataError: it is not there, no WAV file, or of another format.
    """
    try:
        with wave.open(os.fspath(path), "rb") as file:
            kind = (file.getframerate(), file.getsampwidth(), file.getnchannels())
            content = file.readframes(file.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        raise DataError(f"{path} cannot be read as WAV ({error})") from None
    if kind != (RATE, 2, 1):
        raise DataError(f"{path} has {kind[0]} Hz, {8 * kind[1]} bit, {kind[2]} channels: wanted are {RATE} Hz, 16, 1")
    return np.frombuffer(content[: len(content) // 2 * 2], "<i2").astype(np.float32) / 32768


def write_wav(path: str | Path, samples: Tensor | np.ndarray) -> None:
    """Write samples (L,) in [-1, 1] as a WAV file of 8 kHz, 16 bit, one channel, atomically."""
    levels = np.rint(np.clip(np.asarray(samples, np.float32), -1, 1) * 32767).astype("<i2")
    memory = io.BytesIO()
    with wave.open(memory, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(levels.tobytes())
    with atomic(path) as beside:
        beside.write_bytes(memory.getvalue())


def fitted(samples: np.ndarray) -> np.ndarray:
    """A recording (L,) of any length at the standard loudness, cut or filled with zeros to `LENGTH` samples."""
    loud = np.sqrt(np.mean(np.square(samples), dtype=np.float64)) if len(samples) else 0.0
    levelled = np.clip(samples[:LENGTH] * (_LOUDNESS / max(loud, 1e-6)), -1, 1)
    return np.pad(levelled, (0, LENGTH - len(levelled))).astype(np.float32)


def trimmed(samples: Tensor, quiet: float = 0.01) -> Tensor:
    """Samples (L,) without the silence after the last one louder than `quiet`."""
    loud = (samples.abs() > quiet).nonzero()
    return samples[: int(loud[-1]) + 1] if len(loud) else samples[:1]


class Spectrogram:
    """Waveforms (N, LENGTH) to levels (N, BANDS, FRAMES) in [0, 1] (60 dB), and back.

    Bands are the bins of the short-time Fourier transform but the highest. (Fewer, on the mel scale, would be cheaper,
    but then the way back is worse: 64 bands are 0.8 dB off, all 128 bins 0.2 dB.)
    """

    def __init__(self) -> None:
        self.window = torch.hann_window(WINDOW)

    def transform(self, samples: Tensor) -> Tensor:
        """The complex transform, (N, L) -> (N, WINDOW / 2 + 1, L / HOP + 1)."""
        window = self.window.to(samples.device)
        return torch.stft(samples, WINDOW, HOP, window=window, return_complex=True, pad_mode="constant")

    def samples(self, transformed: Tensor) -> Tensor:
        """The inverse of `transform`."""
        return torch.istft(transformed, WINDOW, HOP, window=self.window.to(transformed.device))

    def __call__(self, samples: Tensor) -> Tensor:
        """Waveforms (N, LENGTH) in [-1, 1] -> levels (N, BANDS, FRAMES) in [0, 1]."""
        size = self.transform(samples)[:, :-1].abs()
        level = 20 * torch.log10(size.clamp(min=1e-6))
        return (1 + (level - _TOP) / _RANGE).clamp(0, 1)

    def wave(self, levels: Tensor, iterations: int = 60) -> Tensor:
        """Levels (N, BANDS, FRAMES) -> waveforms (N, LENGTH) in [-1, 1] that have them, nearly.

        The phases are found by the fast Griffin-Lim algorithm (Perraudin et al. 2013), from a fixed random start.
        """
        size = torch.where(levels > 0, 10 ** (((levels - 1) * _RANGE + _TOP) / 20), 0)
        size = F.pad(size, (0, 0, 0, 1))
        phase = 2 * torch.pi * torch.rand(size.shape[1:], generator=torch.Generator().manual_seed(0))
        current = torch.polar(size, phase.expand_as(size))
        before = torch.zeros_like(current)
        for _ in range(iterations):
            consistent = self.transform(self.samples(current))
            pushed = consistent + 0.99 * (consistent - before)
            before = consistent
            current = size * pushed / pushed.abs().clamp(min=1e-9)
        return self.samples(current).clamp(-1, 1)

    def texture(self, n: int, generator: torch.Generator) -> Tensor:
        """The fluctuation of levels of white noise, (n, BANDS, FRAMES), of mean 0 and deviation 1.

        Neighbouring bins and frames share samples, so their levels fluctuate together, as this does.
        """
        noise = torch.log(self.transform(torch.randn(n, LENGTH, generator=generator))[:, :-1].abs().clamp(min=1e-3))
        return (noise - noise.mean()) / noise.std()
