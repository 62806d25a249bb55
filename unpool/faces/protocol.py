"""LFW's View 2 at several resolutions: ten folds, the threshold from nine, tested on the tenth."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor

from unpool.faces.alignment import SIZE, crop_matrix, template
from unpool.faces.detection import Face, detect
from unpool.faces.peers import Embed, canvas, poor_canvas
from unpool.faces.verification import accuracy, best_threshold
from unpool.images.degradations import JPEG, GaussianBlur
from unpool.images.reading import read
from unpool.images.resampling import imresize
from unpool.train.data.lfw import Pair

_BATCH = 64


@dataclass(frozen=True, eq=False)
class Folds:
    """Ten folds of pairs over one list of pictures.

    Attributes:
        pictures: the files.
        first, second: (folds, pairs) indices into the pictures. same: (folds, pairs) bool.
        person: (pictures,) a number for each picture's person.
    """

    pictures: list[Path]
    first: np.ndarray
    second: np.ndarray
    same: np.ndarray
    person: np.ndarray


def gather(folds: list[list[Pair]], each: int | None = None) -> Folds:
    """Pairs as indices; of every fold the first `each` // 2 pairs of one person and as many of two, or all."""
    chosen = []
    for fold in folds:
        half = len(fold) // 2 if each is None else each // 2
        chosen.append([p for p in fold if p.same][:half] + [p for p in fold if not p.same][:half])
    pictures = sorted({picture for fold in chosen for pair in fold for picture in (pair.first, pair.second)})
    place = {picture: number for number, picture in enumerate(pictures)}
    people = {name: number for number, name in enumerate(sorted({p.parent.name for p in pictures}))}
    first, second = (
        np.array([[place[getattr(pair, side)] for pair in fold] for fold in chosen]) for side in ("first", "second")
    )
    same = np.array([[pair.same for pair in fold] for fold in chosen])
    return Folds(pictures, first, second, same, np.array([people[p.parent.name] for p in pictures]))


def fewer(folds: Folds, each: int) -> tuple[Folds, np.ndarray]:
    """Of every fold the first `each` // 2 pairs of one person and of two, and which of the pictures they need."""
    taken = np.stack([np.flatnonzero(same == wanted)[: each // 2] for same in folds.same for wanted in (True, False)])
    taken = taken.reshape(len(folds.same), -1)
    first, second, same = (np.take_along_axis(one, taken, 1) for one in (folds.first, folds.second, folds.same))
    needed, places = np.unique(np.stack([first, second]), return_inverse=True)
    first, second = places.reshape(2, *first.shape)
    return Folds([folds.pictures[i] for i in needed], first, second, same, folds.person[needed]), needed


def fold_accuracy(folds: Folds, one: Tensor, other: Tensor) -> tuple[float, float]:
    """Mean accuracy and its standard error over folds; `one` and `other` (N, E) describe a pair's first and second."""
    gap = (one[folds.first.ravel()] - other[folds.second.ravel()]).square().sum(1)
    near = -gap.reshape(folds.first.shape).double().numpy()
    right = []
    for held in range(len(near)):
        rest = np.arange(len(near)) != held
        limit = best_threshold(near[rest][folds.same[rest]], near[rest][~folds.same[rest]])
        right.append(accuracy(near[held][folds.same[held]], near[held][~folds.same[held]], limit))
    return float(np.mean(right)), float(np.std(right, ddof=1) / np.sqrt(len(right)))


def true_accepts(
    folds: Folds, vectors: Tensor, rate: float = 1e-3, draws: int = 200, seed: int = 0
) -> tuple[float, float, float]:
    """Share of same-person pairs accepted where `rate` of all pairs of two people are, over all pictures.

    With it the 2.5th and 97.5th percentile over people drawn with replacement (threshold kept).
    """
    lengths = vectors.square().sum(1)
    near = (vectors @ vectors.T - lengths[None] / 2 - lengths[:, None] / 2).numpy()  # minus half the squared distance
    upper = np.triu(np.ones(near.shape, dtype=bool), 1)
    own = folds.person[:, None] == folds.person[None]
    strangers = near[upper & ~own]
    rank = len(strangers) - 1 - int(rate * len(strangers))
    limit = np.partition(strangers, rank)[rank]
    rows, columns = np.nonzero(upper & own)
    accepted = near[rows, columns] > limit
    count = np.bincount(folds.person[rows], minlength=folds.person.max() + 1)
    right = np.bincount(folds.person[rows], weights=accepted, minlength=len(count))
    people = np.flatnonzero(count)
    rng = np.random.default_rng(seed)
    drawn = people[rng.integers(0, len(people), (draws, len(people)))]
    shares = right[drawn].sum(1) / count[drawn].sum(1)
    low, high = np.quantile(shares, [0.025, 0.975])
    return float(accepted.mean()), float(low), float(high)


def find_faces(pictures: list[Path], report: Callable[[str], None]) -> tuple[list[np.ndarray], np.ndarray]:
    """The landmarks of each picture's central face, and which were found; the template at the centre stands in."""
    landmarks, found = [], np.zeros(len(pictures), dtype=bool)
    for number, path in enumerate(pictures):
        if number % 500 == 0:
            report(f"faces found in {number} of {len(pictures)} pictures")
        picture = read(path)
        face = central(detect(picture), picture.height, picture.width)
        found[number] = face is not None
        landmarks.append(centred(picture.height, picture.width) if face is None else face.landmarks)
    return landmarks, found


def find_small(pictures: Sequence[Path], landmarks: Sequence[np.ndarray], size: int) -> tuple[Tensor, float]:
    """Canvases of faces found where they are small, and the share that was found; the centre stands in for others.

    Each picture is reduced by bicubic until the standard crop of its face, at these landmarks, has `size` pixels.
    """
    cut, found = [], 0
    for path, points in zip(pictures, landmarks):
        rgb = read(path).rgb()
        scale = np.linalg.norm(crop_matrix(points)[:, 0]) * size / SIZE
        height, width = (max(1, round(side * scale)) for side in rgb.shape[2:])
        small = imresize(rgb, size=(height, width)).clamp_(0, 1)
        face = central(detect(small), height, width)
        found += face is not None
        seen = canvas(small, centred(height, width) if face is None else face.landmarks)
        cut.append((seen * 255).round().byte())
    return torch.cat(cut), found / len(pictures)


def central(faces: list[Face], height: int, width: int) -> Face | None:
    """The face nearest to the centre, larger ones preferred a little."""
    middle = np.array([width, height]) / 2
    return min(faces, key=lambda f: float(np.linalg.norm(f.landmarks.mean(0) - middle)) - 0.3 * f.size, default=None)


def centred(height: int, width: int) -> np.ndarray:
    """Landmarks that make the centre crop of 4/5 of the shorter side: for faces that are not found."""
    side = 0.8 * min(height, width)
    return template() * (side / SIZE) + (np.array([width, height]) - side) / 2


def canvases(pictures: list[Path], landmarks: list[np.ndarray]) -> Tensor:
    """Every face with what is around it, (N, 3, 240, 240) uint8."""
    cut = [(canvas(read(path).rgb(), points) * 255).round().byte() for path, points in zip(pictures, landmarks)]
    return torch.cat(cut)


def spoil(kernel: str) -> Callable[[Tensor, int], Tensor]:
    """How a face loses its pixels: by `bicubic`, by `area`, or by a `camera` (blur, area, JPEG; never trained on)."""

    def small(pictures: Tensor, side: int) -> Tensor:
        if kernel != "camera":
            return imresize(pictures, size=(side, side), kernel=kernel).clamp_(0, 1)
        generator = Generator().manual_seed(0)
        blurred = GaussianBlur(0.5 * pictures.shape[-1] / side)(pictures, generator)
        return JPEG(60)(imresize(blurred, size=(side, side), kernel="area").clamp_(0, 1), generator)

    return small


def poor(size: int, kernel: str) -> Callable[[Tensor], Tensor]:
    """How canvases (N, 3, 240, 240) are made poor: `size` pixels of the face are left, by `kernel` (see `spoil`).

    Faces of 112 pixels stay as they are.
    """
    return lambda good: good if size >= SIZE else poor_canvas(good, size, spoil(kernel))


def embed_all(embeds: Sequence[Embed], faces: Tensor, made: Callable[[Tensor], Tensor] | None = None) -> list[Tensor]:
    """Each recogniser's embeddings of canvases (N, 3, 240, 240) uint8 as they are, or as `made` makes them, once."""
    answers: list[list[Tensor]] = [[] for _ in embeds]
    for part in faces.split(_BATCH):
        good = part.float() / 255
        shown = good if made is None else made(good)
        for embed, found in zip(embeds, answers):
            found.append(embed(good, shown))
    return [torch.cat(found) for found in answers]
