"""A calibration fitted to pairs of the user's own pictures."""

from collections.abc import Sequence

import numpy as np

from unpool.errors import GalleryError
from unpool.faces.calibrating import Scores, fit_by_quality
from unpool.faces.gallery.calibration import Calibration, fit
from unpool.faces.gallery.store import Entry


def fit_pairs(people: Sequence[Sequence[Entry]], by_quality: bool) -> Calibration:
    """Fit to every pair of one person against every pair of two.

    Args:
        people: the pictures of each.
        by_quality: poor pairs are fitted on their own where there are at least 20 of each kind. The qualities are those
            of unpool's recogniser.

    Raises:
        GalleryError: too few pairs, or those of one person do not score higher.
    """
    same, other = _pairs(people)
    return fit_by_quality(same, other) if by_quality else fit(same.cosine, other.cosine)


def _pairs(people: Sequence[Sequence[Entry]]) -> tuple[Scores, Scores]:
    """Scores of all pairs of one person, and of two."""
    vectors = [entry.embedding for entries in people for entry in entries]
    if not vectors:
        raise GalleryError("no usable picture was given to calibrate with")
    qualities = np.array([entry.quality for entries in people for entry in entries], np.float32)
    owners = np.repeat(np.arange(len(people)), [len(entries) for entries in people])
    joined = np.array(vectors)
    first, second = np.triu_indices(len(joined), k=1)
    # All against all: the vectors of every pair side by side would take a hundred times the memory.
    cosine = (joined @ joined.T)[first, second]
    worse, better = (choose(qualities[first], qualities[second]) for choose in (np.minimum, np.maximum))
    same = owners[first] == owners[second]
    return tuple(Scores(cosine[kind], worse[kind], better[kind]) for kind in (same, ~same))  # type: ignore[return-value]
