"""The pictures generators learn from: Fashion-MNIST, and faces without black corners at 64 pixels."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unpool.errors import DataError
from unpool.train.data.build import built
from unpool.train.data.faces import MARGIN, faces, inside
from unpool.train.data.fashion import fashion
from unpool.train.data.find import find
from unpool.train.data.folders import resized
from unpool.train.data.pack import Entry

FACE_SETS = ("celeba-aligned", "celeba-small", "named-aligned")


class Pictures:
    """Pictures in memory with labels: `pictures` (N, H, W, C) uint8, `labels` (N,) int64; a training set for the loop.

    mirror: show half of them mirrored.
    """

    def __init__(self, pictures: np.ndarray, labels: np.ndarray, *, names: list[str], mirror: bool = False) -> None:
        self.pictures, self.labels, self.names, self.mirror = pictures, labels, names, mirror

    def __len__(self) -> int:
        return len(self.pictures)

    def name(self, index: int) -> str:
        return self.names[index]

    def tensor(self, chosen: np.ndarray) -> Tensor:
        """These pictures as (N, C, H, W) in [0, 1]."""
        return torch.from_numpy(self.pictures[chosen]).permute(0, 3, 1, 2).float() / 255

    def sample(self, index: int, rng: np.random.Generator) -> Mapping[str, Any]:
        picture = self.pictures[index]
        if self.mirror and rng.random() < 0.5:
            picture = picture[:, ::-1]
        return {"picture": picture.transpose(2, 0, 1).astype(np.float32) / 255, "label": self.labels[index]}


def pictures(name: str, part: str, data: str | Path | None = None) -> Pictures:
    """The pictures of `fashion` (28x28, ten classes) or `faces` (64x64, no classes).

    part: "train" or "held-out" (of Fashion-MNIST its test part; of faces, whole people). The labels of faces are
    people's numbers: the generator has no use for them.
    """
    if name == "fashion":
        chosen = fashion("train" if part == "train" else "test", data)
        names = [f"fashion-mnist {part} {i}" for i in range(len(chosen.labels))]
        return Pictures(chosen.pictures[..., None], chosen.labels, names=names)
    if name == "faces":
        pack = built("portraits-64", lambda folders: _portraits(data), lambda: _face_folders(data), data)
        chosen_faces = pack.where(part=part)
        return Pictures(
            np.stack([pack[i] for i in chosen_faces]),
            pack.labels[chosen_faces].astype(np.int64),
            names=[pack.names[i] for i in chosen_faces],
            mirror=part == "train",
        )
    raise DataError(f"generators learn from fashion or faces, not {name!r}")


def _face_folders(data: str | Path | None) -> list[Path]:
    return [find(name, data) for name in FACE_SETS]


def _portraits(data: str | Path | None) -> Iterator[Entry]:
    """Faces at 64x64, the standard crop; those of named-aligned only where their source picture fills it."""
    pack = faces(data=data)
    sources = pack.column("source")
    crop = slice(MARGIN, -MARGIN)
    for i in pack.where(source=[folder.name for folder in _face_folders(data)]):
        name = pack.names[i]
        if not sources[i].startswith("named") or inside(pack[i], margin=0)[crop, crop].all():
            person = pack.label_names[pack.labels[i]]
            yield Entry(resized(pack[i][crop, crop], 64), name, person, {"part": str(pack.column("part")[i])})
