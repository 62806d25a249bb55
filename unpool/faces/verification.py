"""Are two faces one person's: pairs, thresholds, accuracies."""

import numpy as np
from torch import Tensor

Pairs = np.ndarray  # (n, 2) indices


def draw_pairs(labels: np.ndarray, rng: np.random.Generator, each: int = 40, most: int = 3000) -> tuple[Pairs, Pairs]:
    """Pairs of one person and as many pairs of two people, drawn from labelled faces.

    each: most pairs of one person, so that people with many pictures do not decide alone.
    """
    same: list[np.ndarray] = []
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        first, second = np.triu_indices(len(own), 1)
        chosen = rng.permutation(len(first))[:each]
        same.append(np.stack([own[first[chosen]], own[second[chosen]]], axis=1))
    together = np.concatenate(same)
    together = together[rng.permutation(len(together))[:most]]
    drawn = rng.integers(0, len(labels), (4 * len(together) + 8, 2))
    apart = drawn[labels[drawn[:, 0]] != labels[drawn[:, 1]]][: len(together)]
    return together, apart


def similarities(first: Tensor, pairs: Pairs, second: Tensor | None = None) -> np.ndarray:
    """Cosines of pairs of unit embeddings (N, E); the pair's second face is taken from `second` where it is given."""
    other = first if second is None else second
    return (first[pairs[:, 0]] * other[pairs[:, 1]]).sum(1).numpy()


def best_threshold(same: np.ndarray, other: np.ndarray) -> float:
    """The similarity above which to say "the same", so that most of the given pairs are told right."""
    values = np.concatenate([same, other])
    order = np.argsort(values)
    right = np.concatenate([np.ones(len(same)), -np.ones(len(other))])[order]
    # Threshold above the k smallest: those of different people among them are right, those of one person wrong.
    gained = np.concatenate([[0.0], np.cumsum(-right)])
    borders = np.concatenate([[values.min() - 1], values[order], [values.max() + 1]])
    gained[borders[:-1] == borders[1:]] = -np.inf  # equal values cannot be told apart
    best = int(gained.argmax())
    return float((borders[best] + borders[best + 1]) / 2)


def accuracy(same: np.ndarray, other: np.ndarray, threshold: float) -> float:
    """Share of pairs told right."""
    return float(((same > threshold).sum() + (other <= threshold).sum()) / (len(same) + len(other)))


def best_accuracy(embeddings: Tensor, same: Pairs, other: Pairs) -> float:
    """Accuracy at the threshold that suits these very pairs best; for comparing runs, not for a test."""
    together, apart = similarities(embeddings, same), similarities(embeddings, other)
    return accuracy(together, apart, best_threshold(together, apart))
