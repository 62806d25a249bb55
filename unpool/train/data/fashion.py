"""Fashion-MNIST, and any set in the idx format of MNIST, as it is or gzipped."""

import gzip
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from unpool.errors import DataError
from unpool.train.data.find import find

CLASSES = (
    "T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip
VALIDATION = 5000


class Fashion(NamedTuple):
    """One part of the set: pictures (N, 28, 28) uint8, labels (N,) int64."""

    pictures: np.ndarray
    labels: np.ndarray


def read_idx(path: Path) -> np.ndarray:
    """An idx file of unsigned bytes, gzipped or not.

    Raises:
        DataError: the file is no idx file, or shorter or longer than its header says.
    """
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}): get it again") from None
    dimensions = raw[3] if len(raw) >= 4 and raw[:3] == b"\0\0\x08" else 0
    start = 4 + 4 * dimensions
    if not 1 <= dimensions <= 4 or len(raw) < start:
        raise DataError(f"{path} is not an idx file of bytes")
    shape = struct.unpack(f">{dimensions}I", raw[4:start])
    if len(raw) - start != int(np.prod(shape, dtype=object)):
        raise DataError(f"{path} is cut short or damaged: get it again")
    return np.frombuffer(raw, np.uint8, offset=start).reshape(shape)


def _part(folder: Path, prefix: str) -> Fashion:
    arrays = []
    for kind in ("images-idx3-ubyte", "labels-idx1-ubyte"):
        for name in (f"{prefix}-{kind}", f"{prefix}-{kind}.gz"):
            if (folder / name).is_file():
                arrays.append(read_idx(folder / name))
                break
        else:
            raise DataError(f"{folder} has no {prefix}-{kind}[.gz]: place Fashion-MNIST's four files there")
    pictures, labels = arrays
    if pictures.ndim != 3 or labels.shape != pictures.shape[:1]:
        raise DataError(f"{folder}: the {prefix} pictures {pictures.shape} and labels {labels.shape} do not match")
    return Fashion(pictures, labels.astype(np.int64))


def fashion(part: str, data: str | Path | None = None) -> Fashion:
    """Fashion-MNIST's `train` (55,000), `validation` (the last 5,000 of the official training part) or `test` (10,000).

    Args:
        part: train, validation or test.
        data: the data folder to look in first.
    """
    folder = find("fashion-mnist", data)
    if part == "test":
        return _part(folder, "t10k")
    whole = _part(folder, "train")
    kept = {"train": slice(None, -VALIDATION), "validation": slice(-VALIDATION, None)}[part]
    return Fashion(whole.pictures[kept], whole.labels[kept])


class FashionSamples:
    """A part of Fashion-MNIST as training samples: `picture` (1, 28, 28) float32 in [0, 1] and `label`.

    Args:
        part: train, validation or test.
        shift: move each picture by up to so many pixels, and mirror half of them; 0 leaves all as they are.
    """

    def __init__(self, part: str, data: str | Path | None = None, *, shift: int = 0) -> None:
        pictures, self.labels = fashion(part, data)
        self.pictures = np.pad(pictures, ((0, 0), (shift, shift), (shift, shift)))
        self.part, self.shift = part, shift

    def __len__(self) -> int:
        return len(self.labels)

    def name(self, index: int) -> str:
        """The picture's number in its part."""
        return f"fashion-mnist/{self.part}/{index}"

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """One picture with its label."""
        picture = self.pictures[index]
        if self.shift:
            top, left, mirror = (int(rng.integers(n)) for n in (2 * self.shift + 1, 2 * self.shift + 1, 2))
            picture = picture[top : top + 28, left : left + 28][:, :: 1 - 2 * mirror]
        return {"picture": picture[None].astype(np.float32) / 255, "label": self.labels[index]}

    def batch(self, start: int, stop: int) -> np.ndarray:
        """Pictures `start` to `stop` without augmentation, (N, 1, 28, 28) float32 in [0, 1]."""
        cut = slice(self.shift, self.shift + 28)
        return self.pictures[start:stop, None, cut, cut].astype(np.float32) / 255
