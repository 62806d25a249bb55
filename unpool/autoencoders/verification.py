"""Are two pictures of one person? Cosine of codes, thresholds, and the figures the field uses."""

import numpy as np


def cosines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cosine of each row of (N, D) with the same row of another, (N,)."""
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return (first * second).sum(1) / np.maximum(lengths, 1e-12)


def best_threshold(scores: np.ndarray, same: np.ndarray) -> float:
    """The threshold with the most right answers ("same" where score >= threshold)."""
    order = np.argsort(scores)
    sorted_scores, sorted_same = scores[order], same[order]
    # Threshold at position i: everything before i is answered "different".
    right = np.concatenate([[0], np.cumsum(~sorted_same)]) + np.concatenate([np.cumsum(sorted_same[::-1])[::-1], [0]])
    cut = int(right.argmax())
    if cut == 0:
        return float(sorted_scores[0])
    if cut == len(scores):
        return float(np.nextafter(sorted_scores[-1], np.inf))
    return float((sorted_scores[cut - 1] + sorted_scores[cut]) / 2)


def accuracy_on(test: np.ndarray, scores: np.ndarray, same: np.ndarray) -> float:
    """Share of right answers on the pairs `test` marks, at the best threshold of all others."""
    threshold = best_threshold(scores[~test], same[~test])
    return float(((scores[test] >= threshold) == same[test]).mean())


def ten_folds(scores: np.ndarray, same: np.ndarray, fold: np.ndarray) -> tuple[float, float]:
    """LFW's View 2: threshold from all folds but one, tested on that one; mean accuracy and its standard error."""
    return mean_and_error([accuracy_on(fold == number, scores, same) for number in np.unique(fold)])


def mean_and_error(values: list[float]) -> tuple[float, float]:
    """Mean and its standard error."""
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values)))


def accept_rate(scores: np.ndarray, same: np.ndarray, false_accepts: float) -> float:
    """Share of same pairs accepted (TAR) at the threshold that lets through `false_accepts` of the others (FAR)."""
    impostors = np.sort(scores[~same])[::-1]
    threshold = impostors[min(int(false_accepts * len(impostors)), len(impostors) - 1)]
    return float((scores[same] > threshold).mean())


def balanced_pairs(people: np.ndarray, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First and second index and "same" of up to `count` same-person pairs and as many pairs of different people."""
    rng = np.random.default_rng(seed)
    first, second = np.triu_indices(len(people), 1)
    equal = people[first] == people[second]
    alike, apart = np.flatnonzero(equal), np.flatnonzero(~equal)
    each = min(count, len(alike), len(apart))
    chosen = np.concatenate([rng.choice(alike, each, replace=False), rng.choice(apart, each, replace=False)])
    return first[chosen], second[chosen], equal[chosen]
