"""One contract over both stores: enrol, identify, verify, erase, calibrate, export, import, re-embed."""

import importlib.util
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from unpool.errors import GalleryError
from unpool.faces.gallery import Gallery
from unpool.faces.gallery.calibration import fit
from unpool.faces.gallery.store import Entry, unit

_spec = importlib.util.spec_from_file_location("gallery_conftest", Path(__file__).with_name("conftest.py"))
_shared = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_shared)
Toy, portrait = _shared.Toy, _shared.portrait


def fill(gallery, people=5, shots=2):
    for person in range(people):
        gallery.enroll(f"Person {person}", [portrait(person, shot) for shot in range(shots)])


def test_known_faces_are_named_and_strangers_are_not(gallery):
    fill(gallery)
    for person in range(5):
        (answer,) = gallery.identify(portrait(person, shot=9))
        assert answer.name == f"Person {person}"
        assert answer.probability > 0.95
        assert answer.runner_up.name != answer.name
    for stranger in range(100, 110):
        (answer,) = gallery.identify(portrait(stranger))
        assert answer.name is None
        assert answer.score < answer.threshold
        assert answer.nearest is not None


def test_several_photos_make_one_person(gallery):
    fill(gallery, people=2, shots=3)
    gallery.enroll("  Person 0 ", portrait(0, 7))
    assert [(p.name, p.pictures) for p in gallery.people()] == [("Person 0", 4), ("Person 1", 3)]
    assert len(gallery) == 2
    gallery.enroll("Person 0", portrait(0, 7))
    assert gallery.people()[0].pictures == 4


def test_verify(gallery):
    fill(gallery, people=2)
    assert gallery.verify("Person 0", portrait(0, 5)).same
    other = gallery.verify("Person 0", portrait(1, 5))
    assert not other.same
    assert other.false_match_rate > 0.001
    with pytest.raises(GalleryError, match="nobody called 'Nobody'"):
        gallery.verify("Nobody", portrait(0))


def test_erase(gallery):
    fill(gallery, people=3)
    person = gallery.erase("Person 1")
    assert [p.name for p in gallery.people()] == ["Person 0", "Person 2"]
    assert gallery.identify(portrait(1))[0].name is None
    with pytest.raises(GalleryError, match="nobody called"):
        gallery.erase("Person 1")
    assert ("erased", person.id) in [(event, subject) for _, event, subject in gallery.audit()]
    assert not any("Person" in field for row in gallery.audit() for field in row)


def test_an_erasure_that_could_not_be_finished_is_finished_by_the_next(gallery, monkeypatch):
    def busy():
        raise GalleryError("somebody reads")

    fill(gallery, people=2)
    with monkeypatch.context() as reading:
        reading.setattr(gallery._store, "_vacuum", busy)
        for _ in range(2):
            with pytest.raises(GalleryError, match=r"removed, but traces may be left \(somebody reads\)"):
                gallery.erase("Person 1")
    assert [p.name for p in gallery.people()] == ["Person 0"]
    again = gallery.erase("Person 1")
    assert (again.id, again.name, again.pictures) == ("", "Person 1", 0)
    with pytest.raises(GalleryError, match="nobody called 'Person 1'"):
        gallery.erase("Person 1")


def test_reopened_it_is_the_same(place):
    with Gallery.open(place, embedder=Toy()) as gallery:
        fill(gallery)
        before = gallery.people()
    with Gallery.open(place, embedder=Toy(), create=False) as gallery:
        assert gallery.people() == before
        assert gallery.identify(portrait(3, 4))[0].name == "Person 3"


def test_another_model_is_refused_and_re_embedding_helps(place):
    with Gallery.open(place, embedder=Toy()) as gallery:
        fill(gallery, people=2)
    other = type(
        "Other", (Toy,), {"name": "other/2", "__call__": lambda self, picture: Toy.__call__(self, picture)[:12]}
    )
    with pytest.raises(GalleryError, match=r"made by the model toy/1 .* not by other/2"):
        Gallery.open(place, embedder=other())
    with Gallery.open_any(place, embedder=other()) as gallery:
        with pytest.raises(GalleryError, match=r"no enrolled picture of Person 1"):
            gallery.re_embed([portrait(0, 0)])
        assert gallery.re_embed([portrait(p, s) for p in range(3) for s in range(2)]).pictures == 4
    with Gallery.open(place, embedder=other()) as gallery:
        assert gallery.identify(portrait(1, 4))[0].name == "Person 1"
    with pytest.raises(GalleryError, match=r"made by the model other/2"):
        Gallery.open(place, embedder=Toy())


def test_two_write_at_once(place):
    Gallery.open(place, embedder=Toy()).close()

    def write(first):
        with Gallery.open(place, embedder=Toy()) as gallery:
            for person in range(first, first + 15):
                gallery.enroll(f"Person {person}", portrait(person))
                gallery.enroll("Everybody", portrait(person, 1))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, (0, 100)))
    with Gallery.open(place, embedder=Toy()) as gallery:
        assert len(gallery) == 31
        assert next(p.pictures for p in gallery.people() if p.name == "Everybody") == 30


def test_many_at_once(place):
    """A server takes many people by another lane than a few."""
    vectors = np.random.default_rng(0).normal(size=(1500, 16)).astype(np.float32)
    with Gallery.open(place, embedder=Toy()) as gallery:
        gallery.enroll("Person 3", portrait(3))
        people = {f"Person {n}": [Entry(f"{n:064x}", vector)] for n, vector in enumerate(vectors)}
        gallery._store.add_all(people)
        assert len(gallery) == 1500
        assert gallery._store.person("Person 3").pictures == 2
        hits = gallery._store.nearest(unit(vectors[700], 16), 2)
        assert hits[0].name == "Person 700"
        assert hits[0].score == pytest.approx(1, abs=1e-5)
        assert len(gallery.audit()) == 1501


def test_a_search_that_asks_for_more_than_the_server_keeps(server, monkeypatch):
    from unpool.faces.gallery import breadth

    server.psql("DROP SCHEMA IF EXISTS unpool CASCADE;")
    monkeypatch.setattr(breadth, "_WIDEST", 10)
    monkeypatch.setattr(breadth, "_NARROWEST", 10)
    vectors = np.random.default_rng(2).normal(size=(1500, 16)).astype(np.float32)
    query = unit(np.random.default_rng(3).normal(size=16), 16)
    scores = vectors / np.linalg.norm(vectors, axis=1, keepdims=True) @ query
    true = [f"Person {n}" for n in np.argsort(-scores)[:10]]
    with Gallery.open(server.get_uri(), embedder=Toy()) as gallery:
        gallery._store.add_all({f"Person {n}": [Entry(f"{n:064x}", v)] for n, v in enumerate(vectors)})
        people, wide = json.loads(gallery._store._get("breadth"))
        assert people == 1500
        assert 10 < wide < 1500, "ten candidates do not hold the ten nearest, and not all are needed"
    with Gallery.open(server.get_uri(), embedder=Toy()) as gallery:
        assert gallery._store._breadth.rows == wide
        gallery._store._db.execute("SET enable_seqscan = off")
        found = [hit.name for hit in gallery._store.nearest(query, 10)]
        assert len(set(found) & set(true)) >= 9
        gallery._store._breadth.use(15_000, gallery._store._get("breadth"))
        assert gallery._store._breadth.rows == round(wide * 10**0.7)


def test_a_poor_face_is_held_to_another_threshold_unless_a_clear_one_is_enrolled(place):
    rng = np.random.default_rng(0)
    strict = fit(rng.normal(0.8, 0.05, 100), rng.normal(0.4, 0.1, 1000))
    qualities = iter((0.9, 0.6, 0.65, 0.65, 0.65))
    with Gallery.open(place, embedder=Toy()) as gallery:
        embedder, seen = gallery._embedder, gallery._embedder.faces
        embedder.calibration = replace(
            fit(rng.normal(0.8, 0.05, 100), rng.normal(0, 0.1, 1000)), clear=0.7, poor=strict
        )
        embedder.faces = lambda picture: [replace(one, quality=next(qualities)) for one in seen(picture)]
        gallery.enroll("Clear", portrait(1))
        gallery.enroll("Poor", portrait(2))
        limits = [gallery.identify(portrait(person))[0].threshold for person in (1, 2)]
        assert limits[0] < limits[1] == pytest.approx(strict.gallery_threshold(0.01, 2))
        assert gallery.verify("Poor", portrait(2)).false_match_rate == pytest.approx(strict.false_match_rate(1.0))


def test_an_older_schema_is_brought_up_to_date_and_a_later_one_refused(place, monkeypatch):
    from unpool.faces.gallery import postgres, sqlite

    with Gallery.open(place, embedder=Toy()) as gallery:
        gallery.enroll("Ada", portrait(1))
    with monkeypatch.context() as later:
        for module, prefix in ((sqlite, ""), (postgres, "unpool.")):
            later.setattr(module, "SCHEMA", 2)
            later.setitem(module._MIGRATIONS, 2, f"CREATE TABLE {prefix}later (x INTEGER)")
        for _ in range(2):
            with Gallery.open(place, embedder=Toy()) as gallery:
                assert gallery.people()[0].name == "Ada"
    with pytest.raises(GalleryError, match="update unpool"):
        Gallery.open(place, embedder=Toy())


def test_a_key_is_refused_on_a_server():
    with pytest.raises(GalleryError, match="cannot be encrypted"):
        Gallery.open("postgresql://nowhere/none", embedder=Toy(), key=b"0" * 32)


def test_calibrate_on_ones_own_pairs(gallery):
    people = {f"p{p}": [portrait(p, s) for s in range(4)] for p in range(12)}
    calibration = gallery.calibrate(people).calibration
    assert calibration.probability(0.99) > 0.95
    assert calibration.probability(0.0) < 0.05
    assert gallery.calibration == calibration
    assert ("calibrated", "") in [row[1:] for row in gallery.audit()]


def test_export_and_import(gallery, tmp_path):
    fill(gallery, people=3)
    gallery.export(tmp_path / "out.safetensors")
    with Gallery.open(tmp_path / "copy.db", embedder=Toy()) as copy:
        assert copy.import_(tmp_path / "out.safetensors") == 3
        assert [(p.name, p.pictures) for p in copy.people()] == [(p.name, p.pictures) for p in gallery.people()]
        assert copy.identify(portrait(2, 8))[0].name == "Person 2"


def test_mistakes(gallery):
    with pytest.raises(GalleryError, match="nobody is enrolled"):
        gallery.identify(portrait(0))
    with pytest.raises(GalleryError, match="not enrolled"):
        gallery.enroll("X", [])
    with pytest.raises(GalleryError, match=r"'X' was not enrolled: nowhere.jpg: "):
        gallery.enroll("X", "nowhere.jpg")
    for name in ("", "  ", "a\nb", "x" * 201):
        with pytest.raises(GalleryError, match="1 to 200 printable"):
            gallery.enroll(name, portrait(0))
    done = gallery.enroll("X", [portrait(0), "nowhere.jpg"])
    assert done.person.pictures == 1
    assert done.rejected[0][0] == "nowhere.jpg"


def test_quality_weighs():
    from unpool.faces.gallery.store import template

    a, b = np.eye(2, dtype=np.float32)
    assert template([Entry("a", a, 3.0), Entry("b", b, 1.0)])[0] > 0.9
    assert np.allclose(template([Entry("a", a, 2.0), Entry("b", -a, 1.0)]), a)
    assert np.allclose(template([Entry("a", a, 1.0), Entry("b", -a, 1.0)]), a)


def test_a_callable_that_gives_no_vector(tmp_path):
    with pytest.raises(GalleryError, match="should give one vector"):
        Gallery.open(tmp_path / "x.db", embedder=lambda picture: np.zeros((2, 2)))
    with pytest.raises(GalleryError, match="is no embedder"):
        Gallery.open(tmp_path / "x.db", embedder=3)
    assert not (tmp_path / "x.db").exists()


def test_uncalibrated_network_says_so(tmp_path):
    with Gallery.open(tmp_path / "x.db", embedder=lambda p: np.ones(3)) as gallery:
        gallery.enroll("X", portrait(0))
        with pytest.raises(GalleryError, match="calibrate the gallery"):
            gallery.identify(portrait(0))
