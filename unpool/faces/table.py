"""Embeddings of many pictures as a table on disk: npz or csv."""

import csv
from pathlib import Path

import numpy as np

from unpool.errors import UnpoolError
from unpool.faces.api import Embedded
from unpool.images.atomic import atomic

FORMATS = (".npz", ".csv")


def check_output(path: Path) -> None:
    """Raises UnpoolError, before any work, for a name whose format or folder cannot be written."""
    if path.suffix not in FORMATS:
        raise UnpoolError(f"{path}: embeddings are written as {' or '.join(FORMATS)}; give a name that ends so")
    if not path.absolute().parent.is_dir():
        raise UnpoolError(f"there is no folder {path.parent}: make it first")


def write_rows(path: Path, rows: list[tuple[str, Embedded]], model: str) -> None:
    """One row a face: its picture's path, quality and embedding. An npz file also says which model made them."""
    names = [name for name, _ in rows]
    vectors = np.stack([one.embedding for _, one in rows])
    qualities = np.array([one.quality for _, one in rows], dtype=np.float32)
    with atomic(path) as beside:
        if path.suffix == ".npz":
            with open(beside, "wb") as file:
                np.savez(file, path=np.array(names), embedding=vectors, quality=qualities, model=np.array(model))
            return
        with open(beside, "w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            writer = csv.writer(file)
            writer.writerow(["path", "quality", *(f"embedding{i}" for i in range(vectors.shape[1]))])
            writer.writerows([n, f"{q:.6g}", *(f"{v:.6g}" for v in e)] for n, q, e in zip(names, qualities, vectors))
