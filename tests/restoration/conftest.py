"""A small restorer with random weights, and photographs."""

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from unpool.images.picture import Picture
from unpool.restoration.model import Restorer


def restorer(**config):
    """A restorer that changes its input visibly: its last layer begins at zero otherwise."""
    torch.manual_seed(0)
    network = Restorer(**{"channels": 8, "blocks": 2, **config})
    torch.nn.init.normal_(next(network.up.operation.parameters()), std=0.01)
    return network.eval()


@pytest.fixture(scope="session")
def enlarger():
    return restorer(scale=4)


@pytest.fixture(scope="session")
def cleaner():
    return restorer(down=2)


@pytest.fixture
def small_tiles(monkeypatch):
    monkeypatch.setattr("unpool.restoration.network.TILE", 32)


@pytest.fixture(scope="session")
def photo():
    return Picture(np.ascontiguousarray(data.chelsea()[100:161, 120:197]))


@pytest.fixture(scope="session")
def deep(photo):
    """16 bits, with an alpha channel."""
    generator = np.random.default_rng(0)
    samples = photo.samples.astype(np.uint16) * 257 + generator.integers(0, 200, photo.samples.shape, dtype=np.uint16)
    alpha = generator.integers(0, 65536, photo.samples.shape[:2], dtype=np.uint16)
    return Picture(np.minimum(samples, 65535).astype(np.uint16), alpha)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data folder with small photographs, named so that some are held out."""
    root = tmp_path_factory.mktemp("data")
    (root / "packs").mkdir()
    place = root / "photos" / "train" / "few"
    place.mkdir(parents=True)
    source = data.astronaut()
    for number in range(40):
        top, left = (number * 37) % 400, (number * 91) % 400
        Image.fromarray(source[top : top + 112, left : left + 112]).save(place / f"{number:03}.png")
    return root


@pytest.fixture
def float32(monkeypatch):
    """Networks run in float32 on processors that multiply in bfloat16 too: what is compared, is compared to its end."""
    monkeypatch.setattr("unpool.zoo.runtime.bf16_hardware", lambda: False)
