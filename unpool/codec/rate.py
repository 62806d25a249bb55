"""Rate control: the quality that meets a wish, found in few encodings."""

import math
from collections.abc import Callable
from dataclasses import dataclass

LOW, HIGH = 10, 1000  # tenths of the quality


@dataclass(frozen=True)
class Trial:
    """One encoding: ten times the quality, and what it gave (bytes, or decibels)."""

    tenths: int
    value: float


def search(
    measure: Callable[[int], float],
    target: float,
    *,
    tolerance: float,
    start: int = 400,
    trials: int = 10,
    never_above: bool = False,
    logarithmic: bool = True,
) -> Trial:
    """The quality whose measure comes nearest to `target`.

    Interpolates between the trials on either side of the target, which for sizes is nearly straight in the logarithm.

    Args:
        measure: what an encoding at ten times a quality gives; grows with it, but for small steps back.
        target: the wished value, above 0.
        tolerance: stop when the value is as near: a share of the target if `logarithmic`, else an amount.
        start: where to begin.
        trials: the most encodings.
        never_above: a value above the target is not taken; the result is above only if the lowest quality is.
        logarithmic: interpolate in the logarithm of the value.
    """
    scale = math.log if logarithmic else float
    wished = scale(target)
    if never_above:
        wished -= tolerance / 2  # aim at the middle of what is allowed
    tried: dict[int, float] = {}
    place = start
    for _ in range(trials):
        place = min(max(place, LOW), HIGH)
        if place in tried:
            break
        tried[place] = measure(place)
        gap = scale(tried[place]) - scale(target)
        if (-tolerance <= gap <= 0) if never_above else (abs(gap) <= tolerance):
            break
        place = _next(tried, wished, scale)
    allowed = {t: v for t, v in tried.items() if not never_above or v <= target}
    if not allowed:
        if LOW not in tried:
            tried[LOW] = measure(LOW)
        return Trial(LOW, tried[LOW])
    best = min(allowed, key=lambda t: abs(scale(allowed[t]) - scale(target)))
    return Trial(best, allowed[best])


def _next(tried: dict[int, float], wished: float, scale: Callable[[float], float]) -> int:
    below = [t for t, v in tried.items() if scale(v) <= wished]
    above = [t for t, v in tried.items() if scale(v) > wished]
    if not below:
        return LOW if len(above) > 1 else max(LOW, min(above) // 2)
    if not above:
        return HIGH if len(below) > 1 else (max(below) + HIGH) // 2
    low, high = max(below), min(above)
    if abs(high - low) <= 1:
        return low
    low_value, high_value = scale(tried[low]), scale(tried[high])
    share = (wished - low_value) / max(high_value - low_value, 1e-9)
    step = round(share * (high - low))
    return low + min(max(step, 1), high - low - 1) if high > low else low
