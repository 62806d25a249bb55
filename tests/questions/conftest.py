"""Garments of smooth noise, not gzipped, and no other data."""

import struct

import numpy as np
import pytest


@pytest.fixture(scope="session")
def made_up(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    (folder / "fashion-mnist").mkdir()
    for part, count in (("train", 5200), ("t10k", 60)):
        labels = np.arange(count, dtype=np.uint8) % 10
        coarse = rng.integers(0, 256, (count, 7, 7))
        pictures = coarse.repeat(4, 1).repeat(4, 2).astype(np.uint8)
        for kind, array in (("images-idx3-ubyte", pictures), ("labels-idx1-ubyte", labels)):
            header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
            (folder / "fashion-mnist" / f"{part}-{kind}").write_bytes(header + array.tobytes())
    return folder


@pytest.fixture
def garments_only(made_up, tmp_path, monkeypatch):
    """A data folder with garments alone, whatever the machine holds."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("UNPOOL_DATA", raising=False)
    return made_up
