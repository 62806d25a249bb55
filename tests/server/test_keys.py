"""API keys: hashed at rest, found only whole, limited, revocable."""

import sqlite3
from contextlib import closing

import pytest

from unpool.errors import UnpoolError
from unpool.server.keys import KeyStore, is_name


def test_a_key_is_found_and_its_secret_is_not_stored(tmp_path):
    store = KeyStore(tmp_path / "keys.db")
    key = store.make(["restore", "gallery:staff"])
    found = KeyStore(tmp_path / "keys.db").find(key)
    assert found.allows("restore")
    assert found.allows("gallery:staff")
    assert not found.allows("gallery:others")
    assert not found.allows("explain")
    assert key.split("_", 2)[2].encode() not in (tmp_path / "keys.db").read_bytes()
    assert (tmp_path / "keys.db").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("change", [lambda k: k[:-1], lambda k: k + "x", lambda k: "x" + k, lambda k: "", str.upper])
def test_only_the_whole_key(tmp_path, change):
    store = KeyStore(tmp_path / "keys.db")
    assert store.find(change(store.make(["*"]))) is None


def test_revoked(tmp_path):
    store = KeyStore(tmp_path / "keys.db")
    key = store.make(["*"])
    store.revoke(store.list()[0].id)
    assert store.find(key) is None
    with pytest.raises(UnpoolError, match="no key"):
        store.revoke(store.list()[0].id)


def test_scopes_are_checked(tmp_path):
    store = KeyStore(tmp_path / "keys.db")
    for scopes in ([], ["all"], ["gallery:"], ["gallery:../x"], ["gallery:A b"]):
        with pytest.raises(UnpoolError):
            store.make(scopes)
    wide = store.find(store.make(["gallery:*"]))
    assert wide.allows("gallery:anything")
    assert not wide.allows("metrics")


def test_a_file_that_is_none(tmp_path):
    (tmp_path / "keys.db").write_text("hello " * 100)
    with pytest.raises(UnpoolError, match="cannot be used for keys"):
        KeyStore(tmp_path / "keys.db")


def test_names():
    assert is_name("staff-2")
    assert not any(is_name(text) for text in ("", "-a", "A", "a/b", "a" * 65, ".."))


def test_only_make_makes_a_file_and_nothing_else_is_touched(tmp_path):
    with pytest.raises(UnpoolError, match=r"there is no file of keys .*`unpool keys make"):
        KeyStore(tmp_path / "typo.db", create=False)
    assert not (tmp_path / "typo.db").exists()
    with closing(sqlite3.connect(tmp_path / "other.db")) as db:
        db.execute("CREATE TABLE person (id TEXT)")
    (tmp_path / "other.db").chmod(0o640)
    with pytest.raises(UnpoolError, match="holds something else"):
        KeyStore(tmp_path / "other.db")
    with closing(sqlite3.connect(tmp_path / "other.db")) as db:
        assert db.execute("SELECT name FROM sqlite_master").fetchall() == [("person",)]
    assert (tmp_path / "other.db").stat().st_mode & 0o777 == 0o640
