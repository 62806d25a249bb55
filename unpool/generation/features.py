"""Features of pictures, and distances between sets of them: KID, FID, precision and recall, nearest neighbours.

Of faces the features are EfficientNet-Lite0's, pooled before its last layer (1280 values), of pictures resized to
128x128; of clothes those of our own classifier, behind its convolutions (512 values). Neither is the Inception network
of published tables, so these figures compare only with themselves.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from unpool.zoo.imagenet import EfficientNetLite0Package
from unpool.zoo.runtime import inference, prepare
from unpool.zoo.weights import load_module

FEATURES = {
    "faces": "EfficientNet-Lite0 pooled features of 128x128 pictures",
    "fashion": "classic/cnn-classifier's 512 features behind its convolutions",
}
SIDE = 128


@lru_cache(maxsize=1)
def _network() -> Any:
    return prepare(EfficientNetLite0Package.load())


@lru_cache(maxsize=1)
def _classifier() -> Any:
    return prepare(load_module("classic/cnn-classifier")[0])


def features(pictures: Tensor, of: str = "faces", batch: int = 50) -> Tensor:
    """(N, 1 or 3, H, W) in [0, 1] -> (N, F). Values are rounded to 8 bits, as a saved picture's are.

    of: "fashion" for 28x28 clothes, whose features are our classifier's; everything else is "faces".
    """
    if of == "fashion":
        with inference("cpu", exact=True):
            grey = pictures.float().clamp(0, 1).mul(255).round().mean(1, keepdim=True) / 255
            return torch.cat([_classifier().layers(part).flatten(1) for part in grey.split(500)])
    network, parts = _network(), []
    with inference("cpu", exact=True):
        for part in pictures.split(batch):
            levels = part.float().clamp(0, 1).mul(255).round()
            levels = levels.expand(-1, 3, -1, -1)
            large = F.interpolate(levels, (SIDE, SIDE), mode="bicubic", antialias=True, align_corners=False)
            scaled = ((large.clamp(0, 255) - 127) / 128).contiguous(memory_format=torch.channels_last)
            parts.append(network.extract_features(scaled).mean((2, 3)))
    return torch.cat(parts)


@dataclass(frozen=True)
class Estimate:
    """A figure with its standard error."""

    value: float
    error: float

    @property
    def upper(self) -> float:
        """The upper end of the 95 % interval."""
        return self.value + 1.96 * self.error


def kid(real: Tensor, made: Tensor, *, subsets: int = 50, size: int = 500, seed: int = 0) -> Estimate:
    """Kernel inception distance (Binkowski et al. 2018) between features (N, D) and (M, D), mean over random subsets.

    The unbiased squared maximum mean discrepancy under the kernel (x y / D + 1)^3; 0 for equal distributions. Subsets
    hold at most half of the pictures; the spread over them, scaled from their size to the whole, is the standard error.
    """
    generator = torch.Generator().manual_seed(seed)
    count = min(len(real), len(made))
    size = min(size, count // 2)
    x, y = real.double(), made.double()
    within_real, within_made, across = _kernel(x, x), _kernel(y, y), _kernel(x, y)
    values = []
    for _ in range(subsets):
        first = torch.randperm(len(x), generator=generator)[:size]
        second = torch.randperm(len(y), generator=generator)[:size]
        parts = (within_real[first[:, None], first], within_made[second[:, None], second])
        within = sum(float(part.sum() - part.diagonal().sum()) for part in parts)
        values.append(within / (size * (size - 1)) - 2 * float(across[first[:, None], second].mean()))
    return Estimate(float(np.mean(values)), float(np.std(values) * np.sqrt(size / count)))


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3


def fid(real: Tensor, made: Tensor) -> float | None:
    """Frechet distance between Gaussians fitted to features (Heusel et al. 2017).

    None where there are not more than twice as many pictures as features: the covariances would not be determined.
    """
    if min(len(real), len(made)) <= 2 * real.shape[1]:
        return None
    x, y = real.double(), made.double()
    first, second = torch.cov(x.T), torch.cov(y.T)
    # trace of (first second)^(1/2), by the symmetric root of one of them.
    values, vectors = torch.linalg.eigh(first)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    cross = torch.linalg.eigvalsh(root @ second @ root).clamp(min=0).sqrt().sum()
    return float((x.mean(0) - y.mean(0)).square().sum() + first.trace() + second.trace() - 2 * cross)


def precision_recall(real: Tensor, made: Tensor, neighbours: int = 3) -> tuple[float, float]:
    """Improved precision and recall (Kynkaanniemi et al. 2019) between features (N, D) and (M, D).

    Precision: the share of `made` within the reach of a real picture, whose reach is the distance to its third
    neighbour; recall: the share of `real` within the reach of a made one.
    """
    return _covered(real, made, neighbours), _covered(made, real, neighbours)


def _covered(reference: Tensor, asked: Tensor, neighbours: int) -> float:
    reach = torch.cdist(reference, reference).kthvalue(neighbours + 1, dim=1).values
    inside = [(torch.cdist(part, reference) <= reach).any(1) for part in asked.split(500)]
    return float(torch.cat(inside).float().mean())


def nearest(asked: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
    """Distance to, and index of, the nearest row of `reference` (M, D) for each row of `asked` (N, D)."""
    found = [torch.cdist(part, reference).min(1) for part in asked.split(500)]
    return torch.cat([f.values for f in found]), torch.cat([f.indices for f in found])


def sharpness(real: Tensor, made: Tensor) -> float:
    """Energy of the differences between neighbouring pixels of generated pictures over that of real ones: 1 is right.

    Below 1 the generated ones are blurred, above it they are grainy; features alone forgive either.
    """
    energies = [x.diff(dim=2).square().mean() + x.diff(dim=3).square().mean() for x in (real, made)]
    return float(energies[1] / energies[0].clamp(min=1e-9))
