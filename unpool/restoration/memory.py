"""One large restoration, for measuring the memory of a process of its own."""

import tempfile
from pathlib import Path

import numpy as np

from unpool.images.picture import Picture
from unpool.restoration.api import restore_file
from unpool.restoration.stream import write_bands


def restore_noise(side: int, model: str) -> None:
    """Restore a random 8-bit RGB picture of `side` x `side` pixels from file to file, both PNG."""
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "in.png", Path(folder) / "out.png"
        bands = (generator.integers(96, 160, (1, side, 3), dtype=np.uint8) for _ in range(side))
        like = Picture(np.zeros((1, 1, 3), np.uint8))
        write_bands(source, bands, height=side, width=side, like=like)
        restore_file(source, out, model=model)
