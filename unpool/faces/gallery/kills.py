"""What survives kills: a writing process is killed again and again, and what it said was kept is looked for."""

import hashlib
import os
import signal
import time
from pathlib import Path

import numpy as np

from unpool.faces.gallery.sealing import Plain
from unpool.faces.gallery.sqlite import SQLiteStore
from unpool.faces.gallery.store import Entry, Identity

_WHO = Identity("kills/synthetic", 256)
_LONGEST = 0.02  # seconds that a writer lives on after its first enrolment


def survivors(path: Path, kills: int) -> tuple[set[str], set[str]]:
    """Names whose enrolment was acknowledged before one of so many kills, and the names in the gallery afterwards.

    One process forks a fresh writer for every kill, and kills it at any moment after its first enrolment.
    """
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
            time.sleep(float(rng.uniform(0, _LONGEST)))
            os.kill(child, signal.SIGKILL)
            acknowledged |= {line.strip() for line in lines if line.endswith("\n")}
        os.waitpid(child, 0)
    store = SQLiteStore(path, _WHO, False, Plain())
    names = {person.name for person in store.people()}
    store.close()
    return acknowledged, names


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
