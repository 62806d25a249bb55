"""Every classic recipe trains by name, a few steps on small made-up data, into a weight file that loads."""

import gzip

import numpy as np
import pytest
import torch
from PIL import Image

from unpool.train.loop import train
from unpool.train.recipe import load, shipped
from unpool.zoo.weights import load_module

NAMES = [name for name in shipped() if name.startswith("classic/")]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data folder with forty-odd pictures in each set's layout."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "packs").mkdir()
    rng = np.random.default_rng(0)
    fashion = folder / "fashion-mnist"
    fashion.mkdir()
    for prefix, number in (("train", 240), ("t10k", 20)):
        for kind, array in (
            ("images-idx3", rng.integers(0, 256, (number, 28, 28), dtype=np.uint8)),
            ("labels-idx1", np.arange(number, dtype=np.uint8) % 10),
        ):
            header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
            (fashion / f"{prefix}-{kind}-ubyte.gz").write_bytes(gzip.compress(header + array.tobytes()))
    for number in range(60):
        for place, size in (
            (f"photos/train/bsds/{number}.png", 70),
            (f"faces/celeba_aligned/{number // 2}/{number}.png", 128),
        ):
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (size, size, 3), dtype=np.uint8)).save(folder / place)
    return folder


@pytest.fixture(autouse=True)
def small(monkeypatch, data):
    """Few validation pictures, and no other data folder in sight."""
    monkeypatch.setattr("unpool.train.data.fashion.VALIDATION", 40)
    monkeypatch.delenv("UNPOOL_DATA", raising=False)
    monkeypatch.chdir(data)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


def test_there_are_six():
    assert [name.split("/")[1] for name in NAMES] == [
        "cnn-classifier",
        "conv-deconv",
        "deconv-generator",
        "deconvnet",
        "dense-autoencoder",
        "face-deconv",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_trains_and_loads(name, data, runs):
    settings = ["workers=0", "batch=8", "evaluate_every=3"]
    if name == "classic/deconv-generator":
        settings += [f"classifier={runs}/classic/cnn-classifier/cnn-classifier.safetensors", "rank=4"]
    recipe = load(name, settings)
    figures = train(recipe, runs / name, data=data, steps=3, device="cpu")
    assert recipe.best is not None
    assert np.isfinite(figures[recipe.best.metric])
    module, record = load_module(runs / name / f"{name.split('/')[1]}.safetensors")
    assert (record.name, record.task) == (name, "classic")
    assert record.headline
    assert not any("head" in key for key in module.state_dict())
    if name == "classic/deconv-generator":
        assert module.generate(torch.arange(10)).shape == (10, 1, 28, 28)
        assert float(module.rest.abs().sum()) > 0


@pytest.mark.parametrize("name", NAMES)
def test_expects_figures_and_states_both_budgets(name):
    recipe = load(name)
    assert recipe.about
    assert recipe.expected
    assert set(recipe.budget) == {"cpu", "gpu"}
