"""`unpool bench train` names its figures; the classics are measured where their weights and data are."""

import numpy as np
import pytest
import torch

from unpool.train import bench, classics
from unpool.train.data.pack import Entry, Pack, write_pack
from unpool.zoo.weights import shipped


@pytest.fixture
def few_photos(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    samples = [rng.integers(0, 256, (40, 48, 3), dtype=np.uint8) for _ in range(20)]
    entries = [Entry(one, f"{number}", "here", {"part": "train"}) for number, one in enumerate(samples)]
    pack = Pack(write_pack(tmp_path / "photos.pack", entries))
    monkeypatch.setattr(bench, "photos", lambda data: pack)


def test_figures_by_name(few_photos, monkeypatch, tmp_path):
    monkeypatch.setattr(bench, "classic_figures", lambda data, report: {"classic/cnn-classifier": {"accuracy": 0.5}})
    real = bench._recipe
    monkeypatch.setattr(bench, "_recipe", lambda **options: real(**{**options, "side": 16}))
    found = bench.bench(quick=True, data=None, report=lambda line: None)
    for name in ("overhead_percent", "data_wait_percent", "resume_seconds"):
        assert isinstance(found[name], float), name
    assert found["fashion_accuracy"] == 0.5
    assert found["resume_seconds"] > 0
    assert 0 <= found["data_wait_percent"] <= 100
    assert set(found["pictures_per_second"]) == {"unpool train", "bare loop"}
    assert found["network"]["macs"] > found["network"]["parameters"] > 0


@pytest.mark.skipif("classic/cnn-classifier" not in shipped(), reason="the classifier does not ship yet")
def test_the_shipped_classifier_names_real_pictures():
    from unpool.errors import DataError
    from unpool.train.data.fashion import FashionSamples
    from unpool.zoo.weights import load_module

    try:
        test = FashionSamples("test")
    except DataError:
        pytest.skip("Fashion-MNIST is not on this machine")
    module, _ = load_module("classic/cnn-classifier")
    with torch.inference_mode():
        right = module(torch.from_numpy(test.batch(0, 2000))).argmax(1).numpy() == test.labels[:2000]
    assert right.mean() > 0.89


def test_every_classic_has_a_measure():
    assert {name for name in shipped() if name.startswith("classic/")} <= set(classics._MEASURES)
