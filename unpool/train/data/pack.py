"""A packed file: pictures decoded once, stored as raw bytes behind one memory map, so that reading one is a slice.

Layout, all numbers little-endian: 8 bytes of magic; the pictures' samples one after the other (uint8, height x width x
channels); the index (JSON, UTF-8); a trailer of offset u64, length u64, CRC-32 of the samples u32, CRC-32 of the index
u32, magic. Further shards of `x.pack` are `x.1.pack`, `x.2.pack`, ...; every one is such a file, and all carry the
fingerprint of the whole.
"""

import contextlib
import hashlib
import json
import mmap
import os
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from unpool.errors import DataError
from unpool.images.atomic import atomic

MAGIC = b"UNPOOLP1"
TRAILER = struct.Struct("<QQII8s")


@dataclass(frozen=True)
class Entry:
    """A picture on its way into a pack: samples (H, W, C) uint8, a name, a label if it has one, further columns."""

    samples: np.ndarray
    name: str
    label: str | None = None
    columns: dict[str, Any] = field(default_factory=dict)


def shard_path(path: Path, number: int) -> Path:
    """`x.pack` for the first shard, `x.1.pack` for the second."""
    return path if number == 0 else path.with_name(f"{path.stem}.{number}{path.suffix}")


class _Shard:
    """One shard being written: samples go to the file at once, the index waits for the end."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.file.write(MAGIC)
        self.crc = 0
        self.index: dict[str, Any] = {"shapes": [], "names": [], "labels": [], "columns": {}}

    @property
    def size(self) -> int:
        return self.file.tell()

    def add(self, entry: Entry, label: int) -> None:
        samples = np.ascontiguousarray(entry.samples)
        if samples.dtype != np.uint8 or samples.ndim != 3 or 0 in samples.shape:
            raise DataError(f"{entry.name}: a pack holds uint8 pictures (H, W, C), not {samples.dtype} {samples.shape}")
        columns = self.index["columns"]
        if self.index["names"] and set(columns) != set(entry.columns):
            raise DataError(
                f"{entry.name}: every picture of a pack has the same columns ({', '.join(columns) or 'none'})"
            )
        self.file.write(samples.data)
        self.crc = zlib.crc32(samples.data, self.crc)
        self.index["shapes"].append(samples.shape)
        self.index["names"].append(entry.name)
        self.index["labels"].append(label)
        for key, value in entry.columns.items():
            columns.setdefault(key, []).append(value)

    def finish(self, more: dict[str, Any]) -> None:
        offset = self.file.tell()
        index = json.dumps({**self.index, **more}, separators=(",", ":")).encode()
        self.file.write(index)
        self.file.write(TRAILER.pack(offset, len(index), self.crc, zlib.crc32(index), MAGIC))
        self.file.close()


def write_pack(
    path: str | Path, entries: Iterable[Entry], *, max_mb: float | None = None, note: dict[str, Any] | None = None
) -> Path:
    """Write pictures into `path`, in shards of at most `max_mb` megabytes; the file appears only when all is written.

    Raises:
        DataError: no picture at all, a picture that is not uint8 (H, W, C), or columns that differ.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    limit = max_mb * 1e6 if max_mb else float("inf")
    shards: list[_Shard] = []
    labels: dict[str, int] = {}
    with contextlib.ExitStack() as stack:  # renames in reverse: the first shard, which names the others, comes last
        for entry in entries:
            if not shards or (shards[-1].index["names"] and shards[-1].size + entry.samples.nbytes > limit):
                beside = stack.enter_context(atomic(shard_path(path, len(shards))))
                shards.append(_Shard(stack.enter_context(open(beside, "wb"))))
            shards[-1].add(entry, -1 if entry.label is None else labels.setdefault(entry.label, len(labels)))
        if not shards:
            raise DataError(f"no pictures to pack into {path}")
        fingerprint = hashlib.sha256(json.dumps([shard.crc for shard in shards]).encode()).hexdigest()[:16]
        shared = {"shards": len(shards), "fingerprint": fingerprint, "label_names": list(labels), "note": note or {}}
        for number, shard in enumerate(shards):
            shard.finish({"shard": number, **shared})
    return path


def _read_shard(path: Path, check: bool) -> tuple[np.ndarray, dict[str, Any]]:
    damaged = f"{path} is not a pack or is damaged: pack it again with `unpool data pack`"
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < len(MAGIC) + TRAILER.size:
                raise DataError(damaged)
            memory = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except FileNotFoundError:
        raise DataError(f"there is no pack {path}") from None
    offset, length, samples_crc, index_crc, magic = TRAILER.unpack(memory[size - TRAILER.size :])
    if bytes(memory[:8]) != MAGIC or magic != MAGIC or offset < 8 or offset + length + TRAILER.size != size:
        raise DataError(damaged)
    index_bytes = memory[offset : offset + length]
    if zlib.crc32(index_bytes) != index_crc or (check and zlib.crc32(memory[8:offset]) != samples_crc):
        raise DataError(damaged)
    try:
        index = json.loads(bytes(index_bytes))
        shapes = np.array(index["shapes"], dtype=np.int64).reshape(-1, 3)
        columns = [index["names"], index["labels"], *index["columns"].values()]
        whole = (shapes > 0).all() and shapes.max() < 2**20 and int(shapes.prod(axis=1).sum()) == offset - 8
        if not whole or any(len(column) != len(shapes) for column in columns):
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise DataError(damaged) from None
    return np.frombuffer(memory, dtype=np.uint8, count=offset - 8, offset=8), index


class Pack:
    """A pack opened for reading: `pack[i]` is a read-only uint8 view (H, W, C) of the file's memory.

    Args:
        path: the pack's first (or only) file.
        check: read everything once and compare checksums; without it only the index is checked.

    Attributes:
        shapes: (N, 3) int64, height, width, channels.
        labels: (N,) int64 into `label_names`; -1 for a picture without one.
        names: the pictures' names.
        note: what the writer noted about the whole.
    """

    def __init__(self, path: str | Path, *, check: bool = True) -> None:
        self.path = Path(path)
        memory, first = _read_shard(self.path, check)
        if first.get("shard") != 0:
            raise DataError(f"{path} is a further shard of a pack: open the one without a number")
        parts = [(memory, first)]
        for number in range(1, first["shards"]):
            parts.append(_read_shard(shard_path(self.path, number), check))
            if parts[-1][1].get("fingerprint") != first["fingerprint"]:
                raise DataError(f"{shard_path(self.path, number)} does not belong to {path}: pack them again")
        self._memory = [memory for memory, _ in parts]
        indices = [index for _, index in parts]
        shapes = [np.array(index["shapes"], dtype=np.int64).reshape(-1, 3) for index in indices]
        self.shapes = np.concatenate(shapes)
        self._shard = np.repeat(np.arange(len(parts)), [len(one) for one in shapes])
        self._start = np.concatenate([np.cumsum(one.prod(axis=1)) - one.prod(axis=1) for one in shapes])
        self.names: list[str] = [name for index in indices for name in index["names"]]
        self.labels = np.array([label for index in indices for label in index["labels"]], dtype=np.int64)
        self.label_names: list[str] = first["label_names"]
        self.note: dict[str, Any] = first["note"]
        self._columns = {
            key: np.array([value for index in indices for value in index["columns"][key]]) for key in first["columns"]
        }

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> np.ndarray:
        shape = self.shapes[index]
        start = self._start[index]
        return self._memory[self._shard[index]][start : start + shape.prod()].reshape(shape)

    @property
    def files(self) -> int:
        """How many files the pack has."""
        return len(self._memory)

    @property
    def nbytes(self) -> int:
        """Bytes of samples in all."""
        return sum(memory.nbytes for memory in self._memory)

    def column(self, name: str) -> np.ndarray:
        """A further column, one value a picture."""
        if name not in self._columns:
            raise DataError(f"{self.path} has no column {name}: it has {', '.join(self._columns) or 'none'}")
        return self._columns[name]

    def where(self, **values: Any) -> np.ndarray:
        """Indices of the pictures whose columns have these values: `pack.where(part="train")`; a list means any."""
        chosen = np.ones(len(self), dtype=bool)
        for name, value in values.items():
            wanted = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
            chosen &= np.isin(self.column(name), wanted)
        return np.flatnonzero(chosen)

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self.path,)  # a loader's worker opens the file again instead of copying it


def _reopen(path: Path) -> Pack:
    return Pack(path, check=False)
