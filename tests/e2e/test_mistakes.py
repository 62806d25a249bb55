"""Mistakes that people make: one line that says what was wrong, exit status 2, nothing half-written."""

import subprocess
import sys

import pytest
import skimage.data

from unpool.cli.main import main
from unpool.images.reading import read
from unpool.images.writing import write

MISTAKES = {
    "a file that is not there": ("explain missing.jpg -o map.png", "there is no file missing.jpg"),
    "a letter for a picture": ("explain letter.jpg -o map.png", "is not a picture"),
    "a picture cut short": ("explain short.png -o map.png", "damaged or cut short"),
    "a model that is not there": ("explain photo.png --model resnet -o map.png", "resnet"),
    "a method that is not there": ("explain photo.png --method gardient -o map.png", "gradient"),
    "a layer that is not there": ("explain photo.png --layer block.4 -o map.png", "_blocks"),
    "a format that is not written": ("explain photo.png -o map.xyz", "names no picture format"),
    "a folder that is not there": ("explain photo.png -o missing/map.png", "no folder"),
    "a device that is not there": ("explain photo.png --device cuda:9 -o map.png", "cuda:9"),
    "no picture at all": ("explain", "Missing"),
    "a command that is not there": ("explian photo.png", "explian"),
    "an option that is not there": ("doctor --jsno", "jsno"),
    "a page where there is no folder": ("demo photo.png -o missing/page.html", "folder"),
    "a recipe that is not there": ("train nothing/here -o run", "nothing/here"),
    "a wing that is not there": ("bench kitchen", "kitchen"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("mistaken")
    write(read(skimage.data.coffee()[:64, :64]), place / "photo.png")
    (place / "letter.jpg").write_text("Dear all,\n")
    (place / "short.png").write_bytes((place / "photo.png").read_bytes()[:2000])
    return place


@pytest.mark.parametrize("mistake", MISTAKES)
def test_one_line_status_2_and_nothing_written(mistake, folder, monkeypatch, capfd):
    command, words = MISTAKES[mistake]
    before = sorted(path.name for path in folder.iterdir())
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["unpool", *command.split()])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    said = capfd.readouterr()
    assert len(said.err.splitlines()) == 1, said.err
    assert said.err.startswith("unpool: ")
    assert words in said.err
    assert said.out == ""
    assert sorted(path.name for path in folder.iterdir()) == before


def test_the_shell_sees_the_same(folder):
    done = subprocess.run(
        [sys.executable, "-m", "unpool", "doctor", "--jsno"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
