"""Small made-up data sets in the layouts of the real ones."""

import gzip
import struct

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def data(made_up_data, tmp_path, monkeypatch):
    """A data folder with Fashion-MNIST, aligned faces, LFW and photographs, all of them smooth noise, and no other."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("UNPOOL_DATA", raising=False)
    return made_up_data


@pytest.fixture(scope="session")
def made_up_data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    fashion = folder / "fashion-mnist"
    fashion.mkdir()
    for part, count in (("train", 5400), ("t10k", 100)):
        labels = np.arange(count, dtype=np.uint8) % 10
        pictures = (20 * labels[:, None, None] + rng.integers(0, 40, (count, 28, 28))).astype(np.uint8)
        for kind, array in (("images-idx3-ubyte", pictures), ("labels-idx1-ubyte", labels)):
            header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
            (fashion / f"{part}-{kind}.gz").write_bytes(gzip.compress(header + array.tobytes(), 1))
    for person in range(90):
        people = folder / "faces" / "celeba_aligned" / str(person)
        people.mkdir(parents=True)
        face = rng.integers(0, 256, (8, 8, 3))
        for number in range(3):
            save(people / f"{number:06d}.jpg", face + rng.integers(-20, 20, face.shape), 128)
    names = [f"Person_{letter}" for letter in "ABCDEFGH"]
    for name in names:
        (folder / "faces" / "lfw" / "images" / name).mkdir(parents=True)
        face = rng.integers(0, 256, (8, 8, 3))
        for number in (1, 2, 3):
            path = folder / "faces" / "lfw" / "images" / name / f"{name}_{number:04d}.jpg"
            save(path, face + rng.integers(-20, 20, face.shape), 160)
    lines = ["2\t4"]
    for half in (names[:4], names[4:]):
        lines += [f"{name}\t1\t2" for name in half]
        lines += [f"{name}\t1\t{half[(i + 1) % 4]}\t3" for i, name in enumerate(half)]
    (folder / "faces" / "lfw" / "pairs.txt").write_text("\n".join(lines) + "\n")
    photos = folder / "photos" / "train" / "everyday"
    photos.mkdir(parents=True)
    for number in range(8):
        save(photos / f"n{number:08d}_thing.png", rng.integers(0, 256, (64, 64, 3)), 90)
    return folder


def save(path, coarse, side):
    Image.fromarray(np.clip(coarse, 0, 255).astype(np.uint8)).resize((side, side), Image.Resampling.BICUBIC).save(path)
