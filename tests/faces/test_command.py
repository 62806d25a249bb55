"""`unpool faces`: what a person types, and one line for each mistake."""

import json

import numpy as np
import pytest
from PIL import Image
from skimage import data

from unpool.cli import main as door


@pytest.fixture
def unpool(capsys):
    """Run a command; its exit status, output and errors."""

    def run(*words):
        import sys
        from unittest import mock

        with mock.patch.object(sys, "argv", ["unpool", *map(str, words)]), pytest.raises(SystemExit) as end:
            door()
        said = capsys.readouterr()
        return end.value.code or 0, said.out, said.err

    return run


@pytest.fixture(scope="module")
def crop(tmp_path_factory):
    path = tmp_path_factory.mktemp("crop") / "crop.png"
    Image.fromarray(data.astronaut()).crop((165, 30, 285, 150)).resize((112, 112)).save(path)
    return path


@pytest.mark.usefixtures("detector")
def test_detect(unpool, tmp_path):
    path = tmp_path / "astronaut.png"
    Image.fromarray(data.astronaut()).resize((256, 256)).save(path)
    status, out, _ = unpool("faces", "detect", path, "--json", "-o", tmp_path / "framed.png")
    assert status == 0
    (found,) = json.loads(out)["faces"][str(path)]
    assert len(found["landmarks"]) == 5
    assert Image.open(tmp_path / "framed.png").size == (256, 256)
    status, out, _ = unpool("faces", "detect", path)
    assert status == 0
    assert "1 face" in out


@pytest.mark.usefixtures("detector")
def test_align_makes_a_training_set(unpool, tmp_path):
    photos, out = tmp_path / "photos", tmp_path / "aligned"
    (photos / "Eileen").mkdir(parents=True)
    Image.fromarray(data.astronaut()).resize((256, 256)).save(photos / "Eileen" / "a.jpg")
    Image.new("RGB", (64, 64)).save(photos / "empty.png")
    status, said, err = unpool("faces", "align", photos, "-o", out, "--json")
    assert status == 0
    assert json.loads(said) == {"out": str(out), "faces": 1, "without": [str(photos / "empty.png")]}
    assert err.count("empty.png") == 1
    (photos / "broken.jpg").write_text("no picture")
    status, said, err = unpool("faces", "align", photos, "-o", out, "--json")
    assert (status, json.loads(said)["faces"], err.count("broken.jpg")) == (0, 1, 1)
    assert [path.relative_to(out).as_posix() for path in out.rglob("*.*")] == ["Eileen/a.jpg.png"]
    assert Image.open(out / "Eileen" / "a.jpg.png").size == (128, 128)
    for folder, place, says in (
        (photos, photos / "in", "outside it"),
        (photos / "none", out, "is not a folder"),
    ):
        status, _, err = unpool("faces", "align", folder, "-o", place)
        assert (status, says in err, err.count("\n")) == (2, True, 1)
    (photos / "Eileen" / "a.jpg").unlink()
    status, _, err = unpool("faces", "align", photos, "-o", tmp_path / "other")
    assert status == 2
    assert "nothing was written" in err
    assert not (tmp_path / "other").exists()


def test_verify_and_explain(unpool, crop, model, tmp_path):
    page = tmp_path / "why.html"
    status, out, _ = unpool("faces", "verify", crop, crop, "--aligned", "--model", model, "--explain", page, "--json")
    assert status == 0
    answer = json.loads(out)
    assert answer["same"] is True
    assert answer["similarity"] == pytest.approx(1, abs=1e-4)
    assert "crop.png" in page.read_text()
    status, out, _ = unpool("faces", "verify", crop, crop, "--aligned", "--model", model)
    assert out.startswith("the same person")


def test_embed(unpool, crop, model, tmp_path):
    out = tmp_path / "faces.npz"
    status, _, _ = unpool("faces", "embed", crop, crop, "-o", out, "--aligned", "--model", model)
    assert status == 0
    with np.load(out) as table:
        assert table["embedding"].shape == (2, 16)


def test_restore(unpool, crop, model, tmp_path):
    out = tmp_path / "face.png"
    status, _, _ = unpool("faces", "restore", crop, "-o", out, "--aligned", "--model", model)
    assert status == 0
    assert Image.open(out).size == (112, 112)


@pytest.mark.usefixtures("detector")
def test_no_face_is_one_line(unpool, model, tmp_path):
    path = tmp_path / "blank.png"
    Image.new("RGB", (64, 64), "grey").save(path)
    status, out, err = unpool("faces", "restore", path, "-o", tmp_path / "x.png", "--model", model)
    assert status == 2
    assert out == ""
    assert err.count("\n") == 1
    assert "no face" in err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("embed", "CROP", "-o", "x.parquet", "--aligned"), ".npz"),
        (("embed", "CROP", "-o", "nowhere/x.npz", "--aligned"), "no folder"),
        (("verify", "CROP", "missing.png", "--aligned"), "missing.png"),
        (("verify", "CROP", "CROP", "--model", "faces/none"), "no model"),
        (("detect", "CROP", "CROP", "-o", "x.png"), "one picture"),
    ],
)
def test_mistakes_are_one_line(unpool, crop, words, says, model):
    words = [crop if word == "CROP" else word for word in words]
    if words[0] == "verify" and "--model" not in words:
        words += ["--model", model]
    status, _, err = unpool("faces", *words)
    assert status == 2
    assert says in err
    assert err.count("\n") == 1
