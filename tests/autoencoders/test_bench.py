"""The bench and the demo run on small networks and made-up data, and every field of their answers is filled."""

import json

import numpy as np
import pytest
import skimage.data
import torch

from unpool.autoencoders import bench, demo
from unpool.autoencoders.api import Coder
from unpool.autoencoders.model import Autoencoder
from unpool.errors import PictureError
from unpool.images.page import Page
from unpool.images.reading import read
from unpool.zoo.record import Record

FIELDS = (
    "lfw_accuracy_conv",
    "lfw_accuracy_supervised",
    "lfw_accuracy_pca",
    "lfw_accuracy_pca_lfw",
    "psnr_at_64",
    "psnr_pca_at_64",
    "denoising_gain_db",
    "encode_faces_per_second",
)


def tiny(name="autoencoders/faces", device="cpu") -> Coder:
    torch.manual_seed(0)
    network = Autoencoder(code=6, widths=[4, 8], strides=[4, 4], blocks=0, squeeze=4, grid=4).eval()
    record = Record(name=name, task="autoencoders", network="unpool.autoencoders.model:Autoencoder")
    return Coder(network, record, torch.device("cpu"))


def test_bench_fills_every_field(data, monkeypatch):
    monkeypatch.setattr(bench, "load", tiny)
    monkeypatch.setattr(bench, "NUMBERS", 6)
    monkeypatch.setattr(bench, "CODE_SIZES", (4, 6))
    monkeypatch.setattr(bench, "_QUICK", {"held_out": 10, "lfw_pairs_each": 2, "fisher_components": 12})
    said = []
    answer = bench.bench(quick=True, data=data, report=said.append)
    assert all(np.isfinite(answer[field]) for field in FIELDS)
    trained_in_full = ("lfw_accuracy_dense", "code_size", "fashion_mnist_few_labels", "fashion_mnist_joint")
    assert all(answer[field] is None for field in trained_in_full)
    assert set(answer["psnr_rgb_of_damaged_faces"]) == {"noise", "blur", "covered"}
    assert {"conv", "pca", "pca_whitened", "fisherfaces", "pca_lfw"} <= set(answer["recognition"])
    assert said
    json.dumps(answer)


@pytest.fixture
def shown(monkeypatch):
    there = ("autoencoders/faces", "autoencoders/faces-supervised", demo.GENERATOR)
    monkeypatch.setattr(demo, "shipped", lambda: dict.fromkeys(there))
    monkeypatch.setattr(demo, "load", tiny)
    monkeypatch.setattr(demo, "generate", lambda *_, **__: [read(np.zeros((64, 64, 3), np.uint8))] * demo.STRANGERS)
    return {"astronaut": read(skimage.data.astronaut()), "coffee": read(skimage.data.coffee())}


def test_demo_shows_faces_and_passes_over_the_rest(shown, monkeypatch, tmp_path):
    def face_of(coder, picture):
        if picture.width != 512:
            raise PictureError("no face")
        return picture

    monkeypatch.setattr(Coder, "face_of", face_of)
    page = Page("test")
    demo.sections(page, shown)
    written = page.html()
    assert written.count("<figure>") == 4 * (1 + demo.STRANGERS) + 2 * demo.GENERATED
    assert "6 bytes" in written
    assert "coffee" not in written


def test_demo_without_weights_adds_nothing(shown, monkeypatch):
    monkeypatch.setattr(demo, "shipped", dict)
    page = Page("test")
    empty = page.html()
    demo.sections(page, shown)
    assert page.html() == empty
