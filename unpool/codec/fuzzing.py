"""Hostile files and weights, tried in a child process under limits of memory and time.

Whatever the bytes, a decoder may answer with a picture or with an `UnpoolError`; anything else is a failure.
"""

import json
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save as to_bytes

from unpool.codec import api, container
from unpool.codec.mutations import mutated, repaired, spoilt
from unpool.errors import UnpoolError
from unpool.images.picture import Picture
from unpool.zoo.weights import read, tensor_hash

MAX_PIXELS = 2**16
MEMORY = 6 * 2**30
SECONDS_A_FILE = 20
# Hostile numbers of a configuration.
_CONFIG: tuple[Any, ...] = (0, -1, 1, 3, 17, 10**9, 0.5, "x", None, [], [10**9], [1] * 10**4)


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


def fuzz(codec_file: str | Path, mutations: int, seed: int = 0, target: str = "files") -> dict[str, int]:
    """Try `mutations` hostile inputs in a child process; how many were tried, how many failed, how many were decoded.

    A crash, a hang or memory beyond the limit ends the child: that mutation is counted as a failure, and a new child
    goes on behind it.

    target: "files", mutated `.unp` files, or "weights", mutated weight files with their hash made right.
    """
    done = failures = decoded = 0
    with tempfile.TemporaryDirectory() as folder:
        progress = Path(folder) / "progress"
        while done < mutations:
            request = json.dumps([str(codec_file), target, done, mutations, seed, str(progress)])
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

    torch.set_num_threads(1)  # enough for pictures of 32x32
    codec_file, target, first, last, seed, progress = json.loads(request)
    place = Path(progress).with_name("hostile.safetensors")
    attempt = hostile_files(codec_file) if target == "files" else hostile_weights(codec_file, place)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    failures = decoded = 0
    for number in range(first, last):
        Path(progress).write_text(json.dumps({"done": number, "failures": failures, "decoded": decoded}))
        signal.setitimer(signal.ITIMER_PROF, SECONDS_A_FILE)  # of processor time; unhandled, it ends the process
        signal.alarm(10 * SECONDS_A_FILE)
        try:
            attempt(random.Random(f"{seed}/{number}"))
            decoded += 1
        except UnpoolError:
            pass
        except Exception:
            failures += 1
    Path(progress).write_text(json.dumps({"done": last, "failures": failures, "decoded": decoded}))


def hostile_files(codec_file: str) -> Callable[[random.Random], None]:
    """A function that decodes one mutated file."""
    codec = api.load_codec(codec_file, "cpu")
    files = seeds(codec)

    def attempt(rng: random.Random) -> None:
        _decode(codec, mutated(rng.choice(files), rng))

    return attempt


def _decode(codec: api.PictureCodec, data: bytes) -> None:
    if container.parse(data, MAX_PIXELS).header.lossless:
        api.decompress(data, max_pixels=MAX_PIXELS)
    else:
        codec.decompress(data, max_pixels=MAX_PIXELS)


def hostile_weights(codec_file: str, place: Path) -> Callable[[random.Random], None]:
    """A function that loads one mutated weight file, written to `place`, and decodes a file made out to be for it."""
    tensors, record = read(codec_file)
    files = [data for data in seeds(api.load_codec(codec_file, "cpu")) if not data[5] & container.LOSSLESS]

    def attempt(rng: random.Random) -> None:
        changed, config = dict(tensors), dict(record.config)
        for _ in range(rng.choice((1, 1, 3))):
            if rng.random() < 0.2:
                key = rng.choice(sorted(config))
                config[key] = rng.choice(_CONFIG)
            else:
                name = rng.choice(sorted(changed))
                changed[name] = spoilt(changed[name], rng)
        new = record.model_copy(update={"config": config, "sha256": tensor_hash(changed)})
        place.write_bytes(to_bytes(changed, metadata={"unpool": new.model_dump_json()}))
        if rng.random() < 0.2:
            place.write_bytes(mutated(place.read_bytes(), rng))
        api.load_codec.cache_clear()
        codec = api.load_codec(place, "cpu")
        data = bytearray(rng.choice(files))
        data[17:25] = codec.identity
        _decode(codec, repaired(bytes(data)))

    return attempt
