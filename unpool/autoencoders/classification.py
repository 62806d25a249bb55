"""How far a few labels go: a linear classifier on codes, on raw pixels, and on PCA."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from unpool.autoencoders.peers import Eigenfaces, rows
from unpool.errors import MissingExtraError
from unpool.train.data.fashion import fashion


def few_labels(
    encode: Callable[[Tensor], np.ndarray],
    numbers: int,
    data: Path | None,
    labels_a_class: tuple[int, ...] = (10, 100, 1000),
) -> dict[str, dict[str, float]]:
    """Accuracy on Fashion-MNIST's 10,000 test pictures of a logistic regression from so many labels a class.

    encode: (N, 1, 28, 28) -> codes (N, numbers). PCA has as many numbers, and is fitted on all training pictures, as
    the code was.
    """
    try:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    except ImportError:
        raise MissingExtraError("classifying codes", "maps") from None
    train, test = (fashion_tensor(part, data) for part in ("train", "test"))
    pca = Eigenfaces(train[0], numbers)
    features: dict[str, Callable[[Tensor], np.ndarray]] = {"code": encode, "pixels": rows, "pca": pca.encode}
    seen = {name: (make(train[0]), make(test[0])) for name, make in features.items()}
    table: dict[str, dict[str, float]] = {}
    for count in labels_a_class:
        rng = np.random.default_rng(0)
        chosen = np.concatenate([rng.choice(np.flatnonzero(train[1] == c), count, replace=False) for c in range(10)])
        row = {}
        for name, (known, unknown) in seen.items():
            model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
            row[name] = float(model.fit(known[chosen], train[1][chosen]).score(unknown, test[1]))
        table[f"{count} labels a class"] = row
    return table


def fashion_tensor(part: str, data: Path | None) -> tuple[Tensor, np.ndarray]:
    """A part of Fashion-MNIST: pictures (N, 1, 28, 28) in [0, 1], labels (N,)."""
    found = fashion(part, data)
    return torch.from_numpy(found.pictures[:, None].astype(np.float32) / 255), found.labels
