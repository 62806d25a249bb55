"""Bjontegaard's figure: how many percent of bits one codec needs more or less than another for the same quality."""

from collections.abc import Sequence

import numpy as np
from scipy.interpolate import PchipInterpolator

Point = tuple[float, float]  # bits per pixel, quality


def bd_rate(points: Sequence[Point], reference: Sequence[Point]) -> tuple[float, float] | None:
    """BD-rate in percent (negative: fewer bits than the reference) and the share of the reference's range covered.

    Log-rates are interpolated over quality by PCHIP and averaged over the qualities that both reach. None where the two
    share no quality.

    Examples:
        >>> half = [(0.5, 30.0), (1.0, 33.0), (2.0, 36.0)]
        >>> round(bd_rate(half, [(2 * rate, quality) for rate, quality in half])[0], 6)
        -50.0
    """
    ours, theirs = (_rising(one) for one in (points, reference))
    low, high = max(ours[0, 1], theirs[0, 1]), min(ours[-1, 1], theirs[-1, 1])
    if high <= low or min(len(ours), len(theirs)) < 2:
        return None
    difference = 0.0
    for curve, sign in ((ours, 1), (theirs, -1)):
        area = PchipInterpolator(curve[:, 1], np.log(curve[:, 0])).integrate(low, high)
        difference += sign * float(area) / (high - low)
    return 100 * (float(np.exp(difference)) - 1), float((high - low) / (theirs[-1, 1] - theirs[0, 1]))


def _rising(points: Sequence[Point]) -> np.ndarray:
    """Points in order of quality; of those that a better one at fewer bits beats, none."""
    kept: list[Point] = []
    for rate, quality in sorted(points):
        if not kept or quality > kept[-1][1]:
            kept.append((rate, quality))
    return np.array(kept)
