"""Photographs to train on, with a fixed validation part, and the crops that training cuts from them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from unpool.train.data.build import built
from unpool.train.data.find import find
from unpool.train.data.folders import pictures, rgb8
from unpool.train.data.pack import Entry, Pack
from unpool.train.data.split import in_held_out

VALIDATION_SHARE = 0.04


def photos(data: str | Path | None = None) -> Pack:
    """All training photographs as one pack, column `part`: `train` or `validation` (by hash of the file's name, 4 %).

    The pack is made on first use and kept (see `pack_path`); labels are the sources (`bsds`, `everyday`, ...).
    """
    return built("photos", _entries, lambda: [find("photos", data)], data)


def _entries(folders: list[Path]) -> Iterator[Entry]:
    for listed in pictures(folders[0]):
        if "val" in Path(listed.name).parts:  # BSDS500's official third part: BSD100 and CBSD68, which test
            continue
        part = "validation" if in_held_out(listed.name, VALIDATION_SHARE) else "train"
        yield Entry(rgb8(listed.path), listed.name, listed.label, {"part": part})


def crop(samples: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """A random square of `size` pixels of samples (H, W, C), mirrored half the time; a copy.

    A picture smaller than `size` is continued by reflection.
    """
    height, width = samples.shape[:2]
    if height < size or width < size:
        missing = (max(size - height, 0), max(size - width, 0))
        samples = np.pad(samples, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="symmetric")
        height, width = samples.shape[:2]
    top, left = rng.integers(height - size + 1), rng.integers(width - size + 1)
    cut = samples[top : top + size, left : left + size]
    return np.ascontiguousarray(cut[:, ::-1] if rng.integers(2) else cut)
