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
        call.told = done.stderr
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


def test_a_new_key_where_files_cannot_be_linked(run, tmp_path, monkeypatch):
    def refused(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refused)
    run("enroll", "Ada", "people/p0/0.png", "--new-key", "key")
    assert "Ada" in run("list", "--key", "key")


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


def test_erasing_again_says_what_it_did(run, monkeypatch):
    def busy(store):
        raise GalleryError("another process reads people.db")

    run("enroll", "Ada", "people/p0/0.png")
    with monkeypatch.context() as reading:
        reading.setattr("unpool.faces.gallery.sqlite.SQLiteStore._vacuum", busy)
        with pytest.raises(GalleryError, match="do the same again later"):
            run("erase", "Ada")
    said = "nobody called 'Ada' is enrolled; the traces that an earlier removal left are wiped now\n"
    assert run("erase", "Ada") == said


def test_bad_pictures_are_listed(run, monkeypatch):
    Path("people/p0/notes.txt").write_text("not a picture")
    run("enroll", "Ada", "people/p0/0.png", "people/p0/1.png")
    assert "calibrated on 24 pairs of one person" in run("calibrate", "people")
    assert run.told.startswith("not taken: people/p0/notes.txt: ")
    Path("people/p0/1.png").unlink()
    newer = type("Newer", (_shared.Toy,), {"name": "toy/2"})
    monkeypatch.setattr("unpool.faces.api.gallery_embedder", lambda: CallableEmbedder(newer()))
    told = run("re-embed", "people").splitlines()
    assert told[0] == "1 pictures embedded anew"
    assert "run `unpool faces calibrate` again" in told[1]
    assert run.told == "lost: Ada: 1 of 2 enrolled pictures not given\n"
    assert run("re-embed", "people") == "1 pictures embedded anew\n"


def test_a_failed_first_enrolment_leaves_neither_key_nor_gallery(run, tmp_path, monkeypatch):
    folder = tmp_path / "gal"
    folder.mkdir()
    Path("bad.png").write_text("not a picture")
    new = ("--gallery", "gal/g.db", "--new-key", "gal/k")
    with pytest.raises(GalleryError, match="'Ada' was not enrolled"):
        run("enroll", "Ada", "bad.png", *new)
    with pytest.raises(GalleryError, match="cannot be encrypted"):
        run("enroll", "Ada", "people/p0/0.png", "--gallery", "postgresql://nowhere/none", "--new-key", "gal/k")
    for nowhere in (("--gallery", "no/g.db", "--new-key", "gal/k"), ("--gallery", "gal/g.db", "--new-key", "no/k")):
        with pytest.raises(GalleryError, match="a folder that exists"):
            run("enroll", "Ada", "people/p0/0.png", *nowhere)
    with monkeypatch.context() as rival:  # who makes a gallery there meanwhile keeps it
        rival.setattr("unpool.cli.gallery._check_new", lambda gallery, key: Path(gallery).write_text("a rival's"))
        with pytest.raises(GalleryError, match=r"gal/g.db cannot be made: File exists"):
            run("enroll", "Ada", "people/p0/0.png", *new)
    assert [path.name for path in folder.iterdir()] == ["g.db"]
    assert (folder / "g.db").read_text() == "a rival's"
    (folder / "g.db").unlink()
    assert run("enroll", "Ada", "people/p0/0.png", *new) == "Ada: 1 pictures enrolled\n"
    assert sorted(path.name for path in folder.iterdir()) == ["g.db", "k"]
    assert "Ada" in run("list", "--gallery", "gal/g.db", "--key", "gal/k")
    (folder / "g.db").unlink()
    with pytest.raises(GalleryError, match="never replaces a file"):
        run("enroll", "Ada", "people/p0/0.png", *new)


def test_a_gallery_in_which_nobody_could_be_enrolled_is_not_left(run, tmp_path):
    (tmp_path / "t.txt").write_text("no picture")
    (tmp_path / "none.safetensors").write_bytes(b"nothing")
    for arguments in (("enroll", "Ada", "t.txt"), ("import", "none.safetensors")):
        with pytest.raises(GalleryError):
            run(*arguments, "--gallery", "new.db")
        assert not list(tmp_path.glob("new.db*"))
    run("enroll", "Bob", "people/p1/0.png", "--gallery", "new.db")
    with pytest.raises(GalleryError):
        run("enroll", "Ada", "t.txt", "--gallery", "new.db")
    assert "Bob" in run("list", "--gallery", "new.db")


def test_a_gallery_is_not_exported_over_itself(run):
    run("enroll", "Ada", "people/p0/0.png")
    with pytest.raises(GalleryError, match="is the gallery itself"):
        run("export", "-o", "./people.db")
    assert "Ada" in run("list")


def test_a_name_is_the_same_however_its_accents_are_written(run):
    run("enroll", "Jose\u0301", "people/p0/0.png")
    run("enroll", "علی\u200cرضا", "people/p1/0.png")
    assert run("erase", "Jos\u00e9").startswith("erased")
    with pytest.raises(GalleryError, match="printable"):
        run("enroll", "\u200d", "people/p0/0.png")
