"""The embedded store: one SQLite file, write-ahead log, exact search by one matrix product."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import numpy as np

from unpool.errors import GalleryError
from unpool.faces.gallery.sealing import Plain, check, proof
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
from unpool.faces.gallery.tables import SQLITE as _MIGRATIONS
from unpool.images.atomic import place_new

_APPLICATION = 0x756E7067  # "unpg": tells a gallery from any other SQLite file
_BUSY_SECONDS = 30


class SQLiteStore(Store):
    """A gallery in one file.

    An acknowledged change survives a kill of the process and a loss of power (`synchronous=FULL`). Several processes
    may read and write at once. A store belongs to the thread that opened it.

    Args:
        path: the file.
        identity: model and length of the embeddings; None takes what the file says.
        create: make the file if it is not there.
        sealing: `Sealed(key)` for an encrypted gallery.

    Raises:
        GalleryError: no such file, not a gallery, made by another model, another schema, a wrong key.
    """

    def __init__(self, path: Path, identity: Identity | None, create: bool, sealing: Plain) -> None:
        self._sealing, self._path = sealing, path
        try:
            self._check_file(create)
        except OSError as error:
            raise GalleryError(f"{path} cannot be opened: {error.strerror}") from None
        with self._errors():
            self._db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
            self._prepare()
        self.identity = self._identify(identity)
        self._ids: list[str] = []
        self._matrix = np.empty((0, self.identity.dimension), np.float32)
        self._seen: tuple[int, int] | None = None

    def _check_file(self, create: bool) -> None:
        path = self._path
        if path.is_dir() or not path.absolute().parent.is_dir():
            raise GalleryError(f"{path} cannot be a gallery: give a file in a folder that exists")
        if not path.exists():
            if not create:
                raise GalleryError(f"there is no gallery {path}: enrol somebody first, or check the path")
            self._make()
        if path.stat().st_size == 0:
            raise GalleryError(f"{path} is empty (0 bytes), not a gallery: restore a copy, or remove it to start anew")

    def _make(self) -> None:
        """Make an empty gallery beside, and put it in place whole. Whoever is first wins; the others use theirs."""
        beside = self._path.with_name(f".{self._path.name}.{new_id()}.part")
        try:
            with self._errors(), closing(sqlite3.connect(beside, isolation_level=None)) as self._db:
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute(f"PRAGMA application_id = {_APPLICATION}")
                with self._writing():
                    self._migrate()
                    self._put("proof", proof(self._sealing))
            with suppress(FileExistsError):
                place_new(beside, self._path)
        except OSError as error:
            raise GalleryError(f"{self._path} cannot be made: {error.strerror}") from None
        finally:
            beside.unlink(missing_ok=True)

    def _migrate(self) -> None:
        """Bring the schema up to date, inside a transaction."""
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        for step in range(version + 1, SCHEMA + 1):
            for statement in _MIGRATIONS[step].split(";"):
                self._db.execute(statement)
        self._db.execute(f"PRAGMA user_version = {SCHEMA}")

    def _prepare(self) -> None:
        db = self._db
        if db.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION:
            raise GalleryError(f"{self._path} is a database, but not a gallery")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA:
            raise GalleryError(f"{self._path} has schema {version}, this version knows {SCHEMA}: update unpool")
        db.execute("PRAGMA secure_delete = ON")
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA mmap_size = 2147418112")
        if version < SCHEMA:
            with self._writing():
                self._migrate()
        stored = self._get("proof")
        if stored is None:
            raise GalleryError(f"{self._path} is damaged: it does not say how it is sealed")
        check(self._sealing, stored)

    def _identify(self, wanted: Identity | None) -> Identity:
        with self._errors():
            model, dimension = self._get("model"), self._get("dimension")
            if model is None or dimension is None:
                if wanted is None:
                    raise GalleryError(f"{self._path} is empty: enrol somebody first")
                with self._writing():
                    if self._get("model") is None:
                        self._put("model", wanted.model.encode())
                        self._put("dimension", str(wanted.dimension).encode())
                return self._identify(wanted)
        found = Identity(model.decode(), int(dimension))
        if wanted is not None and wanted != found:
            raise GalleryError(
                f"{self._path} was made by the model {found.model} ({found.dimension} numbers), not by {wanted.model} "
                f"({wanted.dimension}): open it with that model, or give its pictures to `unpool faces re-embed`"
            )
        return found

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """SQLite's errors as one line each."""
        try:
            yield
        except sqlite3.Error as error:
            text = str(error)
            if "not a database" in text:
                raise GalleryError(f"{self._path} is not a gallery") from None
            if "locked" in text:
                raise GalleryError(f"{self._path} is in use by another process: try again when it is done") from None
            raise GalleryError(f"{self._path}: {text}; nothing was changed") from None

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction: all of it or nothing."""
        with self._errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def _get(self, key: str) -> bytes | None:
        row = self._db.execute("SELECT value FROM setting WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def _put(self, key: str, value: bytes) -> None:
        self._db.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (key, value))

    def lies_at(self, path: Path) -> bool:
        return path.exists() and path.samefile(self._path)

    def person(self, name: str) -> Person:
        name = clean_name(name)
        with self._errors():
            row = self._db.execute(
                "SELECT id, enrolled, (SELECT count(*) FROM picture WHERE person = id) FROM person WHERE lookup = ?",
                (self._sealing.lookup(name),),
            ).fetchone()
        if row is None:
            raise GalleryError(f"nobody called {name!r} is enrolled in {self._path}")
        return Person(row[0], name, row[2], row[1])

    def add_all(self, people: Mapping[str, Sequence[Entry]]) -> None:
        with self._writing():
            for name, entries in people.items():
                self._log("enrolled", self._insert(clean_name(name), entries))

    def _insert(self, name: str, entries: Sequence[Entry]) -> str:
        if not entries:
            raise GalleryError(f"no picture to enrol for {name!r}")
        seal, lookup = self._sealing.seal, self._sealing.lookup(name)
        row = self._db.execute("SELECT id FROM person WHERE lookup = ?", (lookup,)).fetchone()
        person = row[0] if row else new_id()
        if row is None:
            sealed = seal(name.encode())
            self._db.execute("INSERT INTO person VALUES (?, ?, ?, ?, ?)", (person, lookup, sealed, b"", now()))
        for entry in entries:
            vector = unit(entry.embedding, self.identity.dimension).astype("<f4").tobytes()
            columns = (person, entry.picture, seal(vector), float(entry.quality))
            self._db.execute("INSERT OR REPLACE INTO picture VALUES (?, ?, ?, ?)", columns)
        joint = template(self._entries(person)).astype("<f4").tobytes()
        self._db.execute("UPDATE person SET template = ? WHERE id = ?", (seal(joint), person))
        return person

    def _vector(self, stored: bytes) -> np.ndarray:
        return np.frombuffer(self._sealing.open(stored), "<f4")

    def _entries(self, person: str) -> list[Entry]:
        rows = self._db.execute("SELECT sha256, embedding, quality FROM picture WHERE person = ?", (person,))
        return [Entry(sha, self._vector(stored), quality) for sha, stored, quality in rows]

    def _delete(self, person: str) -> None:
        with self._writing():
            self._db.execute("DELETE FROM person WHERE id = ?", (person,))
            self._log("erased", person)
            self._put(unwiped(), b"")

    def _marks(self) -> list[str]:
        with self._errors():
            return [row[0] for row in self._db.execute("SELECT key FROM setting WHERE key LIKE ?", (f"{UNWIPED}%",))]

    def _settle(self, marks: Sequence[str]) -> None:
        with self._writing():
            self._db.executemany("DELETE FROM setting WHERE key = ?", [(mark,) for mark in marks])

    def _vacuum(self) -> None:
        """Write all pages anew and empty the log."""
        try:
            self._db.execute("VACUUM")
            busy = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        except sqlite3.Error as error:
            raise GalleryError(f"{self._path}: {error}") from None
        if busy:
            raise GalleryError(f"another process reads {self._path}")

    def people(self) -> list[Person]:
        with self._errors():
            rows = self._db.execute(
                "SELECT id, name, enrolled, (SELECT count(*) FROM picture WHERE person = id) FROM person"
            ).fetchall()
        return sorted(
            (Person(i, self._sealing.open(name).decode(), count, enrolled) for i, name, enrolled, count in rows),
            key=lambda person: person.name,
        )

    def entries(self, name: str) -> list[Entry]:
        with self._errors():
            return self._entries(self.person(name).id)

    def nearest(self, embedding: np.ndarray, count: int) -> list[Hit]:
        with self._errors():
            self._refresh()
            scores = self._matrix @ unit(embedding, self.identity.dimension)
            count = min(count, len(scores))
            best = np.argpartition(-scores, count - 1)[:count] if count else np.empty(0, int)
            hits = []
            for index in best[np.argsort(-scores[best], kind="stable")]:
                (name,) = self._db.execute("SELECT name FROM person WHERE id = ?", (self._ids[index],)).fetchone()
                hits.append(Hit(self._ids[index], self._sealing.open(name).decode(), float(scores[index])))
        return hits

    def _refresh(self) -> None:
        """Read the templates into memory, again only when somebody changed the file."""
        # data_version tells of other connections' changes, total_changes of our own.
        seen = (self._db.execute("PRAGMA data_version").fetchone()[0], self._db.total_changes)
        if seen == self._seen:
            return
        self._ids, joined = [], bytearray()
        for person, sealed in self._db.execute("SELECT id, template FROM person"):
            self._ids.append(person)
            joined += self._sealing.open(sealed)
        self._matrix = np.frombuffer(joined, "<f4").reshape(len(self._ids), self.identity.dimension)
        self._seen = seen

    def size(self) -> int:
        with self._errors():
            return self._db.execute("SELECT count(*) FROM person").fetchone()[0]

    def setting(self, key: str) -> str | None:
        with self._errors():
            value = self._get(f"user/{key}")
        return None if value is None else value.decode()

    def set_setting(self, key: str, value: str) -> None:
        with self._writing():
            self._put(f"user/{key}", value.encode())

    def _log(self, event: str, subject: str) -> None:
        self._db.execute("INSERT INTO audit (time, event, subject) VALUES (?, ?, ?)", (now(), event, subject))

    def note(self, event: str, subject: str = "") -> None:
        with self._writing():
            self._log(event, subject)

    def audit(self) -> list[tuple[str, str, str]]:
        with self._errors():
            return self._db.execute("SELECT time, event, subject FROM audit ORDER BY number").fetchall()

    def replace_all(self, identity: Identity, people: Mapping[str, Sequence[Entry]]) -> None:
        previous = self.identity
        try:
            with self._writing():
                self._db.execute("DELETE FROM person")
                self._put("model", identity.model.encode())
                self._put("dimension", str(identity.dimension).encode())
                self._put(unwiped(), b"")
                if identity != previous:
                    self._db.execute("DELETE FROM setting WHERE key = ?", (f"user/{CALIBRATION}",))
                self.identity = identity
                for name, entries in people.items():
                    self._insert(clean_name(name), entries)
                self._log("re-embedded", "")
        except BaseException:
            self.identity = previous
            raise

    def close(self) -> None:
        self._db.close()
