"""What a gallery is kept in: one contract over an embedded file and a database server."""

import hashlib
import secrets
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from unpool.errors import GalleryError
from unpool.images.picture import Picture

SCHEMA = 1
CALIBRATION = "calibration"  # the user's setting that holds one
UNWIPED = "unwiped/"  # starts the keys of settings that mark a removal whose traces were not wiped yet


@dataclass(frozen=True, eq=False)
class Entry:
    """One enrolled picture.

    Attributes:
        picture: SHA-256 of the picture's pixels, hexadecimal. The picture itself is not kept.
        embedding: (D,) float32, unit length.
        quality: its weight in the person's template, above 0.
    """

    picture: str
    embedding: np.ndarray
    quality: float = 1.0


@dataclass(frozen=True)
class Person:
    """Somebody enrolled. `id` is random; the audit trail knows nothing else."""

    id: str
    name: str
    pictures: int
    enrolled: str


@dataclass(frozen=True)
class Hit:
    """A person and the cosine of the angle between their template and what was asked for."""

    person: str
    name: str
    score: float


@dataclass(frozen=True)
class Identity:
    """Whose embeddings a gallery holds: the model's name with its hash, and their length."""

    model: str
    dimension: int


class Store(ABC):
    """People, their pictures' hashes and embeddings, settings and an audit trail. Every change is one transaction."""

    identity: Identity

    @abstractmethod
    def add_all(self, people: Mapping[str, Sequence[Entry]]) -> None:
        """Enrol pictures of people, new or known, in one transaction. A picture that is there replaces itself."""

    @abstractmethod
    def person(self, name: str) -> Person:
        """Somebody enrolled. GalleryError: nobody has this name."""

    def lies_at(self, path: Path) -> bool:
        """Whether this file is the gallery itself."""
        return False

    def remove(self, name: str) -> Person:
        """Erase a person and every trace of them; the audit trail keeps the random id.

        Returns:
            Who was erased. If nobody has this name, but an earlier removal had to leave traces, they are wiped now, and
            the person that is returned has an empty `id` and no pictures.

        Raises:
            GalleryError: nobody has this name, or the person is erased and traces are left: see `wipe`.
        """
        try:
            person = self.person(name)
        except GalleryError:
            if not self._marks():
                raise
            person = Person("", clean_name(name), 0, "")
        else:
            self._delete(person.id)
        self.wipe()
        return person

    def wipe(self) -> None:
        """Leave no bytes of what was removed.

        Raises:
            GalleryError: it cannot be done now, as another process is reading; the next removal tries again.
        """
        marks = self._marks()
        try:
            self._vacuum()
        except GalleryError as error:
            raise GalleryError(f"removed, but traces may be left ({error}): do the same again later") from None
        self._settle(marks)

    @abstractmethod
    def _delete(self, person: str) -> None:
        """Delete a person by id, log it and mark it as `unwiped`, in one transaction."""

    @abstractmethod
    def _marks(self) -> list[str]:
        """The keys of removals whose traces were not wiped yet."""

    @abstractmethod
    def _settle(self, marks: Sequence[str]) -> None:
        """Take these keys away."""

    @abstractmethod
    def _vacuum(self) -> None:
        """Wipe what was deleted. GalleryError, with the cause: it cannot be done now."""

    @abstractmethod
    def people(self) -> list[Person]:
        """Everybody enrolled, by name."""

    @abstractmethod
    def entries(self, name: str) -> list[Entry]:
        """The pictures of a person. GalleryError: nobody has this name."""

    @abstractmethod
    def nearest(self, embedding: np.ndarray, count: int) -> list[Hit]:
        """The people whose templates are nearest to a unit embedding (D,), best first."""

    @abstractmethod
    def size(self) -> int:
        """How many people there are."""

    def about(self) -> int:
        """How many people there are, within some percent: enough for a threshold."""
        return self.size()

    @abstractmethod
    def setting(self, key: str) -> str | None:
        """A stored setting, or None."""

    @abstractmethod
    def set_setting(self, key: str, value: str) -> None:
        """Store a setting."""

    @abstractmethod
    def note(self, event: str, subject: str = "") -> None:
        """Add to the audit trail. `subject` is a random id, never a name."""

    @abstractmethod
    def audit(self) -> list[tuple[str, str, str]]:
        """The audit trail: time (UTC), event, subject."""

    @abstractmethod
    def replace_all(self, identity: Identity, people: Mapping[str, Sequence[Entry]]) -> None:
        """Put other embeddings in place of all there are in one transaction; with another model the calibration goes.

        Traces of what was there are left until `wipe` is called.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of the file or the connection."""


def unit(embedding: np.ndarray, dimension: int) -> np.ndarray:
    """An embedding as (D,) float32 of unit length.

    Raises:
        GalleryError: another length, not finite, or zero.
    """
    vector = np.asarray(embedding, dtype=np.float32)
    if vector.shape != (dimension,):
        raise GalleryError(f"an embedding has the shape {vector.shape}; this gallery's have ({dimension},)")
    length = float(np.linalg.norm(vector))
    if not np.isfinite(length) or length == 0:
        raise GalleryError("an embedding is zero or not finite: the network gave no answer for this picture")
    return vector / length


def template(entries: Sequence[Entry]) -> np.ndarray:
    """One vector for a person: the mean of their embeddings weighted by quality, unit length, (D,) float32."""
    mean = sum((entry.quality * entry.embedding for entry in entries), np.zeros_like(entries[0].embedding))
    length = float(np.linalg.norm(mean))
    # Opposite embeddings can cancel; then the best picture speaks for the person.
    best = max(entries, key=lambda entry: entry.quality).embedding
    return (mean / length if length > 1e-6 else best).astype(np.float32)


def fingerprint(picture: Picture) -> str:
    """SHA-256 of a picture's size and samples, hexadecimal: the same for the same pixels in any lossless file."""
    samples = np.ascontiguousarray(picture.samples)
    return hashlib.sha256(f"{samples.shape}{samples.dtype}".encode() + samples.tobytes()).hexdigest()


def new_id() -> str:
    """A random id for a person: 64 bits, hexadecimal."""
    return secrets.token_hex(8)


def unwiped() -> str:
    """A fresh key that marks a removal. Each has its own: who wipes settles only those made before the wiping."""
    return UNWIPED + new_id()


def now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def clean_name(name: str) -> str:
    """A person's name without white space around it, its accents composed (NFC).

    Raises:
        GalleryError: empty, too long, or with control characters.
    """
    name = unicodedata.normalize("NFC", name.strip())
    shown = name.replace("\u200c", "").replace("\u200d", "")  # joiners, which Persian and Indian names are written with
    if not shown or len(name) > 200 or not shown.isprintable():
        raise GalleryError("a name has 1 to 200 printable characters")
    return name
