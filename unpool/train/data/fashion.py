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
