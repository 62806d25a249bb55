"""The Python in docs/images.md runs, from top to bottom, beside a photograph."""

import re
from pathlib import Path

import skimage.data
import torch
from torch import nn

from unpool.images.reading import read
from unpool.images.writing import write

PAGE = (Path(__file__).parents[2] / "docs" / "images.md").read_text(encoding="utf-8")


def test_the_blocks_run_one_after_the_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(read(skimage.data.coffee()[:96, :128]), tmp_path / "photo.jpg")
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 4
    upsampler = nn.Sequential(nn.Conv2d(3, 3 * 16, 3, padding=1), nn.PixelShuffle(4))
    names: dict[str, object] = {"network": upsampler, "picture": torch.rand(1, 3, 40, 40)}
    for block in blocks:
        exec(compile(block, "docs/images.md", "exec"), names)
    assert {"copy.png", "small.webp", "print.tif", "flat.jpg", "figures.csv", "page.html"} <= {
        path.name for path in tmp_path.iterdir()
    }
