"""Where pictures come from: folders, globs, lists of files, and Parquet that names pictures or holds them."""

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from unpool.errors import PictureError
from unpool.train.data.folders import PICTURE_SUFFIXES

LIST_SUFFIXES = (".txt", ".list")
_HOLDS, _NAMES = ("bytes", "image"), ("path", "file")


def listed(inputs: Iterable[str]) -> Iterator[str]:
    """Every picture that the inputs name, as an absolute path; a picture inside Parquet is `FILE.parquet#ROW`.

    inputs: folders (searched through; hidden files are passed over), globs, `.txt` files with one path a line
        (relative to the list), `.parquet` files or folders so called, pictures. What two of them name comes twice.

    Raises:
        PictureError: an input is not there, or names no picture.
    """
    for one in inputs:
        found = False
        for picture in _in(one):
            found = True
            yield picture
        if not found:
            raise PictureError(f"there are no pictures in {one}")


def _in(one: str) -> Iterator[str]:
    path = Path(os.path.abspath(one))
    if path.suffix == ".parquet" and path.exists():
        for file in sorted(path.rglob("*.parquet")) if path.is_dir() else [path]:
            yield from _in_parquet(file)
    elif path.is_dir():
        yield from _in_folder(path)
    elif path.suffix in LIST_SUFFIXES and path.is_file():
        with path.open(encoding="utf-8-sig", errors="surrogateescape") as lines:
            yield from (os.path.normpath(path.parent / line.strip()) for line in lines if line.strip())
    elif path.exists():
        yield str(path)
    elif glob.has_magic(one):
        yield from (os.path.abspath(match) for match in sorted(glob.glob(one, recursive=True)))
    else:
        raise PictureError(f"there is no {one}: give a folder, a glob, a list (.txt), Parquet or pictures")


def _in_folder(folder: Path) -> Iterator[str]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if Path(name).suffix.lower() in PICTURE_SUFFIXES and not name.startswith("."):
                yield os.path.join(place, name)


def _in_parquet(path: Path) -> Iterator[str]:
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise PictureError(f"{path} is no Parquet: {error}") from None
    with file:
        names = file.schema_arrow.names
        if any(name in names for name in _HOLDS):
            yield from (f"{path}#{row}" for row in range(file.metadata.num_rows))
            return
        column = next((name for name in _NAMES if name in names), None)
        if column is None:
            raise PictureError(f"{path} has the columns {', '.join(names)}: call one path, or bytes (or image)")
        for batch in file.iter_batches(columns=[column]):
            for name in batch.column(0).to_pylist():
                if not isinstance(name, str):
                    raise PictureError(f"{path} holds {name!r} where a picture's path belongs")
                yield os.path.normpath(path.parent / name)


class Reader:
    """Gives what `listed` named: a path, or a picture's bytes out of Parquet. Keeps the last row group at hand."""

    def __init__(self) -> None:
        self.kept: tuple[str, int, int, pa.Array] | None = None  # file, its first and last + 1 row, pictures

    def __call__(self, source: str) -> Path | bytes:
        """Raises PictureError for a row that holds no picture, OSError for Parquet that is gone."""
        path, sign, row = source.rpartition("#")
        if not sign or not path.endswith(".parquet"):
            return Path(source)
        number = int(row)
        if self.kept is None or self.kept[0] != path or not self.kept[1] <= number < self.kept[2]:
            self.kept = _row_group(path, number)
        value = self.kept[3][number - self.kept[1]].as_py()
        data = value.get("bytes") if isinstance(value, dict) else value
        if not isinstance(data, bytes):
            raise PictureError(f"{source} holds no picture")
        return data


def _row_group(path: str, row: int) -> tuple[str, int, int, pa.Array]:
    with pq.ParquetFile(path) as file:
        column = next(name for name in _HOLDS if name in file.schema_arrow.names)
        start = group = 0
        while row >= start + file.metadata.row_group(group).num_rows:
            start += file.metadata.row_group(group).num_rows
            group += 1
        pictures = file.read_row_group(group, columns=[column]).column(0)
        return path, start, start + len(pictures), pictures
