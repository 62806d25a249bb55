"""What autoencoders are trained and judged on: aligned faces at 64x64, with whole people held out."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unpool.train.data.faces import faces, halves
from unpool.train.data.fashion import FashionSamples
from unpool.train.data.pack import Pack

CELEBA = ("celeba_aligned", "celeba_small", "celeba")
SOURCES = {"celeba": CELEBA, "all": (*CELEBA, "named_aligned")}


class FaceSamples:
    """Training faces: `picture` (3, size, size) float32 in [0, 1], mirrored half of the time, and `label` int64.

    A label is one of `classes` people with at least two pictures here, or -1. Where asked for, `teacher` (128,) is what
    the recogniser's teacher says of the face.

    sources: "celeba", or "all" with the public figures, whose pictures may have black corners.
    shift: moves of up to so many pixels, filled by the nearest ones. light: changes of gain by up to that share.
    """

    def __init__(
        self,
        size: int,
        data: Path | None,
        *,
        sources: str = "celeba",
        shift: int = 0,
        light: float = 0.0,
        teacher: bool = False,
    ) -> None:
        self.pack = faces(size, data)
        present = set(self.pack.column("source").tolist())
        self.indices = self.pack.where(part="train", source=[s for s in SOURCES[sources] if s in present])
        people, where, counts = np.unique(self.pack.labels[self.indices], return_inverse=True, return_counts=True)
        numbers = np.where(counts > 1, np.cumsum(counts > 1) - 1, -1)
        self.labels = numbers[where]
        self.classes = int((counts > 1).sum())
        self.people = len(people)
        self.shift, self.light = shift, light
        self.teacher = None
        if teacher:
            from unpool.faces.api import teacher_views

            views = teacher_views(data)
            self.teacher = np.stack([views[self.name(index)] for index in range(len(self))])

    def __len__(self) -> int:
        return len(self.indices)

    def name(self, index: int) -> str:
        """The picture's file name in its set."""
        return self.pack.names[self.indices[index]]

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
        """One face."""
        face = self.pack[int(self.indices[index])]
        if rng.integers(2):
            face = face[:, ::-1]
        if self.shift:
            top, left = (int(rng.integers(2 * self.shift + 1)) for _ in range(2))
            height, width = face.shape[:2]
            padded = np.pad(face, ((self.shift, self.shift), (self.shift, self.shift), (0, 0)), mode="edge")
            face = padded[top : top + height, left : left + width]
        picture = np.ascontiguousarray(face.transpose(2, 0, 1)).astype(np.float32) / 255
        if self.light:
            gain = 1 + self.light * rng.uniform(-1, 1)
            picture = np.clip((picture - 0.5) * (1 + self.light * rng.uniform(-1, 1)) + 0.5, 0, 1) * gain
            picture = np.clip(picture, 0, 1).astype(np.float32)
        said = {} if self.teacher is None else {"teacher": self.teacher[index]}
        return {"picture": picture, "label": self.labels[index], **said}

    def pictures(self, most: int | None = None) -> Tensor:
        """Training faces as they are, (N, 3, size, size) float32 in [0, 1]; an even choice of at most `most`."""
        return stacked(self.pack, _even(self.indices, most))


class FewLabels(FashionSamples):
    """Fashion-MNIST with a share of each class's labels: every other sample is one of those, the rest have label -1."""

    def __init__(self, data: Path | None, share: float) -> None:
        super().__init__("train", data)
        rng = np.random.default_rng(0)
        of_class = [np.flatnonzero(self.labels == label) for label in np.unique(self.labels)]
        kept = [rng.choice(indices, max(1, round(share * len(indices))), replace=False) for indices in of_class]
        self.known = rng.permutation(np.concatenate(kept))

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """A picture with its label where `index` is odd, any picture without one where it is even."""
        if index % 2:
            return super().sample(int(self.known[index // 2 % len(self.known)]), rng)
        return super().sample(index, rng) | {"label": np.array(-1)}


def held_out(size: int, data: Path | None, *, test: bool, most: int | None = None) -> tuple[Tensor, np.ndarray]:
    """CelebA faces of people who never train: (N, 3, size, size) float32 in [0, 1], and their numbers (N,).

    test: the half of them that only measures; else the half by which weights are chosen.
    """
    pack = faces(size, data)
    present = set(pack.column("source").tolist())
    indices = _even(halves(pack, [s for s in CELEBA if s in present])[test], most)
    return stacked(pack, indices), pack.labels[indices]


def stacked(pack: Pack, indices: np.ndarray) -> Tensor:
    """Pictures of a pack as one tensor (N, 3, H, W) float32 in [0, 1]."""
    samples = np.stack([pack[int(i)] for i in indices])
    return torch.from_numpy(samples.transpose(0, 3, 1, 2).astype(np.float32) / 255)


def _even(indices: np.ndarray, most: int | None) -> np.ndarray:
    if most is None or most >= len(indices):
        return indices
    return indices[np.linspace(0, len(indices) - 1, most).round().astype(int)]
