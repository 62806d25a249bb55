import numpy as np
import pytest
import torch
from PIL import Image

from unpool.autoencoders import lfw
from unpool.autoencoders.classification import few_labels
from unpool.autoencoders.peers import Eigenfaces, Fisherfaces, rows
from unpool.train.data.faces import MARGIN, TEMPLATE


def test_pairs_and_folds(data):
    pairs = lfw.load_pairs(64, data)
    assert pairs.pictures.shape[1:] == (3, 64, 64)
    assert pairs.same.tolist() == ([True] * 4 + [False] * 4) * 2
    assert pairs.fold.tolist() == [0] * 8 + [1] * 8
    assert len(lfw.load_pairs(64, data, each=1).same) == 4
    figures = lfw.verify(rows(pairs.pictures) - 0.5, pairs)
    assert figures["lfw_accuracy"] == 1.0
    assert figures["tar_at_far_1e-2"] == 1.0


@pytest.mark.parametrize("side", [160, 250])
@pytest.mark.parametrize("size", [64, 112])
def test_eyes_come_to_the_templates_places(tmp_path, side, size):
    samples = np.zeros((side, side, 3), np.uint8)
    y, x = np.mgrid[:side, :side]
    for eye in lfw._EYES + (side - 1) / 2 * (1 + 1j):
        samples[np.hypot(x - eye.real, y - eye.imag) < 3] = 255
    Image.fromarray(samples).save(tmp_path / "face.png")
    made = lfw.on_template(tmp_path / "face.png", size)[:, :, 0].astype(float)
    for px, py in (TEMPLATE[:2] + MARGIN + 0.5) * size / 128 - 0.5:
        row, column = round(py), round(px)
        near = made[row - 6 : row + 7, column - 6 : column + 7]
        at = np.array(np.unravel_index(near.argmax(), near.shape)) - 6
        assert near.max() > 100
        assert np.abs(at).max() <= 0.02 * size


def test_peers_are_the_textbooks():
    rng = np.random.default_rng(0)
    basis = rng.normal(size=(5, 27))
    people = np.repeat(np.arange(12), 10)
    centres = rng.normal(size=(12, 5)) * [3, 3, 1, 1, 1]
    codes = centres[people] + rng.normal(size=(120, 5)) * [3, 0.1, 1, 0.1, 1]
    pictures = torch.from_numpy((0.5 + 0.01 * codes @ basis).astype(np.float32)).view(-1, 3, 3, 3)
    pca = Eigenfaces(pictures, 5)
    assert float((pca.decode(pca.encode(pictures)) - pictures).abs().max()) < 1e-4
    assert pca.encode(pictures, numbers=2).shape == (120, 2)
    assert pca.encode(pictures, whiten=True).std(0) == pytest.approx(1, abs=0.02)
    fisher = Fisherfaces(pictures, people, 2, pca).encode(pictures)
    means = np.stack([fisher[people == p].mean(0) for p in range(12)])
    assert (((fisher[:, None] - means) ** 2).sum(-1).argmin(1) == people).mean() > 0.95


def test_few_labels_beat_chance_where_classes_differ(data):
    table = few_labels(lambda x: rows(x)[:, ::50], 4, data, labels_a_class=(5,))
    assert set(table) == {"5 labels a class"}
    row = table["5 labels a class"]
    assert set(row) == {"code", "pixels", "pca"}
    assert row["pixels"] > 0.5
