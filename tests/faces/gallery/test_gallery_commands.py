"""`unpool faces enroll` and its sisters, from pictures on disk to printed lines."""

import importlib.util
import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from unpool.cli.faces import app
from unpool.errors import GalleryError
from unpool.faces.gallery.embedder import CallableEmbedder

_spec = importlib.util.spec_from_file_location("gallery_conftest", Path(__file__).with_name("conftest.py"))
_shared = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_shared)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A command run in a folder with people/p0 to p7, three pictures each; its printed lines."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("unpool.faces.api.gallery_embedder", lambda: CallableEmbedder(_shared.Toy()))
    for person in range(8):
        (tmp_path / "people" / f"p{person}").mkdir(parents=True)
        for shot in range(3):
            Image.fromarray(_shared.portrait(person, shot)).save(f"people/p{person}/{shot}.png")

    def call(*arguments):
        done = CliRunner().invoke(app, arguments)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.stdout

    return call


def test_from_enrolment_to_erasure(run):
    assert run("enroll", "Ada", "people/p0/0.png", "people/p0/1.png") == "Ada: 2 pictures enrolled\n"
    run("enroll", "Bob", "people/p1/0.png")
    assert [row["name"] for row in json.loads(run("list", "--json"))["people"]] == ["Ada", "Bob"]
    assert "Ada (probability" in run("identify", "people/p0/2.png")
    assert "unknown (nearest" in run("identify", "people/p5/2.png")
    (face,) = json.loads(run("identify", "people/p1/2.png", "--json"))["people/p1/2.png"]
    assert face["name"] == "Bob"
    assert face["runner_up"]["name"] == "Ada"
    assert "calibrated on 24 pairs of one person" in run("calibrate", "people")
    run("export", "-o", "all.safetensors")
    assert run("import", "all.safetensors", "--gallery", "copy.db") == "2 people enrolled\n"
    assert run("re-embed", "people") == "3 pictures embedded anew\n"
    assert run("erase", "Ada").startswith("erased: ")
    assert "Ada" not in run("list")
    trail = run("list", "--audit")
    assert "erased" in trail
    assert "Ada" not in trail


def test_encrypted_with_a_new_key(run, tmp_path):
    run("enroll", "Ada", "people/p0/0.png", "--new-key", "key")
    assert (tmp_path / "key").stat().st_mode & 0o077 == 0
    with pytest.raises(GalleryError, match="is encrypted"):
        run("list")
    assert "Ada" in run("list", "--key", "key")
    with pytest.raises(GalleryError, match="no key file"):
        run("list", "--key", "none")
    with pytest.raises(GalleryError, match="exists already"):
        run("enroll", "Bob", "people/p1/0.png", "--new-key", "other")
