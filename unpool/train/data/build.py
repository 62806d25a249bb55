"""Packs made from sets on first use, kept, and made again when the set's files change."""

import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from unpool.errors import DataError
from unpool.train.data.find import pack_path
from unpool.train.data.pack import Entry, Pack, write_pack


def fingerprint(folders: list[Path]) -> str:
    """A hash of the names and sizes of all files in these folders."""
    listing = []
    for folder in folders:
        for inside, below, files in os.walk(folder):
            below.sort()
            shown = os.path.relpath(inside, folder)
            listing += [f"{shown}/{file} {os.stat(os.path.join(inside, file)).st_size}" for file in sorted(files)]
    return hashlib.sha256("\n".join(listing).encode()).hexdigest()[:16]


def built(
    name: str,
    entries: Callable[[list[Path]], Iterator[Entry]],
    sources: Callable[[], list[Path]],
    data: str | Path | None = None,
) -> Pack:
    """The pack `name`, made from `entries(sources())` unless one made from the same files is there already.

    A pack whose sources are not on this machine is used as it is.
    """
    path = pack_path(name, data)
    try:
        folders = sources()
    except DataError:
        if path.is_file():
            return Pack(path)
        raise
    made_from = fingerprint(folders)
    if path.is_file():
        pack = Pack(path)
        if pack.note.get("made_from") == made_from:
            return pack
    if sys.stderr.isatty():
        print(f"packing {name} into {path.parent}, once", file=sys.stderr)
    return Pack(write_pack(path, entries(folders), note={"made_from": made_from}))
