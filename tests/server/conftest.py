"""A service in memory, with a key of every kind."""

import io

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from unpool.faces.gallery.calibration import fit
from unpool.server.app import Settings, create_app
from unpool.server.keys import KeyStore
from unpool.server.work import Limits


class Toy:
    """Whoever has the same top left pixels is the same person."""

    name = "toy/1"

    def __init__(self):
        rng = np.random.default_rng(0)
        self.calibration = fit(rng.normal(0.9, 0.05, 300), rng.normal(0.0, 0.25, 3000))

    def __call__(self, picture):
        values = picture.samples[:4, :4, 0].astype(np.float32).reshape(-1) - 127.5
        return values if np.abs(values).max() > 1 else np.ones(16, np.float32)


def png(seed, size=(24, 20)):
    data = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(data, "png")
    return data.getvalue()


@pytest.fixture
def picture():
    return png


@pytest.fixture
def settings(tmp_path):
    limits = Limits(body_bytes=150_000, pixels=40_000, seconds=60, queue=4)
    return Settings(keys=tmp_path / "keys.db", galleries=tmp_path / "galleries", limits=limits, embedder=Toy())


@pytest.fixture
def client(settings):
    key = KeyStore(settings.keys).make(["*"])
    with TestClient(create_app(settings), base_url="http://localhost", raise_server_exceptions=False) as made:
        made.headers["Authorization"] = f"Bearer {key}"
        yield made
