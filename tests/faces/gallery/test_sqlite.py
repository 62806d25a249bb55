"""The embedded file: erasure leaves no trace, kills and rivals lose nothing, bad files are one line."""

import hashlib
import multiprocessing
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from unpool.errors import GalleryError
from unpool.faces.gallery.kills import survivors
from unpool.faces.gallery.sealing import Plain, Sealed, new_key
from unpool.faces.gallery.sqlite import SQLiteStore
from unpool.faces.gallery.store import Entry, Identity

WHO = Identity("toy/1", 32)


def vector(seed):
    values = np.random.default_rng(seed).normal(size=WHO.dimension).astype(np.float32)
    return values / np.linalg.norm(values)


def entry(seed):
    return Entry(hashlib.sha256(str(seed).encode()).hexdigest(), vector(seed))


def opened(path, sealing=None, create=True):
    return SQLiteStore(path, WHO, create, sealing or Plain())


def bytes_of(path):
    return b"".join(p.read_bytes() for p in path.parent.glob(path.name + "*"))


def test_erasure_leaves_no_byte_of_name_or_embedding(tmp_path):
    path = tmp_path / "people.db"
    store = opened(path)
    store.add_all({f"Somebody Number {n:04d}": [entry(10 * n + i) for i in range(3)] for n in range(300)})
    for n in (7, 150, 299):
        store.add_all({f"Somebody Number {n:04d}": [entry(10 * n + 9)]})  # pages are rewritten before the erasure
        stored = bytes_of(path)
        name = f"Somebody Number {n:04d}".encode()
        kept = store.entries(name.decode())
        traces = [name, *(e.picture.encode() for e in kept)]
        traces += [e.embedding.tobytes()[k : k + 16] for e in kept for k in (0, 48, 112)]
        assert len(traces) == 17
        assert all(trace in stored for trace in traces)
        who = store.person(name.decode()).id
        traces.append(store._db.execute("SELECT template FROM person WHERE id = ?", (who,)).fetchone()[0][:16])
        store.remove(name.decode())
        left = bytes_of(path)
        assert [trace for trace in traces if trace in left] == []
    assert store.size() == 297
    store.close()


def test_a_reader_in_the_way_of_an_erasure_is_said_and_erasing_again_wipes(tmp_path, monkeypatch):
    monkeypatch.setattr("unpool.faces.gallery.sqlite._BUSY_SECONDS", 0.2)
    path = tmp_path / "people.db"
    store = opened(path)
    store.add_all({"Zebedee": [entry(1)], "Bob": [entry(2)]})
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM person").fetchall()
    for _ in range(2):
        with pytest.raises(
            GalleryError, match=r"removed, but traces may be left \(another process reads .*again later"
        ):
            store.remove("Zebedee")
    assert [p.name for p in store.people()] == ["Bob"]
    assert b"Zebedee" in bytes_of(path)
    reader.close()
    assert store.remove("Zebedee").id == ""
    assert b"Zebedee" not in bytes_of(path)
    with pytest.raises(GalleryError, match="nobody called 'Zebedee'"):
        store.remove("Zebedee")
    assert store.remove("Bob").id


def test_encrypted_file_shows_neither_name_nor_embedding(tmp_path):
    path, key = tmp_path / "people.db", new_key()
    store = opened(path, Sealed(key))
    store.add_all({"Ada Lovelace": [entry(1)]})
    assert store.nearest(vector(1), 1)[0].name == "Ada Lovelace"
    assert store.person("Ada Lovelace").pictures == 1
    stored = bytes_of(path)
    assert b"Ada Lovelace" not in stored
    assert store.entries("Ada Lovelace")[0].embedding.tobytes()[:16] not in stored
    store.close()
    for wrong, message in ((Plain(), "is encrypted"), (Sealed(new_key()), "does not open")):
        with pytest.raises(GalleryError, match=message):
            opened(path, wrong)
    assert opened(path, Sealed(key)).size() == 1
    plain = tmp_path / "plain.db"
    opened(plain).close()
    with pytest.raises(GalleryError, match="not encrypted"):
        opened(plain, Sealed(key))
    with pytest.raises(GalleryError, match="32 bytes"):
        Sealed(b"short")


def test_search_is_exact_and_sees_other_processes(tmp_path):
    path = tmp_path / "people.db"
    one, two = opened(path), opened(path)
    one.add_all({f"P{n}": [entry(n)] for n in range(50)})
    for n in range(50):
        assert two.nearest(vector(n), 3)[0].name == f"P{n}"
    scores = np.array([vector(n) for n in range(50)]) @ vector(77)
    hits = two.nearest(vector(77), 50)
    np.testing.assert_allclose([hit.score for hit in hits], np.sort(scores)[::-1], rtol=1e-5, atol=1e-6)
    one.remove("P3")
    assert two.nearest(vector(3), 1)[0].name != "P3"
    assert len(two.nearest(vector(3), 500)) == 49


def _enrol_some(path, first, count):
    store = opened(path)
    for n in range(first, first + count):
        store.add_all({f"P{n}": [entry(n)]})
    store.close()


def test_two_processes_write_at_once(tmp_path):
    path = tmp_path / "people.db"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_enrol_some, args=(path, first, 40)) for first in (0, 1000)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
        assert writer.exitcode == 0
    assert opened(path).size() == 80
    assert not list(tmp_path.glob("*.part"))


_ENROL_FOR_EVER = """
import sys
import numpy as np
from pathlib import Path
from unpool.faces.gallery.sealing import Plain
from unpool.faces.gallery.sqlite import SQLiteStore
from unpool.faces.gallery.store import Entry, Identity
store = SQLiteStore(Path(sys.argv[1]), Identity("toy/1", 32), True, Plain())
number = int(sys.argv[2])
while True:
    store.add_all({f"P{number}": [Entry(f"{number:064x}", np.ones(32, np.float32))]})
    sys.stdout.write(f"P{number}\\n")
    sys.stdout.flush()
    number += 1
"""


def test_a_kill_loses_no_acknowledged_enrolment(tmp_path):
    path = tmp_path / "people.db"
    acknowledged, names = survivors(path, 100)
    assert len(acknowledged) > 100
    assert acknowledged <= names
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"hello, I am a text file, not a database\n" * 40, "is not a gallery"),
        (b"SQLite format 3\0" + b"\xff" * 5000, "is not a gallery|malformed|not a gallery"),
    ],
)
def test_files_that_are_no_gallery_are_left_alone(tmp_path, content, message):
    path = tmp_path / "people.db"
    path.write_bytes(content)
    with pytest.raises(GalleryError, match=message):
        opened(path)
    assert path.read_bytes() == content


def test_other_databases_folders_and_missing_ones(tmp_path):
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE mine (x)")
    with pytest.raises(GalleryError, match="a database, but not a gallery"):
        opened(other)
    with pytest.raises(GalleryError, match="there is no gallery"):
        opened(tmp_path / "none.db", create=False)
    assert not (tmp_path / "none.db").exists()
    for place in (tmp_path, tmp_path / "no" / "folder.db"):
        with pytest.raises(GalleryError, match="cannot be a gallery"):
            opened(place)


def test_truncated_file(tmp_path):
    path = tmp_path / "people.db"
    store = opened(path)
    store.add_all({f"P{n}": [entry(n)] for n in range(200)})
    store.close()
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(GalleryError):
        opened(path).people()


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="needs prlimit to make a disk full")
def test_a_full_disk_is_one_line_and_nothing_is_lost(tmp_path):
    path = tmp_path / "people.db"
    store = opened(path)
    store.add_all({f"P{n}": [entry(n)] for n in range(20)})
    store.close()
    # A limit on file size answers writes beyond it as a full disk does.
    ignoring = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)"
    command = ["prlimit", "--fsize=60000", sys.executable, "-c", ignoring + _ENROL_FOR_EVER, path, "100"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert "GalleryError" in done.stderr
    assert "nothing was changed" in done.stderr
    names = {person.name for person in opened(path).people()}
    assert {f"P{n}" for n in range(20)} | set(done.stdout.split()) <= names


@pytest.fixture
def folder_for_all():
    """A folder that other users reach, which pytest's own are not."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)
        os.chmod(folder, 0o755)


@pytest.mark.parametrize(("mode", "message"), [(0o444, "readonly|unable to open"), (0o000, "unable to open|denied")])
def test_a_file_that_may_not_be_written_or_read(folder_for_all, mode, message):
    path = folder_for_all / "people.db"
    store = opened(path)
    store.add_all({"Ada": [entry(1)]})
    store.close()
    before = path.read_bytes()
    path.chmod(mode)
    folder_for_all.chmod(0o555)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        if os.geteuid() == 0:  # whom permissions do not stop: another user tries
            os.setresuid(65534, 65534, 65534)
        os.write(writing, _what_enrolling_says(path))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as said:
        assert re.match(rf"GalleryError: .*({message})", said.read())
    os.waitpid(child, 0)
    path.chmod(0o644)
    assert path.read_bytes() == before


def _what_enrolling_says(path):
    try:
        opened(path).add_all({"Bob": [entry(2)]})
    except Exception as error:  # whatever it is, the parent looks at it
        return f"{type(error).__name__}: {error}".encode()
    return b"nothing"
