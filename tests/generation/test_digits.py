import json

import numpy as np
import pytest
import torch

from unpool.cli.generate import app
from unpool.errors import DataError, UnpoolError
from unpool.generation import digits_bench, digits_task
from unpool.generation.digits import SPEAKERS, Denoiser, Judge, Voices, recordings
from unpool.generation.export import MANIFEST
from unpool.generation.waveform import BANDS, LENGTH, read_wav, write_wav
from unpool.train import recipe as recipes
from unpool.train.loop import train
from unpool.zoo.loading import load


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A set whose digits are tones of ten pitches: takes 0 (test), 5 (validation), 10, 11 (train) of two speakers."""
    root = tmp_path_factory.mktemp("data")
    (root / "fsdd").mkdir()
    rng = np.random.default_rng(0)
    for digit in range(10):
        for speaker in SPEAKERS[:2]:
            for take in (0, 5, 10, 11):
                time = np.arange(2000 + rng.integers(2000)) / 8000
                tone = 0.3 * np.sin(2 * np.pi * (300 + 250 * digit) * time)
                write_wav(root / "fsdd" / f"{digit}_{speaker}_{take}.wav", tone)
    return root


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """A judge, a generator and a denoiser after a few steps: their weight files."""
    folder = tmp_path_factory.mktemp("digits")
    judge = folder / "judge" / "digit-judge.safetensors"
    settings = ["workers=0", "batch=16"]
    judging = recipes.load("generation/digit-judge", [*settings, "evaluate_every=1000"])
    found = train(judging, folder / "judge", data=data, steps=40, device="cpu")
    assert found["accuracy"] > 0.8
    small = [
        "widths=[16, 24]",
        "blocks=1",
        "strides=[4, 4]",
        "latent=4",
        f"judge={judge}",
        "evaluate_every=1000",
        "ema=null",
    ]
    speaking = recipes.load("generation/digits", [*settings, *small])
    figures = train(speaking, folder / "voices", data=data, steps=60, device="cpu")
    assert set(figures) == {"digit_accuracy", "precision", "recall"}
    cleaning = recipes.load("generation/digits-denoiser", [*settings, "evaluate_every=1000", "ema=null"])
    assert train(cleaning, folder / "denoiser", data=data, steps=15, device="cpu")["gain_0_db"] > 3
    return judge, folder / "voices" / "digits.safetensors", folder / "denoiser" / "digits-denoiser.safetensors"


def test_parts_are_the_usual_takes(data, tmp_path):
    assert [len(recordings(part, data)) for part in ("test", "validation", "train")] == [20, 20, 40]
    assert recordings("test", data).names[:2] == ["0_george_0.wav", "0_jackson_0.wav"]
    (tmp_path / "fsdd").mkdir()
    with pytest.raises(DataError, match="no recordings"):
        recordings("test", tmp_path)


def test_models_answer(data, trained):
    judge, voices, denoiser = (load(str(path), "cpu") for path in trained)
    assert isinstance(judge, Judge)
    assert isinstance(voices, Voices)
    assert isinstance(denoiser, Denoiser)
    samples = torch.from_numpy(recordings("test", data).samples)
    probabilities, features = judge(samples)
    assert probabilities.sum(1).numpy() == pytest.approx(1, abs=1e-5)
    assert features.shape == (20, judge.module.answer.in_features)
    noisy = samples + 0.05 * torch.randn(samples.shape, generator=torch.Generator().manual_seed(0))
    assert (denoiser(noisy) - samples).square().mean() < 0.5 * (noisy - samples).square().mean()


def test_seeds_repeat_and_turns_are_taken(trained):
    voices = load(str(trained[1]), "cpu")
    many, one = voices.say(3, seed=4, digit=7), voices.say(1, seed=6, digit=7)
    assert torch.equal(many[2], one[0])
    assert one[0].abs().max() <= 1
    assert len(one[0]) <= LENGTH
    assert (voices.classes(20, seed=5) // len(SPEAKERS)).tolist() == [(5 + i) % 10 for i in range(20)]
    assert set((voices.classes(12, digit=3) % len(SPEAKERS)).tolist()) == set(range(6))
    assert voices.classes(2, digit=3, speaker=1).tolist() == [19, 19]
    latents, classes = voices.latents(2), voices.classes(2)
    rough, smooth = (voices.levels(latents, classes, texture=t) for t in (1.0, 0.0))
    assert rough.shape == (2, BANDS, 128)
    assert not torch.equal(rough, smooth)
    for mistake in ({"digit": 10}, {"speaker": 6}, {"seed": -1}, {"truncation": 2}):
        with pytest.raises(UnpoolError):
            voices.say(**mistake)


def test_a_generator_of_waveforms_is_the_same_task(data):
    settings = ["waveform=true", "widths=[4, 8]", "strides=[8, 8]", "blocks=1", "latent=4"]
    task = recipes.load("generation/digits", settings).make_task(data)
    batch = {"example": torch.rand(2, 1, LENGTH), "label": torch.tensor([0, 59])}
    (loss,) = task.losses(batch, 0, torch.Generator())
    assert torch.isfinite(loss.value)
    made = Voices(task.generator.eval(), None, torch.device("cpu"))  # it has no record yet
    assert made.waves(made.latents(2), made.classes(2)).shape == (2, LENGTH)


class Elsewhere(torch.nn.Module):
    """A stand-in for a network on another device: its weights are there, and so must be what it is given."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1, device="meta"))

    def forward(self, given):
        assert given.device.type == "meta"
        return torch.zeros(len(given), 10)


def test_evaluations_feed_networks_where_they_are(data, monkeypatch):
    judging = recipes.load("generation/digit-judge", []).make_task(data)
    judging.network = judging.networks["judge"] = Elsewhere()
    assert judging.evaluate()["accuracy"] == pytest.approx(0.1)
    cleaning = recipes.load("generation/digits-denoiser", []).make_task(data)
    cleaning.network = cleaning.networks["denoiser"] = Elsewhere()
    monkeypatch.setattr(digits_task, "masked", lambda network, noisy: network(noisy)[:, :1].expand(-1, LENGTH))
    assert cleaning.evaluate().keys() == {"gain_0_db", "gain_5_db", "gain_10_db"}


def test_noise_has_the_ratio_asked_for():
    clean = torch.sin(torch.arange(LENGTH) / 5)[None].repeat(3, 1)
    noisy = digits_task.with_noise(clean, torch.tensor([[0.0], [5.0], [10.0]]), torch.Generator().manual_seed(0))
    assert digits_task.snr_db(clean, noisy).numpy() == pytest.approx([0, 5, 10], abs=0.3)


def test_bench_hears_and_compares(data, trained, monkeypatch):
    judge, voices, denoiser = trained
    files = {"generation/digit-judge": judge, "generation/digits": voices, "generation/digits-denoiser": denoiser}
    monkeypatch.setattr(digits_bench, "shipped", lambda: files)
    monkeypatch.setattr(digits_bench, "load", lambda name, device: load(str(files[name]), device))
    notes: list[str] = []
    figures = digits_bench.digits(quick=True, data=data, report=lambda _: None, notes=notes)
    assert not notes
    assert figures["digit_accuracy_real"] > 0.8
    assert 0 <= figures["digit_accuracy"] <= 1
    assert figures["digit_recall_real"] > 0.5
    assert figures["digits_denoised"]["Wiener filter"]["gain_0_db"] > 3
    monkeypatch.setattr(digits_bench, "shipped", lambda: {})
    assert digits_bench.digits(quick=True, data=data, report=lambda _: None, notes=notes)["digit_recall"] is None
    assert "no weights" in notes[0]


def _run(*arguments):
    from typer.testing import CliRunner

    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if isinstance(result.exception, UnpoolError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_command(trained, tmp_path):
    voices = trained[1]
    answer = json.loads(_run(voices, "--class", 7, "-o", tmp_path / "seven.wav", "--json"))
    assert answer["recording"].endswith("seven.wav")
    assert 0 < len(read_wav(tmp_path / "seven.wav")) <= LENGTH
    _run(voices, "-n", 3, "--seed", 5, "--speaker", 2, "-o", tmp_path / "all")
    lines = [json.loads(line) for line in (tmp_path / "all" / MANIFEST).read_text().splitlines()]
    assert [(line["digit"], line["speaker"]) for line in lines] == [(5, "lucas"), (6, "lucas"), (7, "lucas")]
    for arguments, message in (
        (["--grid", tmp_path / "x.png"], "no pictures"),
        (["-n", 2, "-o", tmp_path / "x.wav"], "one recording"),
        (["--class", 11, "-o", tmp_path / "x.wav"], "0 to 9"),
        (["--class", 11, "-o", tmp_path / "x"], "0 to 9"),
        (["-o", tmp_path / "x.mp3"], "as .wav"),
    ):
        with pytest.raises(UnpoolError, match=message):
            _run(voices, *arguments)
    assert not list(tmp_path.glob("x*"))
    with pytest.raises(UnpoolError, match="generates nothing"):
        _run(trained[0], "-o", tmp_path / "x")
