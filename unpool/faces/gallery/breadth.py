"""The index on PostgreSQL: how it is made, and how widely it is walked, which is measured when it is built."""

import json
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import psycopg

# A denser graph took twice as long to build and found no more in the same time.
INDEX = """
    CREATE INDEX person_template ON unpool.person USING hnsw (template vector_ip_ops)
    WITH (m = 16, ef_construction = 64)
"""
_WIDEST = 1000  # of hnsw.ef_search: the server goes on with as many again where more are wanted
_NARROWEST = 200
_ASKED, _NEIGHBOURS = 40, 10
_ENOUGH = 0.995  # of the true neighbours found: what makes 0.99 safe
_EXACT = "SELECT id FROM unpool.person ORDER BY template <#> %s LIMIT %s"


def array(vector: Any) -> np.ndarray:
    """A vector as the database's driver gives it -> (N,) float32."""
    return np.asarray(vector.to_numpy() if hasattr(vector, "to_numpy") else vector, np.float32)


class Breadth:
    """How many candidates a search keeps: more are slower and find more of the true neighbours.

    What it takes depends on the embeddings, so it is measured on the people who are there: the breadth is doubled until
    nearly all the exact nearest neighbours of some of them, seen in another picture, are found. The gallery keeps the
    answer; as it grows, the breadth grows with it.
    """

    def __init__(self, db: "psycopg.Connection[Any]") -> None:
        self._db = db
        self.rows = 1  # that a search must ask the server for, so that it goes on beyond `_WIDEST`

    def use(self, people: int, known: str | None) -> None:
        """Set what was measured (`known`, as `measure` gave it) or, where nothing was, what synthetic people took."""
        among, breadth = json.loads(known) if known else (100_000, 1000)
        self._set(max(_NARROWEST, round(breadth * (max(people, 1) / among) ** 0.7)))

    def measure(self, people: int, dimension: int) -> str:
        """Find and set the breadth for a finished index over so many people; what to keep of it."""
        rows = self._db.execute("SELECT template FROM unpool.person ORDER BY id LIMIT %s", (_ASKED,)).fetchall()
        noise = np.random.default_rng(0).normal(size=(len(rows), dimension)) / dimension**0.5
        # Another picture of somebody: a cosine of about 0.7 with their template. Ids are drawn at random.
        queries = [(array(row[0]) + extra).astype(np.float32) for row, extra in zip(rows, noise)]
        self._db.execute("SET LOCAL enable_indexscan = off")
        exact = [self._ids(query, _NEIGHBOURS) for query in queries]
        self._db.execute("SET LOCAL enable_indexscan = on")
        self._db.execute("SET LOCAL enable_seqscan = off")  # which would be exact, on a small table
        breadth = _NARROWEST
        while True:
            self._set(breadth)
            near = [self._ids(query, max(_NEIGHBOURS, self.rows)) for query in queries]
            found = sum(len(set(true) & set(some)) for true, some in zip(exact, near))
            if found >= _ENOUGH * sum(map(len, exact)) or breadth >= people:
                break
            breadth *= 2
        self._db.execute("SET LOCAL enable_seqscan = on")
        return json.dumps([people, breadth])

    def _ids(self, query: np.ndarray, count: int) -> list[str]:
        return [row[0] for row in self._db.execute(_EXACT, (query, count)).fetchall()]

    def _set(self, breadth: int) -> None:
        self.rows = breadth if breadth > _WIDEST else 1
        settings = {
            "ef_search": min(breadth, _WIDEST),
            "iterative_scan": "relaxed_order" if self.rows > 1 else "off",
            # Left as they are, they end a wide search early.
            "max_scan_tuples": 2**31 - 1,
            "scan_mem_multiplier": 100,
        }
        for name, value in settings.items():
            self._db.execute(f"SET hnsw.{name} = {value}".encode())
