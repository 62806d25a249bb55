import numpy as np
import pytest
import torch

import unpool.generation.features
from unpool.errors import DataError
from unpool.generation import bench as room
from unpool.generation import digits_bench
from unpool.generation.api import load_generation
from unpool.generation.pictures import Pictures

NAMED = {
    "kid_fashion",
    "kid_fashion_classic",
    "kid_faces",
    "kid_faces_upper",
    "kid_faces_pca",
    "precision_faces",
    "recall_faces",
    "images_per_second",
    "checkerboard_ratio",
    "checkerboard_ratio_classic",
    "digit_accuracy",
    "digit_recall",
    "digit_recall_real",
}


@pytest.fixture
def small(monkeypatch, plain, classy):
    """Small generators for the shipped ones, noise for their pictures, pixels for a network's features."""
    rng = np.random.default_rng(0)

    def noise(name, *_):
        shape = (60, 12, 12, 1) if name == "fashion" else (60, 16, 16, 3)
        shown = rng.integers(0, 256, shape, dtype=np.uint8)
        return Pictures(shown, np.arange(60) % 3, names=[str(i) for i in range(60)])

    monkeypatch.setattr(room, "pictures", noise)
    monkeypatch.setattr(room, "shipped", lambda: {"generation/fashion": "", "generation/faces": ""})
    small = {"fashion": load_generation(classy, "cpu"), "faces": load_generation(plain, "cpu")}
    monkeypatch.setattr(room, "load_generation", lambda name, device: small[name])
    monkeypatch.setattr(room, "digits", lambda **_: dict.fromkeys(digits_bench.NAMED))
    for module in (room, unpool.generation.features):
        monkeypatch.setattr(module, "features", lambda x, of: x.flatten(1)[:, :10])


def test_every_named_figure_is_there(small):
    figures = room.bench(quick=True, data=None, report=lambda _: None)
    assert figures.keys() >= NAMED
    assert figures["kid_faces_upper"] > figures["kid_faces"]
    assert figures["kid_faces"] > figures["kid_faces_pca"]
    assert set(figures["fashion_against_held_out"]) == {"real", "ours", "PCA-Gaussian"}
    assert abs(figures["faces_against_held_out"]["real"]["kid"]) < 0.2
    assert figures["kid_fashion_classic"] is None
    assert any("classic" in note for note in figures["notes"])


def test_copies_are_looked_for_among_all_training_pictures(small, monkeypatch):
    monkeypatch.setitem(room._QUICK, "faces", 20)
    monkeypatch.setattr(room, "_MOST", 20)
    known = room.pictures("faces")
    monkeypatch.setattr(room, "pictures", lambda *_: known)  # also for the held-out part
    quick, full = (room._against_held_out("faces", quick, None, []) for quick in (True, False))
    assert quick["faces_distance_to_training"]["compared_with"] == 20
    distances = full["faces_distance_to_training"]
    assert distances["compared_with"] == 60
    assert distances["held_out"] == pytest.approx(0, abs=1e-2)
    assert full["faces_pictures"] == 20


def test_missing_sets_and_weights_are_said(small, monkeypatch):
    def missing(*_):
        raise DataError("the set is not here")

    monkeypatch.setattr(room, "pictures", missing)
    monkeypatch.setattr(room, "shipped", lambda: {"generation/faces": ""})
    figures = room.bench(quick=True, data=None, report=lambda _: None)
    assert figures.keys() >= NAMED
    assert figures["kid_faces"] is None
    assert figures["notes"] == ["generation/fashion has no weights here", "the set is not here"]


def test_pca_gaussian_has_the_moments_of_its_pictures():
    torch.manual_seed(0)
    basis = torch.rand(3, 1, 8, 8)
    pictures = 0.5 + 0.05 * torch.einsum("nk,kchw->nchw", torch.randn(400, 3), basis)
    drawn = room.pca_gaussian(pictures, 400, components=3)
    assert drawn.shape == pictures.shape
    assert (drawn.mean(0) - pictures.mean(0)).abs().max() < 0.02
    assert float(drawn.std(0).mean() / pictures.std(0).mean()) == pytest.approx(1, abs=0.1)
