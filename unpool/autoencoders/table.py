"""Codes of many pictures as a table on disk: parquet, npz or csv."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unpool.autoencoders.api import Coder
from unpool.errors import MissingExtraError, UnpoolError
from unpool.images.atomic import atomic
from unpool.images.picture import Picture

FORMATS = (".parquet", ".npz", ".csv")
_BATCH = 64


def check_output(path: Path) -> None:
    """Raises UnpoolError, before any work, for a name whose format or folder cannot be written."""
    if path.suffix not in FORMATS:
        raise UnpoolError(f"{path}: codes are written as {', '.join(FORMATS)}; give a name that ends so")
    if not path.absolute().parent.is_dir():
        raise UnpoolError(f"there is no folder {path.parent}: make it first")
    if path.suffix == ".parquet":
        _pyarrow()


def write_codes(
    path: Path, coder: Coder, pictures: Sequence[Path], *, align: bool = False
) -> tuple[np.ndarray, list[Picture]]:
    """One row a picture: `path`, `code`, and `error` (`Coder.error`). Returns the codes and the pictures they are of.

    align: encode the largest face of each picture (`Coder.face_of`) instead of the picture.

    The file's metadata (parquet) or its fields `model` and `sha256` (npz) say which weights made the codes: those of
    other weights do not compare with them.
    """
    codes, errors, seen = [], [], []
    for start in range(0, len(pictures), _BATCH):
        some = pictures[start : start + _BATCH]
        batch = [coder.prepare(coder.face_of(picture) if align else picture) for picture in some]
        seen += [Picture.from_tensor(one) for one in batch]
        codes.append(coder.encode(batch))
        errors.append(coder.error(batch))
    code, error = np.concatenate(codes), np.concatenate(errors)
    names = [str(picture) for picture in pictures]
    made_by = {"model": coder.record.name, "sha256": coder.record.sha256 or ""}
    with atomic(path) as beside:
        if path.suffix == ".parquet":
            _write_parquet(beside, names, code, error, made_by)
        elif path.suffix == ".npz":
            with open(beside, "wb") as file:
                arrays: dict[str, Any] = {"path": np.array(names), "code": code, "error": error}
                np.savez(file, **(arrays | made_by))
        else:
            with open(beside, "w", newline="", encoding="utf-8", errors="surrogateescape") as file:
                writer = csv.writer(file)
                writer.writerow(["path", "error", *(f"code{i}" for i in range(code.shape[1]))])
                writer.writerows([n, f"{e:.6g}", *(f"{v:.6g}" for v in c)] for n, e, c in zip(names, error, code))
    return code, seen


def _write_parquet(path: Path, names: list[str], code: np.ndarray, error: np.ndarray, made_by: dict[str, str]) -> None:
    arrow, parquet = _pyarrow()
    flat = arrow.array(np.ascontiguousarray(code).ravel())
    columns = {
        "path": arrow.array(names),
        "code": arrow.FixedSizeListArray.from_arrays(flat, code.shape[1]),
        "error": arrow.array(error),
    }
    parquet.write_table(arrow.table(columns).replace_schema_metadata(made_by), path)


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtraError("writing parquet", "parquet") from None
    return pyarrow, pyarrow.parquet
