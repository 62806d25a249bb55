"""The Python in docs/explanation.md runs, block after block, and what it says of commands and recipes is there."""

import re
from pathlib import Path

import numpy as np
from skimage import data

from unpool.explanation.api import METHODS
from unpool.images.picture import Picture
from unpool.images.writing import write
from unpool.train.recipe import shipped

PAGE = (Path(__file__).parents[2] / "docs" / "explanation.md").read_text(encoding="utf-8")


def test_blocks_run(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(Picture(np.ascontiguousarray(data.coffee())), tmp_path / "photo.jpg")
    names: dict = {}
    for block in re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE):
        exec(compile(block, "docs/explanation.md", "exec"), names)
    assert (tmp_path / "map.png").is_file()
    assert names["pixels"].shape == (1, 3, 32, 32)


def test_names_are_there() -> None:
    assert all(f"`{method}`" in PAGE for method in METHODS)
    assert set(re.findall(r"unpool train (explanation/\S+)", PAGE)) <= set(shipped())
