"""The recogniser's calibration inside its record: fitted on people held out, read back where an answer is given."""

from collections.abc import Mapping

import numpy as np

from unpool.faces.gallery.calibration import Calibration, fit

_KNOTS = 17  # that are kept of a fitted calibration's


def calibration_figures(same: np.ndarray, other: np.ndarray) -> dict[str, float]:
    """A calibration fitted to cosines of one person's pairs and of strangers' pairs, as figures for a record."""
    fitted = fit(same, other)
    knots = np.interp(np.linspace(0, 1, _KNOTS), np.linspace(0, 1, len(fitted.knots)), fitted.knots)
    figures = {"slope": fitted.slope, "offset": fitted.offset, "excess": fitted.excess}
    figures |= {"same": float(len(same)), "strangers": float(len(other))}
    figures |= {f"knot_{number}": float(knot) for number, knot in enumerate(knots)}
    return {f"calibration_{name}": value for name, value in figures.items()} | {"threshold": fitted.threshold(1e-3)}


def calibration_of(figures: Mapping[str, float]) -> Calibration | None:
    """What `calibration_figures` wrote; None where a record holds no calibration."""
    held = {
        name.removeprefix("calibration_"): value for name, value in figures.items() if name.startswith("calibration_")
    }
    if not held:
        return None
    knots = [held[f"knot_{number}"] for number in range(_KNOTS)]
    return Calibration.from_dict({**held, "knots": knots, "pairs": [held["same"], held["strangers"]]})
