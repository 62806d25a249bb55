"""Hostile files: known ones mutated field by field, decoded in a child process under limits.

Whatever the bytes, a decoder may answer with a picture or with an `UnpoolError`; anything else is a failure. Half of
the mutations have all their checksums repaired, so that they reach what lies behind.
"""

import json
import random
import resource
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from unpool.codec import api, container
from unpool.codec.container import ENTRY, HEADER
from unpool.errors import UnpoolError
from unpool.images.picture import Picture

MAX_PIXELS = 2**16
MEMORY = 6 * 2**30
SECONDS_A_FILE = 20
_START = HEADER.size + 4
# Header fields: (offset, struct format).
_FIELDS = ((5, "<B"), (6, "<I"), (10, "<I"), (14, "<H"), (16, "<B"), (17, "<Q"))


def seeds(codec: api.PictureCodec) -> list[bytes]:
    """Small sound files of every kind: lossy and lossless, colour and grey, with alpha, EXIF and 16 bits."""
    rng = np.random.default_rng(0)
    smooth = np.add.outer(np.arange(32) * 3, np.arange(32) * 4)[:, :, None] + np.array([0, 20, 40])
    colour = np.clip(smooth + rng.integers(0, 20, smooth.shape), 0, 255).astype(np.uint8)
    grey, deep = colour[:9, :31, :1], colour[:17, :13].astype(np.uint16) * 251
    exif = Picture(colour, exif=b"Exif\0\0" + bytes(range(60)))
    lossy = [
        *(codec.compress(Picture(colour), quality) for quality in (5, 60, 100)),
        codec.compress(Picture(grey), 40),
        codec.compress(Picture(colour[:8, :8], alpha=colour[:8, :8, 0]), 70),
        codec.compress(exif, 30),
        codec.compress(Picture(colour[:1, :1]), 50),
    ]
    exact = [Picture(colour), Picture(grey), Picture(deep), Picture(deep, alpha=deep[:, :, 0]), exif]
    return lossy + [api.compress_lossless(picture) for picture in exact]


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


def fuzz(codec_file: str | Path, mutations: int, seed: int = 0) -> dict[str, int]:
    """Decode `mutations` hostile files in a child process; how many were tried and how many failed.

    A crash, a hang or memory beyond the limit ends the child: that mutation is counted as a failure, and a new child
    goes on behind it.
    """
    done = failures = decoded = 0
    with tempfile.TemporaryDirectory() as folder:
        progress = Path(folder) / "progress"
        while done < mutations:
            request = json.dumps([str(codec_file), done, mutations, seed, str(progress)])
            code = "import sys; from unpool.codec.fuzzing import child; child(sys.argv[1])"
            command = [sys.executable, "-c", code, request]
            ended = subprocess.run(command, capture_output=True, text=True, check=False)
            if not progress.exists():
                raise UnpoolError(f"the fuzzer's child did not start: {ended.stderr.strip()[-300:]}")
            report = json.loads(progress.read_text())
            failures += report["failures"]
            decoded += report["decoded"]
            done = report["done"]
            if ended.returncode:
                failures += 1
                done += 1
            progress.unlink()
    return {"mutations": mutations, "failures": failures, "decoded": decoded}


def child(request: str) -> None:
    """What the child process does: limits first, then one mutation after the other."""
    import signal

    codec_file, first, last, seed, progress = json.loads(request)
    codec = api.load_codec(codec_file, "cpu")
    files = seeds(codec)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    failures = decoded = 0
    for number in range(first, last):
        Path(progress).write_text(json.dumps({"done": number, "failures": failures, "decoded": decoded}))
        rng = random.Random(f"{seed}/{number}")
        data = mutated(rng.choice(files), rng)
        signal.alarm(SECONDS_A_FILE)  # unhandled, it ends the process
        try:
            if container.parse(data, MAX_PIXELS).header.lossless:
                api.decompress(data, max_pixels=MAX_PIXELS)
            else:
                codec.decompress(data, max_pixels=MAX_PIXELS)
            decoded += 1
        except UnpoolError:
            pass
        except Exception:
            failures += 1
        signal.alarm(0)
    Path(progress).write_text(json.dumps({"done": last, "failures": failures, "decoded": decoded}))
