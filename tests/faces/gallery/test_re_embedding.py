"""A gallery brought to another model: nobody is lost in silence, and what scores meant before is forgotten."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from unpool.errors import GalleryError
from unpool.faces.gallery import Gallery
from unpool.faces.gallery.embedder import CallableEmbedder

_spec = importlib.util.spec_from_file_location("gallery_conftest", Path(__file__).with_name("conftest.py"))
_shared = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_shared)
Toy, portrait = _shared.Toy, _shared.portrait


class Other(Toy):
    """Another model, of another length."""

    name = "other/2"

    def __call__(self, picture):
        return super().__call__(picture)[:12]


def blind_to(*pictures):
    """The other model, which finds no face in some pictures."""
    embedder = CallableEmbedder(Other())
    seen = embedder.faces
    embedder.faces = lambda picture: [] if any(np.array_equal(picture.samples, p) for p in pictures) else seen(picture)
    return embedder


def made(place, people):
    with Gallery.open(place, embedder=Toy()) as gallery:
        for name, pictures in people.items():
            gallery.enroll(name, pictures)


def test_the_calibration_of_the_former_model_goes_and_that_of_this_one_stays(place):
    own = {f"p{p}": [portrait(p, s) for s in range(4)] for p in range(12)}
    made(place, {"Ada": portrait(0)})
    for expected in (True, False):
        with Gallery.open_any(place, embedder=Other()) as gallery:
            gallery.calibrate(own)
            assert gallery.re_embed([portrait(0)]).uncalibrated == expected
            assert (gallery._store.setting("calibration") is None) == expected
    with Gallery.open_any(place, embedder=Toy()) as gallery:
        with pytest.raises(GalleryError, match="no enrolled picture"):
            gallery.re_embed([])
        assert gallery._store.setting("calibration") is not None


def test_traces_that_are_left_do_not_hide_what_was_lost(place, monkeypatch):
    def busy():
        raise GalleryError("somebody reads")

    made(place, {"Ada": [portrait(0), portrait(0, 1)]})
    with Gallery.open_any(place, embedder=Other()) as gallery:
        with monkeypatch.context() as reading:
            reading.setattr(gallery._store, "_vacuum", busy)
            done = gallery.re_embed([portrait(0)])
        assert done.lost
        assert "somebody reads" in done.unwiped
        again = gallery.re_embed([portrait(0)])
        assert (again.lost, again.unwiped) == ((), None)
        assert gallery._store._marks() == []


def test_a_picture_under_two_names_stays_under_both(place):
    made(place, {"Ada": portrait(0), "Ada Lovelace": [portrait(0), portrait(0, 1)]})
    with Gallery.open_any(place, embedder=Other()) as gallery:
        done = gallery.re_embed([portrait(0), portrait(0, 1), portrait(0)])
        assert (done.pictures, done.lost) == (2, ())
        assert [(p.name, p.pictures) for p in gallery.people()] == [("Ada", 1), ("Ada Lovelace", 2)]
        with pytest.raises(GalleryError, match="no enrolled picture of Ada was given: nothing"):
            gallery.re_embed([portrait(0, 1)])


def test_lost_pictures_are_listed_while_one_is_left_and_refused_where_none_is(place):
    made(place, {"Ada": [portrait(0, s) for s in range(3)], "Bob": portrait(1)})
    given = [portrait(0, 0), portrait(0, 1), portrait(1)]
    with Gallery.open_any(place, embedder=blind_to(portrait(0, 1))) as gallery:
        done = gallery.re_embed(given)
        assert done.pictures == 2
        assert done.lost == (
            ("picture 1 (Ada)", "no face was found"),
            ("Ada", "1 of 3 enrolled pictures not given"),
        )
    with Gallery.open_any(place, embedder=blind_to(portrait(1))) as gallery:
        why = r"no enrolled picture of Bob was given that can be used \(picture 2: no face was found\): nothing"
        with pytest.raises(GalleryError, match=why):
            gallery.re_embed(given)
        assert [(p.name, p.pictures) for p in gallery.people()] == [("Ada", 1), ("Bob", 1)]
