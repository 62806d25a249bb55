"""A job on Ray Data: the parts of its list that are not done go to a pool of workers, here or on a cluster."""

import contextlib
import logging
import math
import os
import re
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unpool.errors import MissingExtraError, UnpoolError

try:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # nothing is reported to anybody
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    import ray
    import ray.data
except ImportError:
    raise MissingExtraError("unpool batch", "batch") from None

from unpool.batch.job import Job
from unpool.batch.operations import tried
from unpool.batch.sources import listed
from unpool.batch.worker import Worker

PART = 256
MAX_PIXELS = 200_000_000
_QUIET: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
_LONGEST = 30  # characters of a folder in which Ray's sockets still have names that the system takes
_BLOCKS = 10_000  # more parts than this travel several at a time


@dataclass(frozen=True)
class Progress:
    """How far a job is.

    Attributes:
        pictures: of the whole job. before: done by earlier runs. now: done by this one. failed: those of `now` with an
            error.
        per_second: pictures a second since the first worker began, without Ray's start and the loading of models.
    """

    pictures: int
    before: int
    now: int
    failed: int
    per_second: float

    @property
    def seconds_left(self) -> float | None:
        """At the pace so far."""
        return (self.pictures - self.before - self.now) / self.per_second if self.per_second else None


Report = Callable[[Progress, dict[str, Any]], None]


def run(
    operation: str,
    inputs: Sequence[str],
    out: Path,
    *,
    options: Mapping[str, Any] | None = None,
    workers: int | None = None,
    threads: int = 1,
    gpus: float = 0.0,
    address: str | None = None,
    part: int = PART,
    report: Report | None = None,
) -> Progress:
    """Do one thing to every picture; go on where an earlier run of the same job stopped.

    Args:
        operation: restore, compress, embed or explain; options: its own (see `unpool.batch.operations`).
        inputs: folders, globs, lists, Parquet, pictures (see `unpool.batch.sources`).
        out: a folder, or a name that ends in `.parquet` (see `unpool.batch.job`).
        workers: processes, each with a model of its own; by default as many as there are cores for.
        threads: of each worker. gpus: how much of a GPU each gets; 0 computes on the CPU.
        address: of a Ray cluster ("auto": the one this machine belongs to); None starts Ray on this machine alone.
        part: pictures in a part; a part in hand when a worker is killed is done again.
        report: called after each part with how far the job is and what the part was.

    Raises:
        UnpoolError: settings that cannot be, results of another job in `out`, or a job that broke off.
    """
    options = {"max_pixels": MAX_PIXELS, **(options or {})}
    job = Job(Path(os.path.abspath(out)))
    settings = {"operation": operation, "options": options, "weights": tried(operation, options)}
    with job.opened(settings):
        job.add((one for one in listed(inputs) if not one.startswith(f"{job.out}{os.sep}")), part)
        sizes, undone = job.parts(), job.undone()
        total, todo = sum(sizes.values()), sum(sizes[name] for name in undone)
        now = failed = 0
        began, per_second = math.inf, 0.0
        if undone:
            how = {"operation": operation, "options": options, "device": "cuda" if gpus else "cpu"}
            cores = threads * workers if workers else max(threads, os.cpu_count() or 1)
            with (
                contextlib.redirect_stdout(sys.stderr),  # where Ray would say that a worker died
                _cluster(address) if address else ray_here(cores),
                contextlib.closing(_done(job, undone, how, workers, threads, gpus)) as parts,
            ):
                for one in parts:
                    now, failed = now + one["pictures"], failed + one["failed"]
                    began = min(began, one["began"])
                    per_second = now / max(time.time() - began, 1e-9)
                    if report is not None:
                        report(Progress(total, total - todo, now, failed, per_second), one)
            if missing := job.undone():
                raise UnpoolError(f"{len(missing)} parts are not done: run the same command to go on")
    return Progress(total, total - todo, now, failed, per_second)


def _done(
    job: Job, parts: list[str], how: dict[str, Any], workers: int | None, threads: int, gpus: float
) -> Generator[dict[str, Any], None, None]:
    """What a pool of workers says of each part it has done."""
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # errors are raised; nobody needs them twice
    workers = _workers(workers, threads, gpus)
    results = ray.data.from_items(
        [{"part": part} for part in parts], override_num_blocks=min(len(parts), _BLOCKS)
    ).map_batches(
        Worker,
        fn_constructor_kwargs={"job": job, "threads": threads, **how},
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=threads,
        num_gpus=gpus or None,
    )
    try:
        yield from results.iter_rows()
    except (ray.exceptions.RayError, OSError) as error:
        said = f"{error.__cause__ or ''}\n{error}".strip().splitlines()
        causes = [line for line in said if re.match(r"(?!ray\.)[\w.]*(Error|Exception)\b.*: ", line)]
        raise UnpoolError(f"the job broke off ({(causes or said)[-1]}); run the same command to go on") from None


def _workers(wanted: int | None, threads: int, gpus: float) -> int:
    """How many workers: those wanted, or as many as cores and GPUs are there for.

    Raises:
        UnpoolError: fewer GPUs are there; Ray would wait for them without a word.
    """
    there = ray.cluster_resources()
    most = max(1, int(there.get("CPU", 1)) // threads)
    if gpus:
        found = there.get("GPU", 0.0)
        if (wanted or 1) * gpus > found:
            raise UnpoolError(f"{(wanted or 1) * gpus:g} GPUs are asked for, and Ray sees {found:g}: use --gpus 0")
        most = min(most, int(found / gpus))
    return wanted or most


@contextlib.contextmanager
def ray_here(cores: int) -> Iterator[None]:
    """Ray on this machine alone, without a dashboard, unless it runs already.

    Its processes answer only who holds a token that nobody else knows.
    """
    if ray.is_initialized():
        yield
        return
    os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    place = None if len(tempfile.gettempdir()) < _LONGEST else "/tmp"
    with tempfile.TemporaryDirectory(prefix="ray-", dir=place, ignore_cleanup_errors=True) as folder:
        try:
            for tries_left in (2, 1, 0):
                try:
                    with _hushed():
                        ray.init(
                            num_cpus=cores,
                            include_dashboard=False,
                            object_store_memory=100_000_000,  # only the names of parts travel
                            _temp_dir=folder,
                            _node_ip_address="127.0.0.1",
                            **_QUIET,
                        )
                    break
                except Exception as error:  # it gives itself 30 seconds, which a busy machine may not have
                    if not tries_left:
                        raise UnpoolError(f"Ray did not start: {' '.join(str(error).split())[:300]}") from None
            yield
        finally:
            ray.shutdown()
            del os.environ["RAY_AUTH_TOKEN"]


@contextlib.contextmanager
def _cluster(address: str) -> Iterator[None]:
    """A cluster that runs already."""
    try:
        with _hushed():
            ray.init(address, **_QUIET)
    except (ConnectionError, RuntimeError, ray.exceptions.RayError) as error:
        raise UnpoolError(f"there is no Ray cluster at {address} ({' '.join(str(error).split())[:200]})") from None
    try:
        yield
    finally:
        ray.shutdown()


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    """Without what Ray's core says on stderr as it starts; what goes wrong then is an exception."""
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
