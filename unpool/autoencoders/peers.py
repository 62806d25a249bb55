"""The classical peers: PCA (eigenfaces), plain and whitened, and Fisherfaces, by scikit-learn."""

from typing import Any

import numpy as np
from torch import Tensor, from_numpy

from unpool.errors import MissingExtraError


def _sklearn(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(f"sklearn.{name}")
    except ImportError:
        raise MissingExtraError("comparing with PCA and Fisherfaces", "maps") from None


def rows(pictures: Tensor) -> np.ndarray:
    """(N, C, H, W) as one row a picture, (N, C * H * W) float32."""
    return pictures.flatten(1).numpy()


class Eigenfaces:
    """Principal components of pictures (Turk and Pentland 1991); codes of fewer numbers are the first ones.

    pictures: (N, C, H, W) to fit on. numbers: the most components kept.
    """

    def __init__(self, pictures: Tensor, numbers: int) -> None:
        self.shape = pictures.shape[1:]
        self.model = _sklearn("decomposition").PCA(numbers, svd_solver="randomized", iterated_power=3, random_state=0)
        self.model.fit(rows(pictures))

    def encode(self, pictures: Tensor, whiten: bool = False, numbers: int | None = None) -> np.ndarray:
        """(N, C, H, W) -> codes (N, numbers); whitened: each of unit variance on what was fitted."""
        codes = self.model.transform(rows(pictures))[:, :numbers]
        return codes / np.sqrt(self.model.explained_variance_[:numbers]) if whiten else codes

    def decode(self, codes: np.ndarray) -> Tensor:
        """Plain codes (N, n) -> pictures (N, C, H, W), clamped to [0, 1]."""
        made = codes @ self.model.components_[: codes.shape[1]] + self.model.mean_
        return from_numpy(made.astype(np.float32)).clamp(0, 1).unflatten(1, tuple(self.shape))


class Fisherfaces:
    """Linear discriminants over principal components (Belhumeur et al. 1997).

    pictures: to fit on. people: a number a picture (those with one picture take no part). numbers: of a code.
    """

    def __init__(self, pictures: Tensor, people: np.ndarray, numbers: int, eigenfaces: Eigenfaces) -> None:
        _, where, counts = np.unique(people, return_inverse=True, return_counts=True)
        several = counts[where] > 1
        self.eigenfaces = eigenfaces
        # The eigen solver: class means of thousands of people would make the SVD solver's matrices huge.
        analysis = _sklearn("discriminant_analysis").LinearDiscriminantAnalysis
        self.model = analysis(solver="eigen", shrinkage=0.05, n_components=numbers)
        self.model.fit(eigenfaces.encode(pictures)[several], people[several])

    def encode(self, pictures: Tensor) -> np.ndarray:
        """(N, C, H, W) -> codes (N, numbers)."""
        return self.model.transform(self.eigenfaces.encode(pictures))
