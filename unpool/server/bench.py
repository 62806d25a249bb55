"""`unpool bench serve`: requests per second, latency, what HTTP costs, and whether memory grows; over the loopback."""

import io
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Event, Thread
from typing import Any

import skimage.data
import torch
from PIL import Image

from unpool.errors import UnpoolError
from unpool.restoration.api import restore
from unpool.server import embedding, restoration
from unpool.server.keys import KeyStore
from unpool.server.pictures import models

_QUEUE = 16
_CLIENTS = (1, 4, 16, 64)
_TURNS = 3
_MODEL = embedding.RECOGNISER
_PATHS = {"restore": "/v1/restore?task=denoise", "embed": f"/v1/embed?model={_MODEL}"}


def bench(*, quick: bool, data: Path | None, report: Callable[[str], None]) -> dict[str, Any]:
    """Figures of a server on this machine, a worker a core, one thread each.

    `requests_per_second` and `p99_ms` are those of the last part, restorations of 512x512 and embeddings in turns by as
    many clients as the queue holds: ten minutes, or eight seconds in a quick run. `overhead_percent` is the server's
    CPU seconds a request over those of the same work in process, measured in turns, with as many clients as keep every
    worker at work; of the two verbs the worse. The table `cost` also has it for a single client, whose every request
    wakes an idle server. `rss_growth_mb` is memory at the last part's end over that after its first third. `errors` are
    answers but 2xx and 429, of the whole bench.
    """
    if "recogniser" not in models("faces") or "denoise" not in models("restoration"):
        raise UnpoolError("the bench needs the models faces/recogniser and restoration/denoise")
    seconds = 2.0 if quick else 20.0
    bodies, costs, rows, errors = _bodies(), {}, [], 0
    with tempfile.TemporaryDirectory() as folder, _server(Path(folder)) as server:
        for verb in _PATHS:
            report(f"{verb}, beside the same work in process")
            costs[verb] = _cost(server, verb, bodies, seconds)
            for clients in _CLIENTS:
                report(f"{verb}, {clients} clients")
                found = server.run([verb], bodies, clients, seconds)
                errors += found.errors
                rows.append({"verb": verb, "clients": clients, **found.figures()})
        report("saturation")
        with server.watched() as resident:
            last = server.run(list(_PATHS), bodies, _QUEUE, 8.0 if quick else 600.0)
    return {
        "requests_per_second": round(len(last.seconds) / last.spent, 2),
        "p99_ms": round(1000 * _percentile(last.seconds, 0.99), 1),
        "overhead_percent": max(cost["overhead_percent"] for cost in costs.values()),
        "errors": errors + last.errors,
        "rss_growth_mb": round(_growth(resident) / 1e6, 1),
        "saturated_seconds": round(last.spent, 1),
        "cost": costs,
        "levels": rows,
    }


def _bodies() -> dict[str, bytes]:
    """A photograph of 512x512 with noise's own restorer, and an aligned face."""
    photograph = Image.fromarray(skimage.data.astronaut())
    pictures = {"restore": photograph, "embed": photograph.crop((168, 62, 280, 174))}
    bodies = {}
    for verb, picture in pictures.items():
        buffer = io.BytesIO()
        picture.save(buffer, "png")
        bodies[verb] = buffer.getvalue()
    return bodies


def _cost(server: "_Server", verb: str, bodies: dict[str, bytes], seconds: float) -> dict[str, float]:
    """CPU milliseconds of one request, by the server and in process, measured in turns, the medians of the turns."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    spent: dict[str, list[float]] = {"in_process": [], "one_client": [], "busy": []}
    try:
        for turn in range(_TURNS + 1):  # the first one loads the models
            alone = _in_process(verb, bodies[verb], seconds / 2)
            runs = [server.run([verb], bodies, clients, seconds / 2) for clients in (1, 2 * (os.cpu_count() or 1))]
            if turn:
                for one, cpu in zip(spent.values(), (alone, *(run.cpu / len(run.seconds) for run in runs))):
                    one.append(cpu)
    finally:
        torch.set_num_threads(threads)
    median = {name: statistics.median(values) for name, values in spent.items()}
    return {
        **{f"{name}_cpu_ms": round(1000 * value, 2) for name, value in median.items()},
        "overhead_percent_one_client": round(100 * (median["one_client"] / median["in_process"] - 1), 1),
        "overhead_percent": round(100 * (median["busy"] / median["in_process"] - 1), 1),
    }


def _in_process(verb: str, body: bytes, seconds: float) -> float:
    """CPU seconds of the work behind one request, without a server: the mean of calls for some seconds."""
    call = partial(_restored if verb == "restore" else _embedded, body)
    calls, began, until = 0, time.process_time(), time.perf_counter() + seconds
    while not calls or time.perf_counter() < until:
        call()
        calls += 1
    return (time.process_time() - began) / calls


def _restored(body: bytes) -> None:
    picture = restoration.decoded(50_000_000, None, body)
    restoration.answer("png", restore(picture, task="denoise"))


def _embedded(body: bytes) -> None:
    picture = embedding.prepared(_MODEL, "auto", False, 50_000_000, body)
    json.dumps(embedding.codes(_MODEL, "auto", [picture]))


@dataclass
class _Run:
    """What clients met: seconds of each answer, how often they were turned away, and what went wrong."""

    spent: float = 0.0
    cpu: float = 0.0
    busy: int = 0
    errors: int = 0
    seconds: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        return {
            "requests_per_second": round(len(self.seconds) / self.spent, 2),
            "p50_ms": round(1000 * _percentile(self.seconds, 0.5), 1),
            "p99_ms": round(1000 * _percentile(self.seconds, 0.99), 1),
            "cpu_ms": round(1000 * self.cpu / max(len(self.seconds), 1), 2),
            "busy": self.busy,
            "errors": self.errors,
        }


class _Server:
    """`unpool serve` in a process of its own."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int, key: str) -> None:
        self.process, self.port = process, port
        self.headers = {"Authorization": f"Bearer {key}"}

    def run(self, verbs: list[str], bodies: dict[str, bytes], clients: int, seconds: float) -> _Run:
        """Clients that ask again as soon as they are answered, the verbs in turns."""
        run, until = _Run(), time.perf_counter() + seconds
        threads = [Thread(target=self._ask, args=(run, verbs, bodies, until, first)) for first in range(clients)]
        began, cpu = time.perf_counter(), self.cpu()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        run.spent, run.cpu = time.perf_counter() - began, self.cpu() - cpu
        return run

    def _ask(self, run: _Run, verbs: list[str], bodies: dict[str, bytes], until: float, turn: int) -> None:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=120)
        while time.perf_counter() < until:
            verb, turn = verbs[turn % len(verbs)], turn + 1
            began = time.perf_counter()
            try:
                connection.request("POST", _PATHS[verb], bodies[verb], self.headers)
                answer = connection.getresponse()
                answer.read()
            except (OSError, HTTPException):
                run.errors += 1
                connection.close()
                continue
            if answer.status == 200:
                run.seconds.append(time.perf_counter() - began)
            elif answer.status == 429:
                run.busy += 1
                time.sleep(min(float(answer.headers["Retry-After"]), max(until - time.perf_counter(), 0)))
            else:
                run.errors += 1
        connection.close()

    def cpu(self) -> float:
        """CPU seconds of the server so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @contextmanager
    def watched(self) -> Iterator[list[int]]:
        """The server's resident bytes, looked at five times a second."""
        seen, over = [self._resident()], Event()

        def watch() -> None:
            while not over.wait(0.2):
                seen.append(self._resident())

        watcher = Thread(target=watch)
        watcher.start()
        try:
            yield seen
        finally:
            over.set()
            watcher.join()

    def _resident(self) -> int:
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def _server(folder: Path) -> Iterator[_Server]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
    keys = folder / "keys.db"
    server = [sys.executable, "-m", "unpool", "serve", "--keys", str(keys), "--port", str(port)]
    limits = ["--workers", str(os.cpu_count()), "--queue", str(_QUEUE)]
    key = KeyStore(keys).make(["restore", "embed"])
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*server, *limits], stderr=log, env=os.environ | {"OMP_NUM_THREADS": "1"})
        try:
            _wait(process, port)
            yield _Server(process, port, key)
        finally:
            process.terminate()
            process.wait()


def _wait(process: "subprocess.Popen[bytes]", port: int) -> None:
    until = time.perf_counter() + 120
    while time.perf_counter() < until and process.poll() is None:
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise UnpoolError("the server did not start")


def _growth(resident: list[int]) -> float:
    """From after the first third to the end; of each the median of a tenth of the samples."""
    tenth = max(1, len(resident) // 10)
    third = len(resident) // 3
    return statistics.median(resident[-tenth:]) - statistics.median(resident[third : third + tenth])


def _percentile(values: list[float], share: float) -> float:
    ordered = sorted(values) or [0.0]
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
