"""`unpool data`, as a person calls it."""

import json
import sys

import pytest
from PIL import Image

from unpool.cli import main
from unpool.train.data.pack import Pack


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["unpool", "data", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        out, err = capsys.readouterr()
        return stopped.value.code or 0, out, err

    return call


def test_list_names_every_set(run):
    status, out, _ = run("list")
    assert status == 0
    assert "fashion-mnist" in out
    assert "CC BY-SA 4.0" in out
    _, out, _ = run("list", "--json")
    assert {"name", "page", "licence", "here"} <= json.loads(out)["sets"][0].keys()


def test_pack_and_open(run, tmp_path):
    for label in ("a", "b"):
        (tmp_path / "in" / label).mkdir(parents=True)
        Image.new("RGB", (30, 20), "red").save(tmp_path / "in" / label / "1.png")
    status, out, err = run("pack", "in", "-o", "x.pack", "--size", 8)
    assert (status, err) == (0, "")
    assert out == "x.pack: 2 pictures, 2 labels, 1 file, 0.0 MB\n"
    assert Pack(tmp_path / "x.pack")[1].shape == (8, 8, 3)
    assert run("pack", "in", "-o", "y.pack", "--grey")[0] == 0
    assert Pack(tmp_path / "y.pack")[0].shape == (20, 30, 1)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["pack", "missing", "-o", "x.pack"], "missing is not a folder"),
        (["pack", ".", "-o", "x.pack"], "holds no pictures"),
        (["pack", ".", "-o", "x.bin"], "ends in .pack"),
        (["get", "kodac"], "did you mean kodak?"),
        (["get", "celeba"], "identity_CelebA.txt"),
        (["list", "--data", "missing"], "does not exist"),
    ],
)
def test_mistakes_are_one_line(run, arguments, says):
    status, out, err = run(*arguments)
    assert status == 2
    assert says in err
    assert err.count("\n") == 1
    assert out == ""
