"""What a score means: a probability, and how often strangers reach it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import exp, expm1, log, log1p
from typing import Any

import numpy as np

from unpool.errors import GalleryError

_TAIL = 0.05  # share of impostor scores that the tail is fitted to
_LEAST = 20  # scores of each kind below which nothing can be fitted
_SHAPED = 200  # scores in the tail from which on its shape is estimated
_SHORTEST = -0.25  # shape of a tail


@dataclass(frozen=True)
class Calibration:
    """Scores (cosines) to probabilities and false-match rates, fitted on pairs of known kind.

    The false-match rate follows the impostor scores themselves up to their upper 5 %, and beyond that a generalised
    Pareto tail (peaks over threshold; Pickands 1975). Its shape is half of what the moments of the excesses say
    (Hosking & Wallis 1987), and 0, an exponential tail, where they are few: so the rate is over- rather than
    understated. Two poor faces resemble each other more than two of which one is clear: `poor` is for them.

    Attributes:
        slope, offset: probability that two pictures show one person, for equal odds before: sigmoid(slope*s + offset).
        knots: impostor scores at evenly spaced ranks from the lowest to the tail's start.
        excess: mean excess over the last knot.
        pairs: how many pairs of one person, and of two, it was fitted on.
        shape: of the tail, from 0 down.
        clear, poor: what to ask instead for two faces whose qualities are both under `clear`.
    """

    slope: float
    offset: float
    knots: tuple[float, ...]
    excess: float
    pairs: tuple[int, int]
    shape: float = 0.0
    clear: float = 0.0
    poor: "Calibration | None" = None

    def between(self, quality: float, other: float) -> "Calibration":
        """The calibration for two faces of these qualities."""
        return self.poor if self.poor is not None and max(quality, other) < self.clear else self

    def probability(self, score: float) -> float:
        """Probability that a pair with this score is of one person, if both kinds are equally likely."""
        return 1 / (1 + exp(-min(max(self.slope * score + self.offset, -60.0), 60.0)))

    def false_match_rate(self, score: float) -> float:
        """Share of pairs of strangers that score at least this."""
        last = self.knots[-1]
        if score >= last:
            over = (score - last) / (self.excess * (1 - self.shape))
            return _TAIL * (max(1 + self.shape * over, 0.0) ** (-1 / self.shape) if self.shape else exp(-over))
        ranks = np.linspace(1.0, _TAIL, len(self.knots))
        return float(np.interp(score, self.knots, ranks))

    def threshold(self, false_match_rate: float) -> float:
        """The lowest score that strangers reach at most this often."""
        if not 0 < false_match_rate < 1:
            raise GalleryError(f"a false-match rate lies between 0 and 1, not at {false_match_rate:g}")
        if false_match_rate <= _TAIL:
            rarer = log(_TAIL / false_match_rate)
            over = expm1(self.shape * rarer) / self.shape if self.shape else rarer
            return self.knots[-1] + self.excess * (1 - self.shape) * over
        ranks = np.linspace(1.0, _TAIL, len(self.knots))
        return float(np.interp(-false_match_rate, -ranks, self.knots))

    def gallery_threshold(self, false_alarm_rate: float, size: int) -> float:
        """The score at which a stranger is taken for anybody among `size` people at most this often.

        A stranger is compared with everybody, so each comparison may fail only 1 - (1 - rate)^(1/size) of the time.
        """
        if not 0 < false_alarm_rate < 1:
            raise GalleryError(f"a false-alarm rate lies between 0 and 1, not at {false_alarm_rate:g}")
        return self.threshold(-expm1(log1p(-false_alarm_rate) / max(size, 1)))

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return asdict(self)

    @staticmethod
    def from_dict(values: dict[str, Any]) -> "Calibration":
        """What `to_dict` gave, also in versions without a shape and `poor`. GalleryError: it is not that."""
        try:
            slope, offset, excess = (float(values[key]) for key in ("slope", "offset", "excess"))
            shape, clear = (float(values.get(key, 0)) for key in ("shape", "clear"))
            knots = tuple(float(knot) for knot in values["knots"])
            same, different = (int(count) for count in values["pairs"])
            poor = Calibration.from_dict(values["poor"]) if values.get("poor") is not None else None
        except (AttributeError, KeyError, TypeError, ValueError):
            raise GalleryError("a stored calibration cannot be read: calibrate again") from None
        finite = np.isfinite([slope, offset, excess, clear, *knots]).all()
        if not (len(knots) > 1 and excess > 0 and slope > 0 and finite and _SHORTEST <= shape <= 0):
            raise GalleryError("a stored calibration makes no sense: calibrate again")
        return Calibration(slope, offset, knots, excess, (same, different), shape, clear, poor)


def fit(same: Sequence[float] | np.ndarray, different: Sequence[float] | np.ndarray) -> Calibration:
    """Fit a calibration to scores of pairs of one person and of two.

    Args:
        same, different: cosines in [-1, 1], at least 20 of each.

    Raises:
        GalleryError: too few scores, or same-person pairs that do not score higher on average.
    """
    genuine, impostor = (np.sort(np.asarray(scores, dtype=np.float64)) for scores in (same, different))
    if min(len(genuine), len(impostor)) < _LEAST:
        raise GalleryError(
            f"calibration wants at least {_LEAST} pairs of one person and {_LEAST} of two; "
            f"got {len(genuine)} and {len(impostor)}"
        )
    if not genuine.mean() > impostor.mean():
        raise GalleryError("pairs of one person do not score higher than pairs of two: check which are which")
    slope, offset = _logistic(genuine, impostor)
    knots = np.quantile(impostor, np.linspace(0, 1 - _TAIL, 65))
    excesses = impostor[impostor > knots[-1]] - knots[-1]
    excess = max(float(excesses.mean()) if len(excesses) else 0.0, 1e-4)
    shape = 0.0
    if len(excesses) >= _SHAPED:
        estimate = (1 - excess**2 / max(float(excesses.var()), 1e-12)) / 2
        shape = min(max(estimate / 2, _SHORTEST), 0.0)
    return Calibration(slope, offset, tuple(float(k) for k in knots), excess, (len(genuine), len(impostor)), shape)


def _logistic(genuine: np.ndarray, impostor: np.ndarray) -> tuple[float, float]:
    """Logistic regression of one variable, both kinds weighted alike, by Newton's method with a little damping."""
    x = np.concatenate([genuine, impostor])
    y = np.concatenate([np.ones(len(genuine)), np.zeros(len(impostor))])
    weight = np.concatenate([np.full(len(genuine), 0.5 / len(genuine)), np.full(len(impostor), 0.5 / len(impostor))])
    centre, spread = x.mean(), x.std() + 1e-9
    design = np.stack([(x - centre) / spread, np.ones_like(x)], 1)
    beta = np.zeros(2)
    damping = np.diag([1e-3, 1e-6])  # separable kinds would send the slope to infinity
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(design @ beta, -30, 30)))
        gradient = design.T @ (weight * (y - p)) - damping @ beta
        hessian = (design * (weight * p * (1 - p))[:, None]).T @ design + damping
        step = np.linalg.solve(hessian, gradient)
        beta = beta + step
        if np.abs(step).max() < 1e-10:
            break
    slope = beta[0] / spread
    return float(slope), float(beta[1] - slope * centre)
