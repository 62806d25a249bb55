"""One worker: an operation with its model loaded once, and parts of a job, one after the other."""

import os
import platform
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from unpool.batch import operations
from unpool.batch.job import Job
from unpool.batch.sources import Reader
from unpool.errors import UnpoolError
from unpool.images.atomic import atomic, shortened

_TRIES = 3  # a picture at which so many workers ended is given up


class Worker:
    """Does parts of a job. Ray makes one of these in a process of its own and keeps it.

    threads: of this worker, so that several on one machine do not fight for its cores.
    """

    def __init__(self, job: Job, operation: str, options: Mapping[str, Any], threads: int, device: str) -> None:
        torch.set_num_threads(threads)
        self.job, self.read = job, Reader()
        self.operation = operations.make(operation, options, device)
        self.name = f"{platform.node()}:{os.getpid()}"
        self.failed = 0
        fields = [("input", pa.string()), ("error", pa.string()), ("seconds", pa.float64()), ("worker", pa.string())]
        if self.operation.suffix:
            fields.append(("output", pa.string()) if job.keeps_files else ("result", pa.large_binary()))
        self.schema = pa.schema([*fields, *self.operation.columns])

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """For Ray Data: {"part": names} to what was done, one row a part."""
        rows = [self.do(str(part)) for part in batch["part"]]
        return {name: np.array([row[name] for row in rows]) for name in rows[0]}

    def do(self, part: str) -> dict[str, Any]:
        """Work through a part, unless it is done already."""
        began, pictures, self.failed = time.time(), self.job.inputs(part), 0
        if not self.job.place(part).exists():
            tries = self.job.tries(part)
            self.job.write(part, self._rows(part, pictures), self.schema)
            for stray in (self.job.out / part).glob(".*.part"):  # of a worker that was killed
                stray.unlink(missing_ok=True)
            tries.unlink(missing_ok=True)
        return {
            "part": part, "pictures": len(pictures), "failed": self.failed,
            "began": began, "ended": time.time(), "worker": self.name,
        }  # fmt: skip

    def _rows(self, part: str, pictures: list[str]) -> Iterator[dict[str, Any]]:
        with self.job.tries(part).open("a+b") as tries:
            tries.seek(0)
            ends = Counter(np.frombuffer(tries.read(), np.int32).tolist())
            here = os.open(tries.name, os.O_WRONLY)  # not in append mode: one place is written again and again
            start = 4 * ends.total()
            try:
                for number, picture in enumerate(pictures):
                    os.pwrite(here, np.int32(number).tobytes(), start)
                    if ends[number] >= _TRIES:
                        row: dict[str, Any] = {"error": f"{_TRIES} workers ended while they were at this picture"}
                    else:
                        row = self._row(part, number, picture)
                    self.failed += row["error"] is not None
                    yield {"input": _shown(picture), "worker": self.name, **row}
            except (Exception, GeneratorExit, KeyboardInterrupt):
                # A full disk is no fault of the picture; only of a worker that is killed does the attempt stay.
                os.ftruncate(here, start)
                raise
            finally:
                os.close(here)

    def _row(self, part: str, number: int, picture: str) -> dict[str, Any]:
        began = time.perf_counter()
        try:
            result, facts = self.operation(self.read(picture))
        except Exception as error:  # of whatever kind: one picture does not end the job
            said = " ".join(str(error).split())
            known = isinstance(error, UnpoolError) and said
            return {
                "error": said if known else f"{type(error).__name__}: {said}",
                "seconds": time.perf_counter() - began,
            }
        # Outside the try: a full disk is no property of a picture, and ends the job.
        kept: dict[str, Any] = {}
        if result is not None and self.job.keeps_files:
            kept["output"] = self._file(part, number, picture, result)
        elif result is not None:
            kept["result"] = result
        return {"error": None, "seconds": time.perf_counter() - began, **kept, **facts}

    def _file(self, part: str, number: int, picture: str, result: bytes) -> str:
        """Write a result beside and rename; its path below the job's folder: part, number in it, the picture's name."""
        stem = shortened(_shown(Path(picture.rpartition("#")[0] or picture).stem), 200)
        place = self.job.out / part / f"{number:04d}-{stem}{self.operation.suffix}"
        place.parent.mkdir(exist_ok=True)
        with atomic(place) as beside:
            beside.write_bytes(result)
        return str(place.relative_to(self.job.out))


def _shown(name: str) -> str:
    """A file's name as text: bytes that are not UTF-8 as `\\xe9`."""
    return os.fsencode(name).decode(errors="backslashreplace")
