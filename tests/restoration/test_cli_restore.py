"""`unpool restore` as a user meets it."""

import json
import sys
from dataclasses import dataclass

import numpy as np
import pytest
from skimage import data

from unpool.cli.main import main
from unpool.images.picture import Picture
from unpool.images.reading import read
from unpool.images.writing import write
from unpool.zoo.record import Record
from unpool.zoo.weights import save

from .conftest import restorer


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A weight file of a tiny enlarger."""
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    config = {"scale": 2, "channels": 8, "blocks": 2}
    record = Record(
        name="restoration/tiny", task="restoration", network="unpool.restoration.model:Restorer", config=config
    )
    save(path, restorer(**config), record)
    return path


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, suffix in enumerate((".png", ".jpg")):
        write(Picture(np.ascontiguousarray(data.chelsea()[: 30 + number, :40])), folder / f"cat{number}{suffix}")
    return folder


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def run(monkeypatch, capsys):
    """The command in this process: its exit status and what it printed."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["unpool", "restore", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        captured = capsys.readouterr()
        return Done(left.value.code, captured.out, captured.err)

    return call


def test_one_picture_with_a_report(run, photos, weights, tmp_path):
    done = run(photos / "cat0.png", "-o", tmp_path / "big.png", "--model", weights, "--report", tmp_path / "page.html")
    assert done.returncode == 0, done.stderr
    assert (read(tmp_path / "big.png").height, read(tmp_path / "big.png").width) == (60, 80)
    page = (tmp_path / "page.html").read_text()
    assert "consistency" in page
    assert "not evidence" in page


def test_a_folder_as_json_and_a_bad_file_among_good_ones(run, photos, weights, tmp_path):
    (photos / "broken.png").write_bytes(b"no picture")
    done = run(photos, "-o", tmp_path / "out", "--model", weights, "--json")
    answer = json.loads(done.stdout)
    assert done.returncode == 2
    assert answer["failed"] == 1
    assert "broken.png" in done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["cat0.png", "cat1.png"]
    assert {row["scale"] for row in answer["restored"]} == {2.0}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--method", "nlm"], "--sigma"),
        (["--motion", "fast", "--method", "wiener"], "LENGTH,ANGLE"),
        (["--device", "cuda"], "cuda"),
        (["--scale", "40"], "give 1 to 16"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(run, photos, tmp_path, arguments, words):
    done = run(photos / "cat0.png", "-o", tmp_path / "out.png", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out.png").exists()


def test_a_report_of_a_picture_restored_in_its_place(run, photos):
    place = photos / "cat0.png"
    options = ["--method", "nlm", "--sigma", "30", "--report"]
    assert run(place, "-o", photos / "other.png", *options, photos / "a.html").returncode == 0
    assert run(place, "-o", place, *options, photos / "b.html").returncode == 0
    assert "identical" not in (photos / "b.html").read_text()
    done = run(photos / "cat1.jpg", "-o", photos / "r.png", *options, photos / "nope" / "r.html")
    assert done.returncode == 2
    assert not (photos / "r.png").exists()


def test_what_does_not_go_together_is_refused(run, photos):
    bicubic, wiener = ["--method", "bicubic", "--scale", "2"], ["--method", "wiener"]
    for options, says in (
        ([*bicubic, "--model", "nonsense"], "is no network"),
        ([*bicubic, "--task", "denoise"], "is no network"),
        (["--sigma", "3"], "finds noise and blur itself"),
        ([*wiener, "--blur", "1", "--motion", "3,0"], "not both"),
        ([*wiener, "--blur", "inf"], "0 to 100 pixels"),
        ([*wiener, "--blur", "1e6"], "0 to 100 pixels"),
        ([*wiener, "--motion", "nan,1"], "0 to 100 pixels"),
        ([*wiener, "--motion", "-5,0"], "0 to 100 pixels"),
        ([*wiener, "--motion", "5,inf"], "finite angle"),
    ):
        done = run(photos / "cat0.png", "-o", photos / "r.png", *options)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), (options, done.stderr)
        assert says in done.stderr
    assert not (photos / "r.png").exists()


def test_transparency_that_hides_nothing_is_no_obstacle(run, photos):
    grey = np.full((20, 30, 3), 90, np.uint8)
    write(Picture(grey, np.full((20, 30), 255, np.uint8)), photos / "opaque.png")
    enlarge = ["--method", "bicubic", "--scale", "2"]
    assert run(photos / "opaque.png", "-o", photos / "o.jpg", *enlarge).returncode == 0
    write(Picture(grey, np.full((20, 30), 254, np.uint8)), photos / "veiled.png")
    assert run(photos / "veiled.png", "-o", photos / "v.jpg", *enlarge).returncode == 2
