"""Checkpoints: safetensors shards of at most 15 MB and a JSON, written beside and renamed."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from unpool.errors import DataError

SHARD_BYTES = 15_000_000
_FORMAT = 1


def save(folder: Path, tensors: dict[str, Tensor], state: dict[str, Any], shard_bytes: int = SHARD_BYTES) -> None:
    """Write a checkpoint to `folder`, replacing the one there only when the new one is whole.

    Raises:
        DataError: it cannot be written; the one before stays.
    """
    beside, old = folder.with_name(folder.name + ".part"), folder.with_name(folder.name + ".old")
    shutil.rmtree(beside, ignore_errors=True)
    shards, shapes = _shards(tensors, shard_bytes)
    document = {"format": _FORMAT, "shards": len(shards), "shapes": shapes, "state": state}
    try:
        beside.mkdir(parents=True)
        for number, shard in enumerate(shards):
            save_file(shard, beside / f"shard-{number:03d}.safetensors")
        (beside / "checkpoint.json").write_text(json.dumps(document), encoding="utf-8")
    except (OSError, SafetensorError) as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise DataError(
            f"the checkpoint in {folder} cannot be written ({' '.join(str(error).split())}); the one before stays"
        ) from None
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    beside.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _shards(tensors: dict[str, Tensor], shard_bytes: int) -> tuple[list[dict[str, Tensor]], dict[str, list[int]]]:
    """Tensors as files of at most `shard_bytes`, flat, and the shapes they have."""
    shards: list[dict[str, Tensor]] = [{}]
    shapes: dict[str, list[int]] = {}
    room = shard_bytes
    for name, tensor in tensors.items():
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        shapes[name] = list(tensor.shape)
        # A tensor larger than a shard is cut: its pieces carry their place in the name.
        for piece, part in enumerate(
            flat.split(max(1, shard_bytes // flat.element_size())) if flat.numel() else [flat]
        ):
            size = part.numel() * part.element_size()
            if size > room:
                shards.append({})
                room = shard_bytes
            shards[-1][f"{name}#{piece}"] = part.clone()
            room -= size
    return shards, shapes


def exists(folder: Path) -> bool:
    """Whether there is a checkpoint to resume from (a kill between two renames leaves it under `.old`)."""
    return _place(folder) is not None


def _place(folder: Path) -> Path | None:
    candidates = (folder, folder.with_name(folder.name + ".old"))
    return next((place for place in candidates if (place / "checkpoint.json").is_file()), None)


def load(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a checkpoint: tensors by name, and the state.

    Raises:
        DataError: there is none, or it is damaged.
    """
    place = _place(folder)
    if place is None:
        raise DataError(f"no checkpoint in {folder}: start without --resume")
    try:
        document = json.loads((place / "checkpoint.json").read_text(encoding="utf-8"))
        pieces: dict[str, dict[int, Tensor]] = {}
        for number in range(document["shards"]):
            for key, part in load_file(place / f"shard-{number:03d}.safetensors").items():
                name, _, piece = key.rpartition("#")
                pieces.setdefault(name, {})[int(piece)] = part
        tensors = {
            name: torch.cat([pieces[name][piece] for piece in sorted(pieces[name])]).reshape(shape)
            for name, shape in document["shapes"].items()
        }
        written, state = document["format"], document["state"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
        raise DataError(f"the checkpoint in {place} is damaged ({' '.join(str(error).split())})") from None
    if written != _FORMAT:
        raise DataError(f"the checkpoint in {place} is of format {written}; this version reads {_FORMAT}")
    return tensors, state
