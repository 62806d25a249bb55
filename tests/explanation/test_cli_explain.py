"""`unpool explain`: one map, or the page of a layer's channels; mistakes are one line."""

import json
import sys

import numpy as np
import pytest
import skimage.data

import unpool
from unpool.cli.main import main


@pytest.fixture
def call(monkeypatch, capsys):
    """Run the command in this process: (status, standard output, standard error)."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["unpool", "explain", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        captured = capsys.readouterr()
        return int(left.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture
def photo(tmp_path):
    unpool.write(unpool.read(skimage.data.coffee()), tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_map(call, photo, tmp_path) -> None:
    out = tmp_path / "map.png"
    status, printed, _ = call(photo, "-o", out, "--target", "espresso", "--json", "--no-scores")
    answer = json.loads(printed)
    assert status == 0
    assert answer["target"] == "espresso"
    assert answer["rectifiers"] == 33
    assert len(answer["top"]) == 5
    assert "scores" not in answer
    assert unpool.read(out).width == 224
    status, printed, _ = call(photo, "-o", out, "--method", "grad-cam", "--no-scores")
    assert status == 0
    assert "33 rectifiers caught" in printed
    assert "at _conv_head" in printed


def test_scores_are_printed(call, photo, tmp_path, monkeypatch) -> None:
    from unpool.explanation.api import Explanation, Honesty

    found = Honesty(0.25, 0.5, 0.125, [], [], [])
    monkeypatch.setattr(Explanation, "honesty", lambda _self: found)
    _, printed, _ = call(photo, "-o", tmp_path / "map.png", "--json")
    assert json.loads(printed)["scores"] == {"randomisation": 0.25, "insertion": 0.5, "deletion": 0.125}
    _, printed, _ = call(photo, "-o", tmp_path / "map.png")
    assert "randomisation 0.25" in printed


def test_page_of_channels(call, tmp_path) -> None:
    folder, page = tmp_path / "photos", tmp_path / "page.html"
    folder.mkdir()
    for n in range(3):
        unpool.write(unpool.read(np.ascontiguousarray(skimage.data.coffee()[n * 50 :, :300])), folder / f"{n}.png")
    status, printed, _ = call(folder, "--top", 2, "--layer", "_blocks.0", "--channels", 2, "-o", page, "--json")
    assert status == 0
    assert json.loads(printed)["channels"] == 2
    assert page.read_text().count("data:image/webp") == 4


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["PHOTO", "-o", "map.png", "--layer", "_conv_haed"], "closest: _conv_head"),
        (["PHOTO", "-o", "map.png", "--method", "guess"], "no method 'guess'"),
        (["PHOTO", "-o", "map.xyz"], "xyz"),
        (["PHOTO", "-o", "map.png", "--model", "nobody"], "no model 'nobody'"),
        (["nowhere.png", "-o", "map.png"], "nowhere.png"),
        (["PHOTO", "-o", "page.html", "--top", "9"], "no folder"),
        ([".", "-o", "page.png", "--top", "9"], "writes a page"),
    ],
)
def test_mistakes_are_one_line(call, photo, tmp_path, monkeypatch, arguments, says) -> None:
    monkeypatch.chdir(tmp_path)
    status, printed, error = call(*(photo if part == "PHOTO" else part for part in arguments))
    assert status == 2
    assert not printed
    assert error.count("\n") == 1
    assert says in error
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]


def test_what_is_of_no_use_or_no_classifier_is_one_line(call, photo, tmp_path) -> None:
    out = tmp_path / "map.png"
    for arguments, says in (
        (["--channels", "3"], "--channels goes with --top"),
        (["--top", "1", "--method", "grad-cam"], "leave out --target, --method and --style"),
        (["--model", "explanation/invert-lite0-early"], "does not answer for a picture"),
        (["--model", "generation/fashion"], "does not answer for a picture"),
    ):
        status, _, said = call(photo, "-o", out, *arguments)
        assert (status, said.count("\n")) == (2, 1), arguments
        assert says in said
    assert not out.exists()
