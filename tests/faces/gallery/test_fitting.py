"""A calibration fitted to one's own pictures: bad ones are passed over, poor faces keep a threshold of their own."""

import importlib.util
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from unpool.errors import GalleryError
from unpool.faces.gallery import Gallery
from unpool.faces.gallery.fitting import fit_pairs
from unpool.faces.gallery.store import Entry, unit

_spec = importlib.util.spec_from_file_location("gallery_conftest", Path(__file__).with_name("conftest.py"))
_shared = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_shared)
Toy, portrait = _shared.Toy, _shared.portrait


def people_of(count, shots, quality, length=64, noise=0.5):
    """Entries of made-up people: unit vectors around one direction each, and poor ones drawn to one another."""
    rng, made = np.random.default_rng(0), []
    for _ in range(count):
        centre, grade = rng.normal(size=length), quality(rng)
        centre[0] += 6 * (grade < 0.75)
        vectors = [unit(centre + noise * rng.normal(size=length), length) for _ in range(shots)]
        made.append([Entry(f"{len(made)}-{n}", vector, grade) for n, vector in enumerate(vectors)])
    return made


def test_poor_faces_keep_a_threshold_of_their_own():
    people = people_of(60, 3, lambda rng: rng.choice([0.65, 0.9]))
    fitted = fit_pairs(people, by_quality=True)
    assert fitted.clear == 0.75
    assert fitted.between(0.65, 0.7).threshold(0.01) > fitted.between(0.65, 0.9).threshold(0.01) + 0.05
    assert fit_pairs(people, by_quality=False).poor is None
    few = fit_pairs(people_of(60, 3, lambda rng: 0.9), by_quality=True)
    assert few.poor is None
    assert few.pairs == (60 * 3, 180 * 179 // 2 - 60 * 3)


def test_a_gallery_tells_poor_faces_apart_where_its_model_does(place):
    people = {f"p{p}": [portrait(p, s) for s in range(3)] for p in range(40)}
    grades = np.random.default_rng(0).choice([0.65, 0.9], 240)
    with Gallery.open(place, embedder=Toy()) as gallery:
        embedder, given = gallery._embedder, iter(grades.tolist())
        seen = embedder.faces
        embedder.faces = lambda picture: [replace(one, quality=next(given)) for one in seen(picture)]
        assert gallery.calibrate(people).calibration.poor is None
        embedder.calibration = replace(embedder.calibration, clear=0.75, poor=embedder.calibration)
        assert gallery.calibrate(people).calibration.poor is not None
        assert gallery.calibration.poor is not None


def test_memory_does_not_grow_with_the_vectors_of_every_pair():
    people = people_of(100, 4, lambda rng: 0.9, length=256)
    tracemalloc.start()
    fit_pairs(people, by_quality=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30e6  # 80,000 pairs; with the vectors of both it was 165 MB


def test_bad_pictures_are_passed_over_and_named(gallery):
    people = {f"p{p}": [portrait(p, s) for s in range(4)] for p in range(12)}
    people["p3"].append("notes.txt")
    blank, seen = np.zeros((8, 8, 3), np.uint8), gallery._embedder.faces
    people["p5"].insert(0, blank)
    gallery._embedder.faces = lambda picture: seen(picture) if picture.samples.any() else []
    done = gallery.calibrate(people)
    assert done.calibration.pairs[0] == 12 * 6
    assert [name for name, _ in done.rejected] == ["notes.txt", "picture 0 of p5"]
    assert done.rejected[1][1] == "no face was found"
    with pytest.raises(GalleryError, match=r"at least 20 .*; 1 not taken, first picture 1 of x: no face was found"):
        gallery.calibrate({"x": [portrait(0), blank]})
    with pytest.raises(GalleryError, match="no usable picture was given"):
        gallery.calibrate({})
    assert gallery.calibration == done.calibration, "a failure leaves the calibration as it was"
