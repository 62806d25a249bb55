"""What the face network is trained on: aligned faces, how each is cut and spoilt, and what is kept for next time."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from unpool.faces.model import SIZE
from unpool.faces.teacher import TEACHER, centred, embeddings
from unpool.train.data.faces import SHARP, faces
from unpool.train.data.photos import photos
from unpool.train.task import Options

_STRANGER = 0.75  # a named face farther than this from its person's median face is taken for somebody else's


class RecogniseOptions(Options):
    """What the network begins from, and how much each of its lessons counts."""

    begin: str = Field("dlib", description="dlib: from its layers; random; or weights of a face network to go on from")
    frozen: int = Field(3, ge=0, le=5, description="stages of the encoder, from the first, that stay as they began")
    embedding: int = Field(256, ge=TEACHER)
    sources: tuple[str, ...] = ("celeba_aligned", "celeba_small", "named_aligned", "own_aligned")
    poor: float = Field(0.6, ge=0, le=1, description="share of faces that are made poor")
    variants: int = Field(
        1,
        ge=0,
        description="ways in which each face is shown whose frozen features are kept for next time; 0: never twice",
    )
    rotation: float = Field(3.0, ge=0, description="standard deviations: degrees,")
    scaling: float = Field(0.05, ge=0, description="share of the size,")
    shift: float = Field(2.0, ge=0, description="and pixels")
    mirror: bool = True
    relation: float = 0.5
    identity: float = 0.005
    margin: float = 0.3
    quality: float = 0.1
    picture: float = 2.0
    every: int = Field(
        5, ge=1, description="in every so many steps, faces are restored and pictures without one judged:"
    )
    restored: float = Field(0.125, gt=0, le=1, description="so many restored, as a share of the batch,")
    empty: float = Field(0.2, ge=0, description="and so many without a face")


class Faces:
    """Training faces as they lie in the pack, with where to cut them, their person and the teacher's view of them."""

    def __init__(self, options: RecogniseOptions, data: Path | None) -> None:
        self.options = options
        self.pack, self.photos = faces(128, data), photos(data)
        self.indices = self.pack.where(part=["train", "unnamed"], source=options.sources)
        self.scenes = self.photos.where(part="train")
        seen = embeddings(self.pack, data)
        self.person = _people(self.pack.labels, seen, self.indices)
        self.seen = centred(seen, self.indices)
        # A picture can show how a sharp face looks if it was not enlarged.
        clear = [name.split("/")[-1].startswith(("pubfig_", "web_", "glint_")) for name in self.pack.names]
        self.sharp = np.isin(self.pack.column("source"), SHARP) | np.array(clear)

    def __len__(self) -> int:
        return len(self.indices)

    def name(self, index: int) -> str:
        """The picture's file name."""
        return self.pack.names[self.indices[index]]

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
        """`picture` (3, 128, 128), `cut` (2, 3), `place` (face, variant), `teacher`, `person`, `sharp`, `scene`."""
        at, options = self.indices[index], self.options
        angle, grown = np.radians(rng.normal(0, options.rotation)), np.exp(rng.normal(0.03, options.scaling))
        flip = -1 if options.mirror and rng.random() < 0.5 else 1
        reach = SIZE / 128 / grown
        turn = reach * np.array([[flip * np.cos(angle), -np.sin(angle)], [flip * np.sin(angle), np.cos(angle)]])
        cut = np.concatenate([turn, rng.normal(0, options.shift / 64, (2, 1))], axis=1).astype(np.float32)
        return {
            "picture": torch.from_numpy(self.pack[at].transpose(2, 0, 1).copy()),
            "cut": torch.from_numpy(cut),
            "place": torch.tensor([index, int(rng.integers(max(1, options.variants)))]),
            "teacher": torch.from_numpy(self.seen[at]),
            "person": torch.tensor(self.person[at]),
            "sharp": torch.tensor(bool(self.sharp[at])),
            "scene": torch.from_numpy(_part(self.photos[int(rng.choice(self.scenes))], rng)),
        }


class KeptFeatures:
    """What the frozen stages made of each way a face was shown, float16: computed once, met again in later epochs.

    stages: the encoder's stages that come before what is kept.
    """

    def __init__(self, faces: int, variants: int, stages: int) -> None:
        self.stages = stages
        self._index = torch.full((faces, max(1, variants)), -1, dtype=torch.long)
        self._features: list[Tensor] = []
        self._keep = variants > 0

    def known(self, place: Tensor) -> Tensor:
        """Which of the places (N, 2) have been kept: (N,) bool."""
        return self._index[place[:, 0].cpu(), place[:, 1].cpu()].ge(0).to(place.device)

    def exchange(self, place: Tensor, fresh: Tensor, new: Tensor | None) -> Tensor:
        """The features of a whole batch: `new` where it is `fresh`, else those kept. New ones are kept from now on."""
        if new is not None and not self._keep:
            return new
        rows: list[Tensor] = []
        coming = iter(() if new is None else new)
        for (face, variant), is_fresh in zip(place.tolist(), fresh.tolist()):
            if is_fresh:
                rows.append(next(coming))
                if self._index[face, variant] < 0:
                    self._index[face, variant] = len(self._features)
                    self._features.append(rows[-1].detach().to("cpu", torch.float16))
            else:
                rows.append(self._features[int(self._index[face, variant])].to(place.device, torch.float32))
        return torch.stack(rows)


def cut_out(pictures: Tensor, cuts: Tensor) -> Tensor:
    """Aligned faces (N, 3, 128, 128) uint8, moved by matrices (N, 2, 3): (N, 3, 112, 112) in [0, 1]."""
    if not len(cuts):
        return pictures.new_zeros((0, 3, SIZE, SIZE), dtype=torch.float32)
    grid = F.affine_grid(cuts, [len(cuts), 3, SIZE, SIZE], align_corners=False)
    return F.grid_sample(pictures.float() / 255, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def no_faces(scenes: Tensor, generator: torch.Generator) -> Tensor:
    """Inputs without a face: parts of photographs (N, 3, 112, 112) uint8, some blurred, some noise, some blank."""
    x = scenes.float() / 255
    kind = torch.rand(len(x), generator=generator, device=generator.device).to(x.device)[:, None, None, None]
    noise = torch.rand(x.shape, generator=generator, device=generator.device).to(x.device)
    blank = x.mean((2, 3), keepdim=True).expand_as(x)
    soft = F.interpolate(F.avg_pool2d(x, 8), x.shape[2:], mode="bilinear", align_corners=False)
    x = torch.where(kind < 0.15, noise, x)
    return torch.where(kind > 0.9, blank, torch.where(kind > 0.7, soft, x))


def _part(photograph: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random square of a photograph, every second pixel of it: (3, 112, 112) uint8."""
    height, width = photograph.shape[:2]
    side = min(2 * SIZE, height, width)
    top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    rows = np.arange(SIZE) * side // SIZE
    return photograph[top + rows][:, left + rows].transpose(2, 0, 1).copy()


def _people(labels: np.ndarray, seen: np.ndarray, training: np.ndarray) -> np.ndarray:
    """A number for each training person, by picture; -1: held out, not named, or looking like somebody else."""
    person = np.full(len(labels), -1, dtype=np.int64)
    named = training[labels[training] >= 0]
    for number, label in enumerate(np.unique(labels[named])):
        own = np.flatnonzero(labels == label)
        far = np.linalg.norm(seen[own] - np.median(seen[own], axis=0), axis=1) > _STRANGER
        person[own] = np.where(far, -1, number)
    return person
