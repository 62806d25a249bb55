"""The store for many: PostgreSQL with pgvector, nearest neighbours by an HNSW index."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from unpool.errors import GalleryError, MissingExtraError
from unpool.faces.gallery.breadth import INDEX, Breadth, array
from unpool.faces.gallery.store import (
    CALIBRATION,
    SCHEMA,
    UNWIPED,
    Entry,
    Hit,
    Identity,
    Person,
    Store,
    clean_name,
    new_id,
    now,
    template,
    unit,
    unwiped,
)
from unpool.faces.gallery.tables import POSTGRES as _MIGRATIONS

_COUNTED = 10_000  # people up to whom they are counted one by one


class PostgresStore(Store):
    """A gallery in the schema `unpool` of a PostgreSQL database.

    Erasing deletes and vacuums; the server's own log, its replicas and its backups are the operator's to clean.

    Args:
        address: `postgresql://user:password@host/database`.
        identity: model and length of the embeddings; None takes what the gallery says.
        create: make the tables if they are not there.

    Raises:
        GalleryError: not reachable, no pgvector, made by another model, another schema.
        MissingExtraError: the package psycopg is not installed.
    """

    def __init__(self, address: str, identity: Identity | None, create: bool) -> None:
        try:
            import psycopg
            from pgvector.psycopg import register_vector
        except ImportError:
            raise MissingExtraError("a gallery on PostgreSQL", "postgres") from None
        self._failure = psycopg.Error
        with self._errors():
            self._db = psycopg.connect(address, autocommit=True)
            version = self._version()
            if version == 0 and (identity is None or not create):
                raise GalleryError("there is no gallery in this database: enrol somebody first")
            if version < SCHEMA:
                self._migrate(identity)
            register_vector(self._db)
            self._breadth = Breadth(self._db)
            self._breadth.use(self.about(), self._get("breadth"))
        self.identity = self._identify(identity)

    def _version(self) -> int:
        """The schema's version; 0: there is no gallery."""
        found = self._db.execute("SELECT to_regclass('unpool.setting')").fetchone()
        if found is None or found[0] is None:
            return 0
        return int(self._get("schema") or 0)

    def _migrate(self, identity: Identity | None) -> None:
        """Bring the schema up to date; a new one is made for `identity`."""
        with self._db.transaction():
            # One process makes or changes the tables, whoever else comes waits and finds them.
            self._db.execute("SELECT pg_advisory_xact_lock(%s)", (0x756E7067,))
            version = self._version()
            for step in range(version + 1, SCHEMA + 1):
                self._db.execute(_MIGRATIONS[step].format(dimension=identity.dimension if identity else 0).encode())
            if version == 0 and identity is not None:
                self._db.execute(INDEX)
                self._set("model", identity.model)
                self._set("dimension", str(identity.dimension))
            self._set("schema", str(SCHEMA))

    def _set(self, key: str, value: str) -> None:
        self._db.execute(
            "INSERT INTO unpool.setting VALUES (%s, %s) ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value",
            (key, value),
        )

    def _get(self, key: str) -> str | None:
        row = self._db.execute("SELECT value FROM unpool.setting WHERE key = %s", (key,)).fetchone()
        return row[0] if row else None

    def _identify(self, wanted: Identity | None) -> Identity:
        with self._errors():
            stored: dict[str, str] = dict(self._db.execute("SELECT key, value FROM unpool.setting").fetchall())
        if int(stored["schema"]) > SCHEMA:
            raise GalleryError(f"the gallery has schema {stored['schema']}, this version knows {SCHEMA}: update unpool")
        found = Identity(stored["model"], int(stored["dimension"]))
        if wanted is not None and found != wanted:
            raise GalleryError(
                f"the gallery was made by the model {found.model} ({found.dimension} numbers), not by {wanted.model} "
                f"({wanted.dimension}): open it with that model, or give its pictures to `unpool faces re-embed`"
            )
        return found

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except self._failure as error:
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise GalleryError(f"the gallery's database says: {first}") from None

    def add_all(self, people: Mapping[str, Sequence[Entry]]) -> None:
        people = {clean_name(name): entries for name, entries in people.items()}
        with self._errors(), self._db.transaction():
            # One writes at a time; who reads does not wait.
            self._db.execute("LOCK TABLE unpool.person IN SHARE ROW EXCLUSIVE MODE")
            before = self.about()
            # Many at once: the index is built anew over all of them, in parallel, instead of grown one by one.
            many = len(people) > max(1000, before // 4)
            if many:
                # What the graph takes: beyond this memory building becomes many times slower.
                graph = (before + len(people)) * (4 * self.identity.dimension + 2000)
                self._db.execute(f"SET LOCAL maintenance_work_mem = '{max(64, min(graph >> 20, 8192))}MB'".encode())
                self._db.execute("DROP INDEX unpool.person_template")
                known = {row[0] for row in self._db.execute("SELECT name FROM unpool.person")}
                self._copy({name: entries for name, entries in people.items() if name not in known})
                people = {name: entries for name, entries in people.items() if name in known}
            for name, entries in people.items():
                self._log("enrolled", self._insert(name, entries))
            if many:
                self._db.execute(INDEX)
                self._db.execute("ANALYZE unpool.person")
                self._set("breadth", self._breadth.measure(self.size(), self.identity.dimension))

    def _copy(self, people: Mapping[str, Sequence[Entry]]) -> None:
        """Enrol new people by the server's fast lane for many rows."""
        time = now()
        kept = {name: (new_id(), self._checked(name, entries)) for name, entries in people.items()}
        with self._db.cursor() as cursor:
            with cursor.copy("COPY unpool.person FROM STDIN (FORMAT BINARY)") as lane:
                lane.set_types(["text", "text", "vector", "text"])
                for name, (person, entries) in kept.items():
                    lane.write_row((person, name, template(entries), time))
            with cursor.copy("COPY unpool.picture FROM STDIN (FORMAT BINARY)") as lane:
                lane.set_types(["text", "text", "vector", "float8"])
                for person, entries in kept.values():
                    for entry in entries:
                        lane.write_row((person, entry.picture, entry.embedding, entry.quality))
            with cursor.copy("COPY unpool.audit (time, event, subject) FROM STDIN") as lane:
                for person, _ in kept.values():
                    lane.write_row((time, "enrolled", person))

    def _checked(self, name: str, entries: Sequence[Entry]) -> list[Entry]:
        """Unit embeddings, each picture once."""
        if not entries:
            raise GalleryError(f"no picture to enrol for {name!r}")
        unique = {entry.picture: entry for entry in entries}.values()
        return [Entry(e.picture, unit(e.embedding, self.identity.dimension), float(e.quality)) for e in unique]

    def _insert(self, name: str, entries: Sequence[Entry]) -> str:
        row = self._db.execute("SELECT id FROM unpool.person WHERE name = %s", (name,)).fetchone()
        fresh = self._checked(name, entries)
        pictures = {entry.picture for entry in fresh}
        joint = template([e for e in (self._entries(row[0]) if row else []) if e.picture not in pictures] + fresh)
        if row:
            person = row[0]
            self._db.execute("UPDATE unpool.person SET template = %s WHERE id = %s", (joint, person))
        else:
            person = new_id()
            self._db.execute("INSERT INTO unpool.person VALUES (%s, %s, %s, %s)", (person, name, joint, now()))
        for entry in fresh:
            self._db.execute(
                "INSERT INTO unpool.picture VALUES (%s, %s, %s, %s) ON CONFLICT (person, sha256) "
                "DO UPDATE SET embedding = EXCLUDED.embedding, quality = EXCLUDED.quality",
                (person, entry.picture, entry.embedding, entry.quality),
            )
        return person

    def _entries(self, person: str) -> list[Entry]:
        rows = self._db.execute(
            "SELECT sha256, embedding, quality FROM unpool.picture WHERE person = %s ORDER BY sha256", (person,)
        )
        return [Entry(sha, array(vector), quality) for sha, vector, quality in rows]

    def person(self, name: str) -> Person:
        name = clean_name(name)
        with self._errors():
            row = self._db.execute(
                "SELECT id, enrolled, (SELECT count(*) FROM unpool.picture WHERE person = p.id) "
                "FROM unpool.person p WHERE name = %s",
                (name,),
            ).fetchone()
        if row is None:
            raise GalleryError(f"nobody called {name!r} is enrolled")
        return Person(row[0], name, row[2], row[1])

    def _delete(self, person: str) -> None:
        with self._errors(), self._db.transaction():
            self._db.execute("DELETE FROM unpool.person WHERE id = %s", (person,))
            self._log("erased", person)
            self._set(unwiped(), "")

    def _marks(self) -> list[str]:
        with self._errors():
            rows = self._db.execute("SELECT key FROM unpool.setting WHERE key LIKE %s", (f"{UNWIPED}%",)).fetchall()
        return [row[0] for row in rows]

    def _settle(self, marks: Sequence[str]) -> None:
        with self._errors():
            self._db.execute("DELETE FROM unpool.setting WHERE key = ANY(%s)", (list(marks),))

    def _vacuum(self) -> None:
        with self._errors():
            self._db.execute("VACUUM unpool.person, unpool.picture")

    def people(self) -> list[Person]:
        with self._errors():
            rows = self._db.execute(
                "SELECT id, name, (SELECT count(*) FROM unpool.picture WHERE person = p.id), enrolled "
                "FROM unpool.person p"
            ).fetchall()
        return sorted((Person(*row) for row in rows), key=lambda person: person.name)

    def entries(self, name: str) -> list[Entry]:
        with self._errors():
            return self._entries(self.person(name).id)

    def nearest(self, embedding: np.ndarray, count: int) -> list[Hit]:
        vector = unit(embedding, self.identity.dimension)
        with self._errors():
            rows = self._db.execute(
                "SELECT * FROM (SELECT id, name, -(template <#> %s) AS score FROM unpool.person "
                "ORDER BY template <#> %s LIMIT %s) AS near ORDER BY score DESC LIMIT %s",
                (vector, vector, max(count, self._breadth.rows), count),
            ).fetchall()
        return [Hit(*row) for row in rows]

    def size(self) -> int:
        with self._errors():
            row = self._db.execute("SELECT count(*) FROM unpool.person").fetchone()
        return row[0] if row else 0

    def about(self) -> int:
        # Counting a million rows takes longer than searching them; small tables are counted.
        with self._errors():
            row = self._db.execute(
                "SELECT reltuples::bigint FROM pg_class WHERE oid = 'unpool.person'::regclass"
            ).fetchone()
        return row[0] if row and row[0] > _COUNTED else self.size()

    def bytes_stored(self) -> tuple[int, int]:
        """Bytes of the tables with their indexes, and of the index that is searched."""
        with self._errors():
            row = self._db.execute(
                "SELECT pg_total_relation_size('unpool.person') + pg_total_relation_size('unpool.picture'), "
                "pg_relation_size('unpool.person_template')"
            ).fetchone()
        assert row is not None
        return int(row[0]), int(row[1])

    def setting(self, key: str) -> str | None:
        with self._errors():
            return self._get(f"user/{key}")

    def set_setting(self, key: str, value: str) -> None:
        with self._errors():
            self._set(f"user/{key}", value)

    def _log(self, event: str, subject: str) -> None:
        columns = (now(), event, subject)
        self._db.execute("INSERT INTO unpool.audit (time, event, subject) VALUES (%s, %s, %s)", columns)

    def note(self, event: str, subject: str = "") -> None:
        with self._errors():
            self._log(event, subject)

    def audit(self) -> list[tuple[str, str, str]]:
        with self._errors():
            rows = self._db.execute("SELECT time, event, subject FROM unpool.audit ORDER BY number").fetchall()
        return [(row[0], row[1], row[2]) for row in rows]

    def replace_all(self, identity: Identity, people: Mapping[str, Sequence[Entry]]) -> None:
        previous = self.identity
        try:
            with self._errors(), self._db.transaction():
                self._db.execute("DELETE FROM unpool.person")
                for column in ("person ALTER COLUMN template", "picture ALTER COLUMN embedding"):
                    self._db.execute(f"ALTER TABLE unpool.{column} TYPE vector({int(identity.dimension)})".encode())
                self._set("model", identity.model)
                self._set("dimension", str(identity.dimension))
                self._set(unwiped(), "")
                if identity != previous:
                    self._db.execute("DELETE FROM unpool.setting WHERE key = %s", (f"user/{CALIBRATION}",))
                self.identity = identity
                for name, entries in people.items():
                    self._insert(clean_name(name), entries)
                self._log("re-embedded", "")
        except BaseException:
            self.identity = previous
            raise

    def close(self) -> None:
        self._db.close()
