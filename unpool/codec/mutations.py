"""Sound files and weights made hostile: known ones changed field by field, half of the files with right checksums."""

import random
import struct
import zlib
from collections.abc import Callable

import torch
from torch import Tensor

from unpool.codec.container import ENTRY, HEADER

_START = HEADER.size + 4
# Header fields: (offset, struct format).
_FIELDS = ((5, "<B"), (6, "<I"), (10, "<I"), (14, "<H"), (16, "<B"), (17, "<Q"))


def repaired(data: bytes) -> bytes:
    """The same bytes with all checksums and the last length made right, as far as they can be found."""
    out = bytearray(data)
    if len(out) < _START:
        return bytes(out)
    out[HEADER.size : _START] = struct.pack("<I", zlib.crc32(out[: HEADER.size]))
    flags, (width, height), tile = out[5], struct.unpack_from("<II", out, 6), 1 << (out[16] & 15)
    count = (flags >> 4 & 1) + -(-width // tile) * -(-height // tile) * (2 if flags & 4 else 1)
    end = _START + count * ENTRY.size
    if not 0 < count < 1000 or len(out) < end + 4:
        return bytes(out)
    place = end + 4
    for number in range(count):
        entry = _START + number * ENTRY.size
        (length,) = struct.unpack_from("<I", out, entry)
        if number == count - 1:
            length = max(0, len(out) - place)
        out[entry : entry + 8] = ENTRY.pack(length, zlib.crc32(out[place : place + length]))
        place += length
    out[end : end + 4] = struct.pack("<I", zlib.crc32(out[_START:end]))
    return bytes(out)


def mutated(data: bytes, rng: random.Random) -> bytes:
    """One mutation of a sound file; every second one has its checksums repaired."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        rng.choice(_MUTATIONS)(out, rng)
    return repaired(bytes(out)) if rng.random() < 0.5 else bytes(out)


def spoilt(tensor: Tensor, rng: random.Random) -> Tensor:
    """A copy of a tensor with one, some or all of its values extreme, now and then with another shape."""
    whole = not tensor.is_floating_point()
    low, high = (torch.iinfo(tensor.dtype).min, torch.iinfo(tensor.dtype).max) if whole else (-6e4, 6e4)
    value = rng.choice((low, high, 0, 1) if whole else (low, high, 0, 1, float("nan"), float("inf")))
    changed = tensor.clone()
    flat = changed.view(-1)
    count = rng.choice((1, 1, max(1, len(flat) // 2), len(flat)))
    flat[torch.tensor(rng.sample(range(len(flat)), min(count, 1000)))] = value
    return changed if rng.random() < 0.9 else changed.view(-1)[: len(flat) // 2]


def _flip(out: bytearray, rng: random.Random) -> None:
    if out:
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)


def _cut(out: bytearray, rng: random.Random) -> None:
    del out[rng.randrange(len(out) + 1) :]


def _grow(out: bytearray, rng: random.Random) -> None:
    place = rng.randrange(len(out) + 1)
    out[place:place] = rng.randbytes(rng.randrange(1, 40))


def _remove(out: bytearray, rng: random.Random) -> None:
    place = rng.randrange(len(out) + 1)
    del out[place : place + rng.randrange(1, 12)]


def _field(out: bytearray, rng: random.Random) -> None:
    offset, kind = rng.choice(_FIELDS)
    size = struct.calcsize(kind)
    if len(out) >= offset + size:
        top = 2 ** (8 * size) - 1
        value = rng.choice((0, 1, 2, 16, 31, 33, 64, 255, 1000, 65535, top, top // 2, rng.randint(0, top)))
        out[offset : offset + size] = struct.pack(kind, min(value, top))


def _length(out: bytearray, rng: random.Random) -> None:
    if len(out) >= _START + 12:
        place = _START + 8 * rng.randrange(2) if len(out) >= _START + 20 else _START
        (length,) = struct.unpack_from("<I", out, place)
        value = rng.choice((0, length - 4, length + 4, length // 2, 2**32 - 1, 2**31, rng.getrandbits(32)))
        out[place : place + 4] = struct.pack("<I", value % 2**32)


def _noise(out: bytearray, rng: random.Random) -> None:
    if len(out) > _START + 12:
        place = rng.randrange(_START + 12, len(out))
        count = min(len(out) - place, rng.randrange(1, 65))
        out[place : place + count] = rng.choice((rng.randbytes(count), bytes(count), b"\xff" * count))


_MUTATIONS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    *(_flip, _flip, _cut, _grow, _remove, _field, _field, _length, _noise, _noise),
)
