"""A job's folder: which pictures it has, in parts that never change, and which parts are done.

The list of pictures is frozen, in parts, before the first is worked on. A part is done when its table of results is in
its place, and it gets there by one rename. So a part that is worked on twice, because a worker or the driver was
killed, still gives one row for each of its pictures.
"""

import contextlib
import fcntl
import hashlib
import itertools
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from unpool.errors import UnpoolError
from unpool.images.atomic import atomic

_FORMAT = 2
_FLUSH_BYTES = 64_000_000
_INPUTS = pa.schema([("input", pa.binary())])  # file names are bytes, and need not be UTF-8


@dataclass(frozen=True)
class Job:
    """What lies under a job's `--out`.

    out: a folder: results are files in it, and their table is the data set `results.parquet` in it; or a name that ends
        in `.parquet`: that is the data set, and results are cells of it.
    """

    out: Path

    @property
    def keeps_files(self) -> bool:
        """Whether results are files, and not cells of the table."""
        return self.out.suffix != ".parquet"

    @property
    def table(self) -> Path:
        """The folder of Parquet files with one row a picture."""
        return self.out / "results.parquet" if self.keeps_files else self.out

    @property
    def _private(self) -> Path:
        return self.table / "_job"  # readers of Parquet data sets pass over names that begin so

    @contextlib.contextmanager
    def opened(self, settings: dict[str, Any]) -> Iterator[None]:
        """Begin a job with these settings, or go on with it; nobody else may at the same time.

        Raises:
            UnpoolError: results of another job, of other settings or of other weights are there, or somebody is at it.
        """
        if self.out.is_file() or (self.out.is_dir() and not self._private.is_dir() and any(self.out.iterdir())):
            raise UnpoolError(f"{self.out} holds something else: choose another place for the results")
        (self._private / "tries").mkdir(parents=True, exist_ok=True)
        with (self._private / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UnpoolError(f"another `unpool batch` is at work in {self.out}") from None
            self._check({"format": _FORMAT, **settings})
            yield

    def _check(self, settings: dict[str, Any]) -> None:
        place = self._private / "job.json"
        if not place.exists() or not self._lists():  # without a list nothing was begun
            with atomic(place) as beside:
                beside.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
        there = json.loads(place.read_text(encoding="utf-8"))
        differing = [name for name in {**there, **settings} if there.get(name) != settings.get(name)]
        if differing:
            raise UnpoolError(
                f"{self.out} holds the results of a job with another {' and '.join(differing)} "
                f"({', '.join(str(there.get(name)) for name in differing)}): choose another place for these"
            )

    def add(self, pictures: Iterable[str], size: int) -> None:
        """Append to the frozen list, in parts of `size`, those of the pictures that are not on it yet."""
        known = {_digest(picture) for picture in self.pictures()}
        fresh = (picture for picture in pictures if _fresh(_digest(picture), known))
        first = next(fresh, None)
        if first is None:
            return
        new = itertools.chain([first], fresh)
        with (
            atomic(self._private / f"inputs-{len(self._lists()):04d}.parquet") as beside,
            pq.ParquetWriter(beside, _INPUTS) as writer,
        ):
            while part := list(itertools.islice(new, size)):
                writer.write_table(
                    pa.table({"input": [os.fsencode(one) for one in part]}, _INPUTS), row_group_size=size
                )

    def _lists(self) -> list[Path]:
        return sorted(self._private.glob("inputs-*.parquet"))

    def pictures(self) -> Iterator[str]:
        """Every picture of the list."""
        for place in self._lists():
            with pq.ParquetFile(place) as file:
                for batch in file.iter_batches():
                    yield from map(os.fsdecode, batch.column(0).to_pylist())

    def parts(self) -> dict[str, int]:
        """The name of each part, and how many pictures it has."""
        found = {}
        for number, place in enumerate(self._lists()):
            metadata = pq.read_metadata(place)
            for group in range(metadata.num_row_groups):
                found[f"{number:04d}-{group:06d}"] = metadata.row_group(group).num_rows
        return found

    def undone(self) -> list[str]:
        """The parts without results, in order."""
        done = {place.name for place in self.table.glob("part-*.parquet")}
        return [part for part in self.parts() if self.place(part).name not in done]

    def place(self, part: str) -> Path:
        """Where the table of a part belongs: it is there when the part is done."""
        return self.table / f"part-{part}.parquet"

    def tries(self, part: str) -> Path:
        """A file of four bytes an attempt at this part: the picture it was at."""
        return self._private / "tries" / part

    def inputs(self, part: str) -> list[str]:
        """The pictures of a part."""
        number, group = part.split("-")
        with pq.ParquetFile(self._private / f"inputs-{number}.parquet") as file:
            return [os.fsdecode(one) for one in file.read_row_group(int(group)).column(0).to_pylist()]

    def write(self, part: str, rows: Iterable[dict[str, Any]], schema: pa.Schema) -> None:
        """Work through the rows of a part, and put its table in its place."""
        waiting: list[dict[str, Any]] = []
        size = 0
        with atomic(self.place(part)) as beside, pq.ParquetWriter(beside, schema) as writer:
            for row in rows:
                waiting.append(row)
                size += len(row.get("result") or b"")
                if size > _FLUSH_BYTES:
                    writer.write_table(pa.Table.from_pylist(waiting, schema))
                    waiting, size = [], 0
            if waiting:
                writer.write_table(pa.Table.from_pylist(waiting, schema))


def _digest(picture: str) -> bytes:
    return hashlib.blake2b(picture.encode(errors="surrogateescape"), digest_size=16).digest()


def _fresh(digest: bytes, known: set[bytes]) -> bool:
    if digest in known:
        return False
    known.add(digest)
    return True
