import json
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

import unpool
from unpool.cli.generate import app
from unpool.errors import UnpoolError


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-n", "1"], "say where"),
        (["--to", "1", "--directions", "2", "-o", "x.png"], "one at a time"),
        (["--grid", "x.unknown"], "suffix|format"),
        (["--to", "1", "-o", "way.png"], "webp"),
        (["--grid", "g.png", "--class", "9"], "no classes"),
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
