import wave

import numpy as np
import pytest
import torch

from unpool.errors import DataError
from unpool.generation.waveform import BANDS, FRAMES, LENGTH, RATE, Spectrogram, fitted, read_wav, trimmed, write_wav


def _tones(n=2):
    time = torch.arange(LENGTH) / RATE
    fade = torch.hann_window(LENGTH)
    return torch.stack(
        [0.3 * fade * torch.sin(2 * torch.pi * (300 + 170 * i) * time * (1 + 0.3 * time)) for i in range(n)]
    )


def test_wav_there_and_back(tmp_path):
    samples = _tones(1)[0]
    write_wav(tmp_path / "tone.wav", samples)
    np.testing.assert_allclose(read_wav(tmp_path / "tone.wav"), samples, atol=1e-4)


@pytest.mark.parametrize("content", [b"", b"RIFF0000WAVE", b"nothing of the kind"])
def test_what_is_no_wav_is_one_error(content, tmp_path):
    (tmp_path / "x.wav").write_bytes(content)
    with pytest.raises(DataError, match="cannot be read"):
        read_wav(tmp_path / "x.wav")


def test_another_rate_is_refused(tmp_path):
    with wave.open(str(tmp_path / "x.wav"), "wb") as file:
        file.setparams((1, 2, 44100, 0, "NONE", ""))
        file.writeframes(bytes(20))
    with pytest.raises(DataError, match="44100 Hz"):
        read_wav(tmp_path / "x.wav")


def test_recordings_have_one_length_and_loudness():
    short, long = fitted(np.full(100, 0.5, np.float32)), fitted(0.01 * np.ones(20000, np.float32))
    assert short.shape == long.shape == (LENGTH,)
    assert short[:100] == pytest.approx(0.1)
    assert not short[100:].any()
    assert long == pytest.approx(0.1)
    assert not fitted(np.zeros(0, np.float32)).any()
    assert len(trimmed(torch.from_numpy(short))) == 100


def test_transforms_follow_their_input_to_its_device(monkeypatch):
    elsewhere, spectrogram = torch.zeros(2, LENGTH, device="meta"), Spectrogram()
    assert spectrogram(elsewhere).shape == (2, BANDS, FRAMES)
    used = []  # the inverse itself cannot run on "meta"
    monkeypatch.setattr(torch, "istft", lambda given, *_, window: used.append(window.device))
    spectrogram.samples(spectrogram.transform(elsewhere))
    assert used == [elsewhere.device]


def test_griffin_lim_gives_the_levels_back():
    spectrogram, samples = Spectrogram(), _tones()
    levels = spectrogram(samples)
    assert levels.shape == (2, BANDS, FRAMES)
    assert 0 <= levels.min() <= levels.max() <= 1
    again = spectrogram(spectrogram.wave(levels, 30))
    # The two need not be the same waveform, but half a decibel is all that their levels differ by.
    assert (again - levels).abs().mean() * 60 < 0.5


def test_texture_fluctuates_like_noise():
    noise = Spectrogram().texture(3, torch.Generator().manual_seed(0))
    assert noise.shape == (3, BANDS, FRAMES)
    assert float(noise.mean()) == pytest.approx(0, abs=1e-4)
    assert float(noise.std()) == pytest.approx(1, abs=1e-4)
    near, far = (float((noise[..., k:] * noise[..., : FRAMES - k]).mean()) for k in (1, 8))
    assert near > 0.2 > 5 * abs(far)
