import json
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

import unpool
from unpool.cli.generate import app
from unpool.errors import DataError, UnpoolError
from unpool.images.picture import Picture


def _run(*arguments):
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if isinstance(result.exception, UnpoolError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_folder_and_grid(plain, tmp_path):
    answer = json.loads(_run(plain, "-n", 5, "--seed", 2, "-o", tmp_path / "o", "--grid", tmp_path / "g.png", "--json"))
    assert answer["n"] == 5
    assert len(list((tmp_path / "o").glob("*.png"))) == 5
    sheet = unpool.read(tmp_path / "g.png").samples
    assert sheet.shape == (32, 48, 3)
    np.testing.assert_array_equal(sheet[:16, :16], unpool.read(tmp_path / "o" / "00000002.png").samples)


def test_walk_directions_and_projection(classy, tmp_path):
    assert "way.webp" in _run(classy, "--to", 4, "--frames", 5, "--class", 1, "-o", tmp_path / "way.webp")
    _run(classy, "--to", 4, "--frames", 5, "--class", 1, "-o", tmp_path / "way")
    assert len(list((tmp_path / "way").glob("*.png"))) == 5
    _run(classy, "--directions", 2, "-o", tmp_path / "strips.png")
    assert unpool.read(tmp_path / "strips.png").samples.shape == (24, 84, 1)
    _run(classy, "-n", 1, "--grid", tmp_path / "one.png")
    answer = json.loads(
        _run(classy, "--project", tmp_path / "one.png", "--class", 0, "-o", tmp_path / "again.png", "--json")
    )
    assert answer["psnr_rgb"] > 20
    assert len(answer["latent"]) == 8


def test_one_picture_goes_to_a_file(plain, tmp_path):
    answer = json.loads(_run(plain, "--seed", 3, "-o", tmp_path / "one.png", "--json"))
    assert (answer["n"], answer["picture"]) == (1, str(tmp_path / "one.png"))
    _same(unpool.read(tmp_path / "one.png"), unpool.generate(plain, seed=3)[0])
    _run(plain, "-n", 2, "-o", tmp_path / "faces-0.7")
    assert len(list((tmp_path / "faces-0.7").glob("*.png"))) == 2


def _same(first, second):
    np.testing.assert_array_equal(first.samples, second.samples)


@pytest.mark.parametrize("truncation", [1, 0.5])
def test_a_walk_begins_and_ends_at_its_seeds(classy, tmp_path, truncation):
    """The class is the first seed's: 5 % 3."""
    _run(classy, "--seed", 5, "--to", 9, "--frames", 3, "--truncation", truncation, "-o", tmp_path / "way")
    first, last = (unpool.read(tmp_path / "way" / f"{i:04d}.png") for i in (0, 2))
    _same(first, unpool.generate(classy, seed=5, truncation=truncation)[0])
    _same(last, unpool.generate(classy, seed=9, label=2, truncation=truncation)[0])


def test_directions_start_at_a_truncated_latent(classy, tmp_path):
    _run(classy, "--directions", 1, "--seed", 4, "--truncation", 0.5, "-o", tmp_path / "strips.png")
    middle = unpool.read(tmp_path / "strips.png").samples[:, 36:48]
    np.testing.assert_array_equal(middle, unpool.generate(classy, seed=4, truncation=0.5)[0].samples)


@pytest.mark.parametrize(("n", "rows", "columns"), [(1, 1, 2), (4, 2, 4), (5, 3, 4), (8, 4, 4)])
def test_copies_stand_beside_their_pictures(plain, tmp_path, monkeypatch, n, rows, columns):
    known = [Picture(np.full((16, 16, 3), i, np.uint8)) for i in range(n)]
    monkeypatch.setattr(
        "unpool.generation.api.copies", lambda made, pictures, data: [(one, 0.5) for one in known[: len(pictures)]]
    )
    answer = json.loads(_run(plain, "-n", n, "--copies", "--grid", tmp_path / "g.png", "--json"))
    assert answer["distances"] == [0.5] * n
    sheet = unpool.read(tmp_path / "g.png").samples
    assert sheet.shape == (16 * rows, 16 * columns, 3)
    for i, picture in enumerate(unpool.generate(plain, n)):
        top, left = 16 * (2 * i // columns), 16 * (2 * i % columns)
        np.testing.assert_array_equal(sheet[top : top + 16, left : left + 16], picture.samples)
        np.testing.assert_array_equal(sheet[top : top + 16, left + 16 : left + 32], known[i].samples)


def test_missing_training_pictures_leave_nothing(plain, tmp_path, monkeypatch):
    def missing(*_):
        raise DataError("the set is not here")

    monkeypatch.setattr("unpool.generation.api.copies", missing)
    with pytest.raises(DataError, match="not here"):
        _run(plain, "-n", 2, "-o", tmp_path / "out", "--copies", "--grid", tmp_path / "g.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-n", "1"], "say where"),
        (["--to", "1", "--directions", "2", "-o", "x.png"], "one at a time"),
        (["--grid", "x.unknown"], "suffix|format"),
        (["--to", "1", "-o", "way.png"], "webp"),
        (["--grid", "g.png", "--class", "9"], "no classes"),
        (["-o", "out", "--class", "9"], "no classes"),
        (["-n", "2", "-o", "face.png"], "one file holds one picture"),
        (["-o", "face.gif"], "suffix"),
        (["--to", "2", "-o", "way.webp", "--grid", "g.png", "-n", "5"], "leave out -n and --grid: of no use with --to"),
        (["--directions", "2", "-o", "x.png", "--copies"], "leave out --copies"),
        (["--project", "x.png", "-o", "y.png", "--truncation", "0.5"], "leave out --truncation"),
        (["-o", "out", "--frames", "5"], "leave out --frames: of no use without --to"),
        (["-o", "out", "--copies"], "without --grid"),
        (["-o", "out", "--data", "x"], "without --copies"),
    ],
)
def test_mistakes_are_one_line(plain, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnpoolError, match=message):
        _run(plain, *arguments)
    assert not list(tmp_path.iterdir())


def test_an_unknown_model_ends_with_status_two(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "unpool", "generate", "juggling", "--grid", str(tmp_path / "g.png")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
