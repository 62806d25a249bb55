"""Exported galleries: hostile files are refused with one line."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from unpool.errors import GalleryError
from unpool.faces.gallery.archive import read_archive, write_archive
from unpool.faces.gallery.store import Entry, Identity

ROWS = np.eye(3, dtype=np.float32)
PEOPLE = {"Ada": [Entry("0" * 64, ROWS[0]), Entry("1" * 64, ROWS[1], 0.5)], "Bob": [Entry("2" * 64, ROWS[2])]}


def test_round_trip(tmp_path):
    write_archive(tmp_path / "x", Identity("m", 3), PEOPLE)
    identity, people = read_archive(tmp_path / "x")
    assert identity == Identity("m", 3)
    assert {n: [(e.picture, e.quality, e.embedding.tolist()) for e in es] for n, es in people.items()} == {
        n: [(e.picture, e.quality, e.embedding.tolist()) for e in es] for n, es in PEOPLE.items()
    }


def document(**changes):
    people = {"Ada": [{"sha256": "0" * 64, "quality": 1.0}]}
    return json.dumps({"format": 1, "model": "m", "people": people} | changes)


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (ROWS[:1], "{"),
        (ROWS[:1], document(format=2)),
        (ROWS[:1], document(extra=1)),
        (ROWS[:2], document()),
        (ROWS[:1] * 3, document()),
        (ROWS[:1] * np.nan, document()),
        (ROWS[:1].astype(np.float64), document()),
        (ROWS[0], document()),
        (ROWS[:1], document(people={"A\nda": [{"sha256": "0" * 64, "quality": 1.0}]})),
        (ROWS[:1], document(people={"Ada": [{"sha256": "../etc", "quality": 1.0}]})),
        (ROWS[:1], document(people={"Ada": [{"sha256": "0" * 64, "quality": -1.0}]})),
        (ROWS[:0], document(people={"Ada": []})),
    ],
)
def test_hostile_files(tmp_path, rows, text):
    save_file({"embeddings": np.ascontiguousarray(rows)}, tmp_path / "x", metadata={"unpool-gallery": text})
    with pytest.raises(GalleryError):
        read_archive(tmp_path / "x")


def test_files_of_another_kind(tmp_path):
    with pytest.raises(GalleryError, match="there is no file"):
        read_archive(tmp_path / "none")
    (tmp_path / "text").write_text("hello")
    save_file({"x": ROWS}, tmp_path / "other")
    write_archive(tmp_path / "whole", Identity("m", 3), PEOPLE)
    (tmp_path / "cut").write_bytes((tmp_path / "whole").read_bytes()[:-5])
    for name in ("text", "other", "cut"):
        with pytest.raises(GalleryError, match=r"is not an exported gallery"):
            read_archive(tmp_path / name)
