"""What lies near what: nearest neighbours of codes, scores that separate, and how true a map is to its codes."""

import numpy as np


def squared_distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances between rows: (N, D) and (M, D) give (N, M)."""
    products = first @ second.T
    squares = (first**2).sum(1)[:, None] + (second**2).sum(1)[None, :]
    return np.maximum(squares - 2 * products, 0)


def nearest_is_same(codes: np.ndarray, people: np.ndarray) -> float:
    """Share of pictures, of people with several here, whose nearest other picture by cosine is of the same person."""
    unit = codes / np.maximum(np.linalg.norm(codes, axis=1, keepdims=True), 1e-12)
    alike = unit @ unit.T
    np.fill_diagonal(alike, -np.inf)
    _, where, counts = np.unique(people, return_inverse=True, return_counts=True)
    several = counts[where] > 1
    return float((people[alike.argmax(1)] == people)[several].mean())


def auroc(low: np.ndarray, high: np.ndarray) -> float:
    """Probability that a score of `high` exceeds one of `low`, ties counting half.

    >>> auroc(np.array([1, 2]), np.array([2, 3]))
    0.875
    """
    order = np.sort(low)
    below = np.searchsorted(order, high, side="left")
    ties = np.searchsorted(order, high, side="right") - below
    return float((below + ties / 2).mean() / len(low))


def trustworthiness(codes: np.ndarray, places: np.ndarray, neighbours: int = 12) -> float:
    """Venna and Kaski 2001: 1 where whoever is near on the map (N, 2) is near in code space (N, D); 0.5 is chance."""
    count = len(codes)
    rank_in_codes, near_on_map = _ranks(codes), _ranks(places) < neighbours
    intruders = np.maximum(rank_in_codes + 1 - neighbours, 0)[near_on_map].sum()
    return float(1 - 2 * intruders / (count * neighbours * (2 * count - 3 * neighbours - 1)))


def continuity(codes: np.ndarray, places: np.ndarray, neighbours: int = 12) -> float:
    """The other way about: 1 where whoever is near in code space is near on the map."""
    return trustworthiness(places, codes, neighbours)


def _ranks(points: np.ndarray) -> np.ndarray:
    """For each row, each other row's rank by distance: 0 for the nearest; the row itself ranks last."""
    distance = squared_distances(points, points)
    np.fill_diagonal(distance, np.inf)
    return distance.argsort(1, kind="stable").argsort(1, kind="stable")
