"""Packs made from sets on first use and kept; a set whose files changed gets another one."""

import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from unpool.errors import DataError
from unpool.train.data.find import pack_path, roots
from unpool.train.data.pack import Entry, Pack, write_pack


def fingerprint(folders: list[Path]) -> str:
    """A hash of the names and sizes of all files in these folders."""
    listing = []
    for folder in folders:
        for inside, below, files in os.walk(folder):
            below.sort()
            shown = os.path.relpath(inside, folder)
            listing += [f"{shown}/{file} {os.stat(os.path.join(inside, file)).st_size}" for file in sorted(files)]
    return hashlib.sha256("\n".join(listing).encode(errors="surrogateescape")).hexdigest()[:16]


def built(
    name: str,
    entries: Callable[[list[Path]], Iterator[Entry]],
    sources: Callable[[], list[Path]],
    data: str | Path | None = None,
) -> Pack:
    """The pack made from `entries(sources())`, written on first use; `name` and a hash of its sources name its file.

    Where the sources are not on this machine, a pack of that name made from any is used. `DataError` where `data` is no
    folder.
    """
    roots(data)
    try:
        folders = sources()
    except DataError:
        others = sorted(pack_path(f"{name}.pack", data).parent.glob(f"{name}-" + "[0-9a-f]" * 16 + ".pack"))
        if others:
            return Pack(others[-1])
        raise
    path = pack_path(f"{name}-{fingerprint(folders)}.pack", data)
    if not path.is_file():
        if sys.stderr.isatty():
            print(f"packing {name} into {path.parent}, once", file=sys.stderr)
        write_pack(path, entries(folders))
    return Pack(path)
