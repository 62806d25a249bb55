"""API keys: shown once, kept as hashes, limited to scopes, revocable."""

import hashlib
import hmac
import json
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from unpool.errors import UnpoolError

SCOPES = (
    "restore",
    "compress",
    "explain",
    "generate",
    "embed",
    "faces",
    "metrics",
)  # and "gallery:NAME", "gallery:*", "*"


@dataclass(frozen=True)
class Key:
    """A key as it is listed: never the secret."""

    id: str
    scopes: tuple[str, ...]
    made: str
    revoked: str | None

    def allows(self, scope: str) -> bool:
        """Whether the key opens a scope: its own name, `gallery:*` for any gallery, `*` for all."""
        return bool({scope, "*"} & set(self.scopes)) or (scope.startswith("gallery:") and "gallery:*" in self.scopes)


class KeyStore:
    """Keys in one SQLite file. Only SHA-256 hashes of secrets are stored; secrets have 256 random bits.

    create: make the file where there is none.

    Raises:
        UnpoolError: the file is not there, cannot be opened or is something else.
    """

    def __init__(self, path: Path, create: bool = True) -> None:
        self.path = path
        self._kept: tuple[int, sqlite3.Connection] | None = None  # the file's number, and the connection that looks
        self._lock = Lock()
        if not create and not path.exists():
            raise UnpoolError(f"there is no file of keys {path}: `unpool keys make --scope '*' --keys {path}` makes it")
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as db:
            if db.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name <> 'key'").fetchone():
                raise UnpoolError(f"{path} holds something else than keys: choose another file")
            db.execute(
                "CREATE TABLE IF NOT EXISTS key "
                "(id TEXT PRIMARY KEY, secret BLOB NOT NULL, scopes TEXT NOT NULL, made TEXT NOT NULL, revoked TEXT)"
            )
        path.chmod(0o600)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path, timeout=10)) as db, db:
                yield db
        except sqlite3.Error as error:
            raise UnpoolError(f"{self.path} cannot be used for keys: {error}") from None

    @contextmanager
    def _looking(self) -> Iterator[sqlite3.Connection]:
        """A connection kept from one look to the next, as long as the file is the same."""
        with self._lock:
            try:
                number = self.path.stat().st_ino
                if self._kept is None or self._kept[0] != number:
                    self._kept = (number, sqlite3.connect(self.path, timeout=10, check_same_thread=False))
                yield self._kept[1]
            except (OSError, sqlite3.Error) as error:
                raise UnpoolError(f"{self.path} cannot be used for keys: {error}") from None

    def make(self, scopes: Sequence[str]) -> str:
        """Make a key and return it: the only time it is seen.

        Raises:
            UnpoolError: no scope, or an unknown one.
        """
        for scope in scopes:
            gallery = scope.removeprefix("gallery:")
            if scope not in (*SCOPES, "*") and not (gallery != scope and (gallery == "*" or is_name(gallery))):
                raise UnpoolError(f"there is no scope {scope!r}: give {', '.join(SCOPES)}, gallery:NAME or *")
        if not scopes:
            raise UnpoolError("a key opens at least one scope: give --scope")
        key_id, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
        with self._open() as db:
            columns = (key_id, _hash(secret), json.dumps(list(scopes)), _now(), None)
            db.execute("INSERT INTO key VALUES (?, ?, ?, ?, ?)", columns)
        return f"unp_{key_id}_{secret}"

    def find(self, text: str) -> Key | None:
        """The key that `text` is, or None; compared in constant time."""
        prefix, _, rest = text.partition("_")
        key_id, _, secret = rest.partition("_")
        query = "SELECT id, scopes, made, revoked, secret FROM key WHERE id = ?"
        with self._looking() as db:
            row = db.execute(query, (key_id,)).fetchone()
        stored = row[4] if row else bytes(32)
        right = hmac.compare_digest(stored, _hash(secret))
        if not right or prefix != "unp" or row is None or row[3] is not None:
            return None
        return Key(row[0], tuple(json.loads(row[1])), row[2], row[3])

    def list(self) -> "list[Key]":
        """All keys ever made, oldest first."""
        with self._open() as db:
            rows = db.execute("SELECT id, scopes, made, revoked FROM key ORDER BY made").fetchall()
        return [Key(row[0], tuple(json.loads(row[1])), row[2], row[3]) for row in rows]

    def revoke(self, key_id: str) -> None:
        """Let a key open nothing from now on. UnpoolError: there is none of this id."""
        with self._open() as db:
            query = "UPDATE key SET revoked = ? WHERE id = ? AND revoked IS NULL"
            if not db.execute(query, (_now(), key_id)).rowcount:
                raise UnpoolError(f"there is no key {key_id!r} that is not revoked: `unpool keys list` shows them")


def is_name(text: str) -> bool:
    """Whether a text can name a gallery: 1 to 64 lower-case letters, digits and hyphens, not first a hyphen."""
    return 0 < len(text) <= 64 and text[0] != "-" and all(c in "abcdefghijklmnopqrstuvwxyz0123456789-" for c in text)


def _hash(secret: str) -> bytes:
    # 256 random bits need no slow hash: nobody can try them all.
    return hashlib.sha256(secret.encode()).digest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
