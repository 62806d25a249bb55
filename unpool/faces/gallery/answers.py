"""What a gallery answers."""

from dataclasses import dataclass

from unpool.faces.gallery.calibration import Calibration
from unpool.faces.gallery.store import Hit, Person

Rejected = tuple[tuple[str, str], ...]  # pictures, each with the reason why it was not used


@dataclass(frozen=True)
class Enrolment:
    """What came of an enrolment: the person, and the pictures that were not taken, each with the reason."""

    person: Person
    rejected: Rejected


@dataclass(frozen=True)
class Calibrated:
    """What came of a calibration: what is in force now, and the pictures that were not taken, each with the reason."""

    calibration: Calibration
    rejected: Rejected


@dataclass(frozen=True)
class ReEmbedding:
    """What came of embedding a gallery anew.

    Attributes:
        pictures: how many were embedded.
        lost: enrolled pictures that could not be used, each with the reason; and people of whom some pictures were not
            given, each with how many.
        uncalibrated: the gallery's own calibration, fitted to the former model's scores, was removed: calibrate again.
        unwiped: why traces of the former embeddings are left and what to do, or None.
    """

    pictures: int
    lost: Rejected
    uncalibrated: bool
    unwiped: str | None = None


@dataclass(frozen=True)
class Identification:
    """One face and who it is.

    Attributes:
        name: the person, or None: nobody we know.
        probability: that it is this person, given that a face is known or unknown with equal odds; of the nearest
            person where the answer is "unknown".
        score, threshold: cosine with the nearest template, and what this gallery asks for at its size.
        nearest, runner_up: the nearest two people.
        box: left, top, right, bottom in the picture, or None.
        reason: why the face was not compared (too small, blurred, covered, no face), or None.
    """

    name: str | None
    probability: float
    score: float
    threshold: float
    nearest: Hit | None
    runner_up: Hit | None
    box: tuple[float, float, float, float] | None
    reason: str | None = None


@dataclass(frozen=True)
class Verification:
    """Whether a picture shows the person it is said to show: score, probability for equal odds, false-match rate."""

    same: bool
    score: float
    probability: float
    false_match_rate: float
