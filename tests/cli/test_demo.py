"""`unpool demo` without its wings' work: which wings run, what the page holds, and what goes wrong."""

import sys
from types import ModuleType

import numpy as np
import pytest
from typer.testing import CliRunner

from unpool.cli import demo
from unpool.errors import MissingExtraError, ModelError, PictureError
from unpool.images.picture import Picture
from unpool.images.writing import write

RUNNER = CliRunner()


@pytest.fixture
def rooms(monkeypatch):
    """Two wings: one that shows names of pictures, one whose extra is missing."""
    explanation, faces = ModuleType("unpool.explanation.demo"), ModuleType("unpool.faces.demo")
    explanation.__spec__ = faces.__spec__ = object()
    explanation.sections = lambda page, pictures: page.section("Seen", ", ".join(map(repr, pictures.items())))

    def missing(page, pictures):
        raise MissingExtraError("finding faces", "faces")

    faces.sections = missing
    monkeypatch.setitem(sys.modules, "unpool.explanation.demo", explanation)
    monkeypatch.setitem(sys.modules, "unpool.faces.demo", faces)
    monkeypatch.setattr(demo, "WINGS", ("explanation", "faces"))
    monkeypatch.setattr("unpool.zoo.weights.shipped", lambda: {"faces/small": None})


@pytest.fixture
def photograph(tmp_path):
    path = tmp_path / "mine.png"
    write(Picture(np.full((20, 30, 3), 99, np.uint8)), path)
    return path


def test_the_last_line_is_the_page(rooms, photograph, tmp_path):
    place = tmp_path / "page.html"
    done = RUNNER.invoke(demo.app, [str(photograph), "-o", str(place)])
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1] == str(place)
    page = place.read_text()
    assert "Picture(30x20, RGB, 8 bit)" in page
    assert "mine.png" in page
    assert "unpool[faces]" in page  # left out, and what installs it


def test_photographs_of_its_own_where_none_is_named(rooms, tmp_path):
    RUNNER.invoke(demo.app, ["-o", str(tmp_path / "page.html")])
    page = (tmp_path / "page.html").read_text()
    assert all(name in page for name in demo.PHOTOGRAPHS.values())


def test_a_wing_without_weights_is_left_out(rooms, photograph, tmp_path, monkeypatch):
    monkeypatch.setattr("unpool.zoo.weights.shipped", dict)
    RUNNER.invoke(demo.app, [str(photograph), "-o", str(tmp_path / "page.html")])
    assert "its weights are not here" in (tmp_path / "page.html").read_text()


def test_a_wing_that_fails_is_named_and_the_others_go_on(rooms, photograph, tmp_path):
    def damaged(page, pictures):
        raise ModelError("the weights do not match their hash")

    sys.modules["unpool.faces.demo"].sections = damaged
    done = RUNNER.invoke(demo.app, [str(photograph), "-o", str(tmp_path / "page.html")])
    assert done.exit_code == 0
    assert "faces is left out: the weights do not match" in done.stderr
    assert "Seen" in (tmp_path / "page.html").read_text()


def test_two_pictures_of_one_name_keep_both(rooms, photograph, tmp_path):
    (tmp_path / "more").mkdir()
    twin = tmp_path / "more" / "mine.png"
    twin.write_bytes(photograph.read_bytes())
    RUNNER.invoke(demo.app, [str(photograph), str(twin), "-o", str(tmp_path / "page.html")])
    page = (tmp_path / "page.html").read_text()
    assert str(photograph) in page
    assert str(twin) in page


@pytest.mark.parametrize("out", [".", "missing/page.html"])
def test_a_page_that_cannot_be_written_stops_before_any_work(photograph, tmp_path, out, monkeypatch):
    monkeypatch.setattr(demo, "_run", lambda *_: pytest.fail("worked first"))
    done = RUNNER.invoke(demo.app, [str(photograph), "-o", str(tmp_path / out)])
    assert isinstance(done.exception, PictureError)


def test_a_picture_that_is_none(tmp_path):
    done = RUNNER.invoke(demo.app, [str(tmp_path / "missing.jpg"), "-o", str(tmp_path / "page.html")])
    assert isinstance(done.exception, PictureError)
    assert list(tmp_path.iterdir()) == []
