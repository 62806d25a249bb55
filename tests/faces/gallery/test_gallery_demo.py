"""The demo's section: before it is enrolled a face is unknown, afterwards it has a name."""

from types import SimpleNamespace

import numpy as np
import pytest

from unpool.faces.gallery import demo
from unpool.faces.gallery.calibration import fit
from unpool.faces.gallery.embedder import Seen
from unpool.faces.gallery.store import Identity, unit
from unpool.images.page import Page
from unpool.images.picture import Picture


class Colours:
    """A face's embedding is its mean colour."""

    identity = Identity("colours/1", 3)

    def __init__(self):
        rng = np.random.default_rng(0)
        self.calibration = fit(rng.normal(0.95, 0.02, 300), rng.normal(0.0, 0.1, 3000))

    def faces(self, picture):
        return [Seen(unit(picture.samples.mean((0, 1)) - 127, 3))]


def flat(*colour):
    return Picture(np.full((64, 64, 3), colour, np.uint8))


@pytest.fixture
def colours(monkeypatch):
    def embed(picture, aligned):
        (seen,) = Colours().faces(picture)
        return SimpleNamespace(embedding=seen.embedding, quality=1.0, reason=None)

    monkeypatch.setattr("unpool.faces.api.gallery_embedder", Colours)
    monkeypatch.setattr(demo, "gallery_embedder", Colours)
    monkeypatch.setattr(demo, "embed", embed)
    made = [flat(250, 120, 120), flat(120, 250, 120)]
    coder = SimpleNamespace(module=SimpleNamespace(code=4), decode=lambda codes: made)
    monkeypatch.setattr(demo, "load", lambda name: coder)
    monkeypatch.setattr(demo, "shipped", lambda: {demo.GENERATOR: None})


def test_unknown_before_and_named_after(colours):
    page = Page("test")
    demo.section(page, "Blue", flat(120, 120, 250), flat(120, 120, 250), SimpleNamespace(size=32.0))
    text = page.html()
    assert text.count("<figure>") == 5
    assert "before: unknown" in text
    assert "after: Blue" in text


def test_without_a_generator_there_is_no_section(monkeypatch):
    monkeypatch.setattr(demo, "shipped", dict)
    page = Page("test")
    empty = page.html()
    demo.section(page, "Blue", flat(0, 0, 255), flat(0, 0, 255), SimpleNamespace(size=32.0))
    assert page.html() == empty
