"""LFW's View 2 for codes of 64x64 faces: the pictures of its pairs, put on the training faces' template."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from unpool.autoencoders.verification import accept_rate, cosines, ten_folds
from unpool.images.reading import read
from unpool.train.data.faces import MARGIN, SIZE, TEMPLATE
from unpool.train.data.find import find
from unpool.train.data.lfw import lfw_pairs

# LFW's pictures show the box of Viola and Jones's detector enlarged 2.2 times, as 250x250 pixels (Huang et al. 2007).
# Where the eyes lie in such a box is known from training faces: medians over 411 of CelebA and OpenCV's frontal
# detector. So one transform serves all pictures, and nothing of it comes from LFW's own.
_BOX = 250 / 2.2
_EYES = np.array([-0.178 - 0.116j, 0.178 - 0.116j]) * _BOX  # from the picture's centre, x + iy
_EDGE = 12


class Pairs(NamedTuple):
    """Distinct pictures (N, 3, S, S) in [0, 1]; each pair's two indices, whether it is one person, and its fold."""

    pictures: Tensor
    first: np.ndarray
    second: np.ndarray
    same: np.ndarray
    fold: np.ndarray


def load_pairs(size: int, data: Path | None, *, each: int | None = None) -> Pairs:
    """The pairs of View 2, or of every fold the first `each` pairs of one person and the first `each` of two."""
    folds = lfw_pairs(find("lfw", data))
    if each is not None:
        folds = [fold[:each] + fold[len(fold) // 2 : len(fold) // 2 + each] for fold in folds]
    listed = [(pair, number) for number, fold in enumerate(folds) for pair in fold]
    order: dict[Path, int] = {}
    first = np.array([order.setdefault(pair.first, len(order)) for pair, _ in listed])
    second = np.array([order.setdefault(pair.second, len(order)) for pair, _ in listed])
    pictures = np.stack([on_template(path, size) for path in order])
    tensor = torch.from_numpy(pictures.transpose(0, 3, 1, 2).astype(np.float32) / 255)
    same, fold = (np.array(column) for column in zip(*((pair.same, number) for pair, number in listed)))
    return Pairs(tensor, first, second, same, fold)


def on_template(path: Path, size: int) -> np.ndarray:
    """A funneled picture as the training faces are: (size, size, 3) uint8 of the 128x128 template."""
    samples = read(path).with_depth(8).samples
    samples = np.repeat(samples, 3, axis=2) if samples.shape[2] == 1 else samples
    # The template reaches a little past the central pixels: what lies there is the nearest one.
    samples = np.pad(samples, ((_EDGE, _EDGE), (_EDGE, _EDGE), (0, 0)), mode="edge")
    middle = (np.array(samples.shape[1::-1]) - 1) / 2 @ (1, 1j)
    # The similarity z -> a z + b from the template to the picture, by the eyes.
    (s0, s1), (t0, t1) = middle + _EYES, (TEMPLATE[:2] + MARGIN) @ (1, 1j)
    a = (s1 - s0) / (t1 - t0)
    b = s0 - a * t0
    a, b = a * SIZE / size, b + 0.5 - a * (0.5 + 0.5j) + 0.5j  # PIL's points are pixel corners; ours are centres
    matrix: tuple[float, ...] = (a.real, -a.imag, b.real, a.imag, a.real, b.imag)
    image = Image.fromarray(samples)
    if abs(a) > 1.2:  # PIL's transform does not average: take a picture of about the target's scale
        factor = 1 / abs(a)
        image = image.resize([round(side * factor) for side in image.size], Image.Resampling.LANCZOS)
        matrix = tuple(value * factor for value in matrix)
    return np.asarray(image.transform((size, size), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC))


def verify(codes: np.ndarray, pairs: Pairs) -> dict[str, float]:
    """View 2's accuracy with its standard error, and TAR at FAR 1e-2, by cosine of codes (N, D)."""
    scores = cosines(codes[pairs.first], codes[pairs.second])
    accuracy, error = ten_folds(scores, pairs.same, pairs.fold)
    return {
        "lfw_accuracy": accuracy,
        "standard_error": error,
        "tar_at_far_1e-2": accept_rate(scores, pairs.same, 0.01),
    }
