"""`unpool bench batch`: what Ray costs beside a plain loop, what a second worker brings, and what survives kills."""

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow.parquet as pq
import torch
from PIL import Image
from skimage.data import astronaut, chelsea, coffee

from unpool.batch.job import Job
from unpool.batch.operations import make
from unpool.batch.run import MAX_PIXELS, ray_here, run
from unpool.errors import UnpoolError
from unpool.images.atomic import atomic

SIDE = 192
_PART = 20
_MEASURED = ("compress", {"quality": 50})
_TABLE: dict[str, dict[str, Any]] = {
    "restore": {"task": "denoise"},
    "compress": {"quality": 50},
    "embed": {"model": "autoencoders/faces"},
    "explain": {"model": "efficientnet-lite0", "method": "guided"},
}
_PATIENCE = 300  # seconds until something that must happen counts as broken


def bench(*, quick: bool, data: Path | None, report: Callable[[str], None]) -> dict[str, Any]:
    """One worker of one thread beside a plain loop of one thread, two workers, and kills; on JPEG files of 192x192.

    The same pictures are compressed into the same kind of files. A worker's pace is taken after its first part, so
    without Ray's start and the loading of models; the plain loop's after as many pictures. The loop runs before and
    after the worker, so that a slow spell of the machine does not fall on one of them alone.
    """
    count, rounds = (240, 1) if quick else (480, 3)
    with tempfile.TemporaryDirectory() as place, _one_thread():
        folder = Path(place)
        photographs(folder / "in", count)
        paces: list[tuple[float, float]] = []
        with ray_here(2):
            for number in range(rounds):
                report(f"round {number + 1} of {rounds}: plain loop, one worker, plain loop")
                before = _plain(folder / "in")
                one = _steady(folder / "in", folder / f"one-{number}", 1)
                paces.append((statistics.mean((before, _plain(folder / "in"))), one))
            report("two workers")
            two = statistics.median(_steady(folder / "in", folder / f"two-{n}", 2) for n in range(rounds))
        report("each operation on one thread")
        table = {name: {**_facts(name, folder / "in"), "settings": _settings(name)} for name in _TABLE}
        report("kills of a driver and of a worker")
        photographs(folder / "few", 60)
        killed = kills(folder / "few", folder / "killed", ["compress", "--quality", "50"], part=5)
    one = statistics.median(pace for _, pace in paces)
    return {
        "pictures_per_second_1": one,
        "pictures_per_second_2": two,
        "pictures_per_second_plain": statistics.median(plain for plain, _ in paces),
        "overhead_percent": 100 * statistics.median(plain / pace - 1 for plain, pace in paces),
        "pictures": count,
        "rounds": rounds,
        "side": SIDE,
        **killed,
        "operations": table,
    }


def photographs(folder: Path, count: int, side: int = SIDE) -> None:
    """Parts of scikit-image's photographs as JPEG files."""
    folder.mkdir()
    whole = [astronaut(), chelsea(), coffee()]
    rng = np.random.default_rng(0)
    for number in range(count):
        samples = whole[number % len(whole)]
        top, left = (int(rng.integers(0, length - side + 1)) for length in samples.shape[:2])
        cut = samples[top : top + side, left : left + side]
        Image.fromarray(cut).save(folder / f"photo-{number:04d}.jpg", quality=90)


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _plain(folder: Path) -> float:
    """Pictures a second of the loop that one would write by hand."""
    operation = make(_MEASURED[0], {"max_pixels": MAX_PIXELS, **_MEASURED[1]}, "cpu")
    with tempfile.TemporaryDirectory() as out:
        files = sorted(folder.iterdir())
        for number, path in enumerate(files):
            if number == _PART:
                began = time.perf_counter()
            result, _ = operation(path)
            with atomic(Path(out) / f"{path.stem}.unp") as beside:
                beside.write_bytes(result)
        return (len(files) - _PART) / (time.perf_counter() - began)


def _steady(folder: Path, out: Path, workers: int) -> float:
    """Pictures a second of a job while all of its workers are past their first part and none has run out of parts."""
    parts: list[dict[str, Any]] = []
    run(
        _MEASURED[0], [str(folder)], out,
        options=_MEASURED[1], workers=workers, part=_PART, report=lambda _, part: parts.append(part),
    )  # fmt: skip
    by_worker = [[one for one in parts if one["worker"] == name] for name in {one["worker"] for one in parts}]
    start = max(min(one["ended"] for one in own) for own in by_worker)
    end = min(max(one["ended"] for one in own) for own in by_worker)
    inside = (
        one["pictures"] * max(0.0, min(one["ended"], end) - max(one["began"], start)) / (one["ended"] - one["began"])
        for one in parts
    )
    if len(by_worker) != workers or end <= start:
        raise UnpoolError(f"{workers} workers were asked for, and {len(by_worker)} did all the work: measure more")
    return sum(inside) / (end - start)


def _facts(name: str, folder: Path) -> dict[str, float]:
    """Seconds a picture and bytes a result of one operation on one thread."""
    operation = make(name, {"max_pixels": MAX_PIXELS, **_TABLE[name]}, "cpu")
    seconds, sizes = [], []
    for path in sorted(folder.iterdir())[:9]:
        began = time.perf_counter()
        result, facts = operation(path)
        seconds.append(time.perf_counter() - began)
        sizes.append(len(result) if result is not None else 4 * len(facts["code"]))
    return {"seconds_a_picture": statistics.median(seconds[1:]), "bytes_a_result": statistics.mean(sizes)}


def _settings(name: str) -> str:
    return " ".join(f"{key}={value}" for key, value in _TABLE[name].items())


def kills(folder: Path, out: Path, arguments: Sequence[str], part: int) -> dict[str, int]:
    """A job on two workers: its driver is killed in the middle, then a worker of the run that goes on.

    arguments: the operation and its options, as on the command line. Returns what is missing and doubled afterwards.
    """
    command = [sys.executable, "-m", "unpool", "batch", arguments[0], str(folder), "--out", str(out), *arguments[1:]]
    command += ["--workers", "2", "--part", str(part)]
    job = Job(out)
    with _started(command) as driver:
        driver.until(lambda: _done(job))
    first, left = _done(job), len(job.undone())
    with _started(command) as driver:
        driver.until(lambda: _done(job) - first)
        victim = pq.read_table(job.table / min(_done(job) - first), columns=["worker"])["worker"][0].as_py()
        os.kill(int(victim.rpartition(":")[2]), signal.SIGKILL)
        driver.until(lambda: not job.undone())
    rows = Counter(pq.read_table(job.table, columns=["input"])["input"].to_pylist())
    wanted = {str(path) for path in folder.iterdir()}
    return {
        "missing_results": len(wanted - rows.keys()),
        "doubled_results": rows.total() - len(rows) + len(rows.keys() - wanted),
        "parts_left_by_killed_driver": left,
    }


class _Driver:
    """A job in a process of its own."""

    def __init__(self, process: "subprocess.Popen[bytes]", said: IO[bytes]) -> None:
        self.process, self.said = process, said

    def until(self, happened: Callable[[], Any]) -> None:
        """Wait for what must happen while the job runs; UnpoolError if the job ends before, or takes too long."""
        end = time.monotonic() + _PATIENCE
        while not happened():
            if self.process.poll() is not None or time.monotonic() > end:
                self.said.seek(0)
                raise UnpoolError(f"the job ended, or stood still: {self.said.read().decode()[-500:]}")
            time.sleep(0.02)


@contextmanager
def _started(command: Sequence[str]) -> Iterator[_Driver]:
    """A driver that is killed when the block ends."""
    with tempfile.TemporaryFile() as said, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        # Ray's files of a driver that is killed go with this folder.
        process = subprocess.Popen(command, stdout=said, stderr=said, env=os.environ | {"TMPDIR": place})
        try:
            yield _Driver(process, said)
        finally:
            process.kill()
            process.wait()


def _done(job: Job) -> set[str]:
    return {place.name for place in job.table.glob("part-*.parquet")}
