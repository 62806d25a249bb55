"""The Python in docs/restoration.md runs."""

import re
from pathlib import Path

import numpy as np
from skimage import data

from unpool.images.picture import Picture
from unpool.images.reading import read
from unpool.images.writing import write

PAGE = (Path(__file__).parents[2] / "docs" / "restoration.md").read_text(encoding="utf-8")


def test_the_first_block_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(Picture(np.ascontiguousarray(data.coffee()[:24, :32])), tmp_path / "photo.jpg", quality=95)
    (block,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    exec(compile(block, "docs/restoration.md", "exec"), {})
    assert read(tmp_path / "out.png").width == 128
