"""The recogniser's calibration inside its record: fitted on people held out, read back where an answer is given."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from unpool.errors import GalleryError
from unpool.faces.flaws import LEAST_QUALITY
from unpool.faces.gallery.calibration import Calibration, fit

_KNOTS = 17  # that are kept of a fitted calibration's
# Below this, two faces of strangers begin to resemble each other more; one clear face of the two is enough.
_CLEAR = 0.75


@dataclass(frozen=True, eq=False)
class Scores:
    """Cosines of pairs (N,), and the qualities of the worse and of the better face of each (N,)."""

    cosine: np.ndarray
    worse: np.ndarray
    better: np.ndarray

    def usable(self, clear: bool) -> np.ndarray:
        """Cosines of pairs that are compared at all, of which one face is clear or none is."""
        return self.cosine[(self.worse >= LEAST_QUALITY) & ((self.better >= _CLEAR) == clear)]


def fit_by_quality(same: Scores, other: Scores) -> Calibration:
    """A calibration for pairs with a clear face, and one for poor pairs in it; one for all where there are too few."""
    try:
        clear = fit(same.usable(True), other.usable(True))
        return replace(clear, clear=_CLEAR, poor=fit(same.usable(False), other.usable(False)))
    except GalleryError:
        return fit(same.cosine, other.cosine)


def calibration_figures(fitted: Calibration) -> dict[str, float]:
    """A calibration as figures for a record, and the threshold that one pair of strangers in a thousand passes."""
    figures = {"threshold": fitted.threshold(1e-3), "calibration_clear": fitted.clear}
    for prefix, one in (("calibration_", fitted), ("calibration_poor_", fitted.poor)):
        if one is not None:
            knots = np.interp(np.linspace(0, 1, _KNOTS), np.linspace(0, 1, len(one.knots)), one.knots)
            values = {"slope": one.slope, "offset": one.offset, "excess": one.excess, "shape": one.shape}
            values |= {"same": float(one.pairs[0]), "strangers": float(one.pairs[1])}
            values |= {f"knot_{number}": float(knot) for number, knot in enumerate(knots)}
            figures |= {prefix + name: value for name, value in values.items()}
    return figures


def calibration_of(figures: Mapping[str, float]) -> Calibration | None:
    """What `calibration_figures` wrote; None where a record holds no calibration."""
    poor = _read(figures, "calibration_poor_")
    found = _read(figures, "calibration_")
    return None if found is None else replace(found, clear=figures.get("calibration_clear", 0.0), poor=poor)


def _read(figures: Mapping[str, float], prefix: str) -> Calibration | None:
    held = {name.removeprefix(prefix): value for name, value in figures.items() if name.startswith(prefix)}
    if "slope" not in held:
        return None
    knots = [held[f"knot_{number}"] for number in range(_KNOTS)]
    return Calibration.from_dict({**held, "knots": knots, "pairs": [held["same"], held["strangers"]]})
