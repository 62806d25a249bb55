"""A gallery of known people: enrol, identify, verify, erase."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from unpool.errors import GalleryError, UnpoolError
from unpool.faces.gallery.answers import Calibrated, Enrolment, Identification, ReEmbedding, Verification
from unpool.faces.gallery.archive import read_archive, write_archive
from unpool.faces.gallery.calibration import Calibration
from unpool.faces.gallery.embedder import Embedder, Seen, as_embedder
from unpool.faces.gallery.re_embedding import renewed, which
from unpool.faces.gallery.sealing import Plain, Sealed
from unpool.faces.gallery.sqlite import SQLiteStore
from unpool.faces.gallery.store import CALIBRATION, Entry, Identity, Person, Store, fingerprint, template, unit
from unpool.images.picture import Picture
from unpool.images.reading import read

_CANDIDATES = 50  # people whose evidence is weighed against each other


class Gallery:
    """Known people, in an SQLite file or a PostgreSQL database. Open one with `Gallery.open`.

    Examples:
        with Gallery.open("people.db") as gallery:
            gallery.enroll("Ada Lovelace", ["ada1.jpg", "ada2.jpg"])
            for face in gallery.identify("crowd.jpg"):
                print(face.name or "unknown", face.probability)
    """

    def __init__(self, store: Store, embedder: Embedder) -> None:
        self._store, self._embedder = store, embedder

    @staticmethod
    def open(
        place: str | Path,
        *,
        embedder: Any = None,
        create: bool = True,
        key: bytes | None = None,
    ) -> "Gallery":
        """Open a gallery, or make one.

        Args:
            place: a file, or `postgresql://...` for a server with pgvector.
            embedder: None for unpool's face recogniser; or a callable, picture -> (D,) numbers, for any network (a
                `Picture` goes in; its `name` attribute, if it has one, is remembered and checked); or an `Embedder`.
            create: make the gallery if it is not there.
            key: 32 bytes that encrypt names and embeddings at rest (SQLite only).

        Raises:
            GalleryError: not a gallery, made by another model, a wrong key, not reachable.
        """
        chosen = as_embedder(embedder)
        return Gallery(_store(place, chosen.identity, create, key), chosen)

    def __enter__(self) -> "Gallery":
        return self

    def __exit__(self, *cause: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file or the connection."""
        self._store.close()

    def __len__(self) -> int:
        return self._store.size()

    def people(self) -> list[Person]:
        """Everybody enrolled, by name."""
        return self._store.people()

    def audit(self) -> list[tuple[str, str, str]]:
        """Time, event and random id of everything that was changed."""
        return self._store.audit()

    def enroll(self, name: str, pictures: Any) -> Enrolment:
        """Enrol a person by one or more pictures, each showing one face.

        Raises:
            GalleryError: no picture could be taken; nothing is stored then.
        """
        entries, rejected = self._entries(pictures)
        if not entries:
            reasons = "; ".join(f"{one}: {why}" for one, why in rejected) or "no picture was given"
            raise GalleryError(f"{name!r} was not enrolled: {reasons}")
        self._store.add_all({name: entries})
        return Enrolment(self._store.person(name), tuple(rejected))

    def _entries(self, pictures: Any, whose: str = "") -> tuple[list[Entry], list[tuple[str, str]]]:
        """One picture or several, embedded; and those that cannot be used, each with the reason."""
        entries, rejected = [], []
        for number, picture in enumerate(pictures if isinstance(pictures, list | tuple) else [pictures]):
            try:
                entries.append(self._entry(read(picture)))
            except UnpoolError as error:
                rejected.append((which(picture, number, whose), str(error)))
        return entries, rejected

    def _entry(self, picture: Picture) -> Entry:
        seen = self._one(picture)
        return Entry(fingerprint(picture), unit(seen.embedding, self._embedder.identity.dimension), seen.quality)

    def _one(self, picture: Any) -> Seen:
        """The one face of a picture."""
        faces = self._embedder.faces(picture)
        if not faces:
            raise GalleryError("no face was found")
        usable = [face for face in faces if face.reason is None]
        if not usable:
            raise GalleryError(str(faces[0].reason))
        if len(usable) > 1:
            raise GalleryError(f"{len(usable)} faces were found: give pictures of one person alone")
        return usable[0]

    def identify(self, picture: Any, *, false_alarm_rate: float = 0.01) -> list[Identification]:
        """Who is in a picture, face by face.

        Args:
            false_alarm_rate: how often a stranger may be taken for somebody of this gallery, whatever its size.

        Raises:
            GalleryError: nobody is enrolled, or the gallery's model has no calibration yet.
        """
        size = self._store.about()
        if not size:
            raise GalleryError("nobody is enrolled in this gallery yet")
        calibration = self.calibration
        return [
            self._identify(face, calibration, false_alarm_rate, size) for face in self._embedder.faces(read(picture))
        ]

    def _identify(self, face: Seen, calibration: Calibration, rate: float, size: int) -> Identification:
        if face.reason is not None:
            limit = calibration.gallery_threshold(rate, size)
            return Identification(None, 0.0, 0.0, limit, None, None, face.box, face.reason)
        hits = self._store.nearest(face.embedding, _CANDIDATES)
        if calibration.poor is not None and face.quality < calibration.clear:
            calibration = calibration.between(face.quality, self._quality(hits[0].name))
        threshold = calibration.gallery_threshold(rate, size)
        # Odds of each candidate against a stranger, the prior of "known" spread over the whole gallery.
        odds = [p / (1 - p) / size for p in (calibration.probability(hit.score) for hit in hits)]
        best = hits[0]
        return Identification(
            name=best.name if best.score >= threshold else None,
            probability=odds[0] / (1 + sum(odds)),
            score=best.score,
            threshold=threshold,
            nearest=best,
            runner_up=hits[1] if len(hits) > 1 else None,
            box=face.box,
        )

    def verify(self, name: str, picture: Any, *, false_match_rate: float = 0.001) -> Verification:
        """Whether a picture shows the person enrolled under a name.

        Raises:
            GalleryError: nobody has this name, or the picture does not show one usable face.
        """
        known = template(self._store.entries(name))
        seen = self._one(read(picture))
        score = float(known @ unit(seen.embedding, self._store.identity.dimension))
        calibration = self.calibration.between(seen.quality, self._quality(name))
        return Verification(
            same=score >= calibration.threshold(false_match_rate),
            score=score,
            probability=calibration.probability(score),
            false_match_rate=calibration.false_match_rate(score),
        )

    def _quality(self, name: str) -> float:
        """Of the best picture of somebody enrolled."""
        return max(entry.quality for entry in self._store.entries(name))

    def erase(self, name: str) -> Person:
        """Erase a person and every trace of them; a random id stays in the audit trail.

        If another process is reading, the person is erased, but traces of them may be left. Erase again, by the same
        name, when it is done: the traces are wiped, and the person that is returned has an empty `id` and no pictures.

        Raises:
            GalleryError: nobody has this name and nothing is left to wipe, or traces are left.
        """
        return self._store.remove(name)

    @property
    def calibration(self) -> Calibration:
        """What scores mean here: fitted on this gallery's pairs, or the model's own.

        Raises:
            GalleryError: neither exists.
        """
        stored = self._store.setting(CALIBRATION)
        if stored is not None:
            return Calibration.from_dict(json.loads(stored))
        if self._embedder.calibration is None:
            raise GalleryError("scores of this model mean nothing yet: calibrate the gallery with pairs of pictures")
        return self._embedder.calibration

    def calibrate(self, people: dict[str, Any]) -> Calibrated:
        """Fit the meaning of scores to the user's own pictures: every pair of one person against every pair of two.

        Args:
            people: name -> pictures, two or more for most. They are not enrolled. Files that are no pictures and
                pictures without one usable face are passed over.

        Raises:
            GalleryError: too few pairs are left; the calibration stays as it was.
        """
        from unpool.faces.gallery.fitting import fit_pairs  # it builds on a module that imports this package

        taken, rejected = [], []
        for name, pictures in people.items():
            entries, bad = self._entries(pictures, f" of {name}")
            taken.append(entries)
            rejected += bad
        # Where the model's own calibration knows no poor faces, qualities have another scale or none.
        known = self._embedder.calibration
        try:
            calibration = fit_pairs(taken, by_quality=known is not None and known.poor is not None)
        except GalleryError as error:
            first = f"; {len(rejected)} not taken, first {': '.join(rejected[0])}" if rejected else ""
            raise GalleryError(f"{error}{first}") from None
        self._store.set_setting(CALIBRATION, json.dumps(calibration.to_dict()))
        self._store.note("calibrated")
        return Calibrated(calibration, tuple(rejected))

    def re_embed(self, pictures: Iterable[Any]) -> ReEmbedding:
        """Compute the enrolled pictures' embeddings anew with this gallery's embedder.

        Call it on a gallery opened by `Gallery.open_any`, with all pictures that were enrolled: they are recognised by
        their hash, and others are passed over. An enrolled picture that is not given, or in which the new model finds
        no usable face, is lost. With another model the gallery's own calibration is removed.

        Raises:
            GalleryError: somebody enrolled would be left without a picture; nothing is changed then.
        """
        enrolled = {person.name: self._store.entries(person.name) for person in self._store.people()}
        people, lost = renewed(enrolled, pictures, self._entry)
        calibrated = self._store.setting(CALIBRATION) is not None
        self._store.replace_all(self._embedder.identity, people)
        unwiped = None
        try:
            self._store.wipe()
        except GalleryError as error:  # what was lost has to be told all the same
            unwiped = str(error)
        return ReEmbedding(
            pictures=len({entry.picture for entries in people.values() for entry in entries}),
            lost=lost,
            uncalibrated=calibrated and self._store.setting(CALIBRATION) is None,
            unwiped=unwiped,
        )

    @staticmethod
    def open_any(place: str | Path, *, embedder: Any = None, key: bytes | None = None) -> "Gallery":
        """Open a gallery whatever model made it, to re-embed or export it."""
        return Gallery(_store(place, None, False, key), as_embedder(embedder))

    def export(self, path: str | Path) -> None:
        """Write everybody to one safetensors file: embeddings as tensors, the rest as JSON in its metadata.

        Raises:
            GalleryError: the file is the gallery itself.
        """
        if self._store.lies_at(Path(path)):
            raise GalleryError(f"{path} is the gallery itself: choose another name for the exported file")
        entries = {person.name: self._store.entries(person.name) for person in self._store.people()}
        write_archive(Path(path), self._store.identity, entries)
        self._store.note("exported")

    def import_(self, path: str | Path) -> int:
        """Enrol everybody of an exported file; returns how many people.

        Raises:
            GalleryError: not such a file, damaged, or of another model; nobody is enrolled then.
        """
        identity, people = read_archive(Path(path))
        if identity != self._store.identity:
            ours = self._store.identity.model
            raise GalleryError(f"{path} was made by the model {identity.model}, this gallery by {ours}")
        self._store.add_all(people)
        return len(people)


def refuse_key_on_server(place: str | Path) -> None:
    """GalleryError where a gallery's place is a server's address: it cannot be encrypted there."""
    if on_server(place):
        raise GalleryError("pgvector searches plain vectors, so a gallery there cannot be encrypted by a key")


def on_server(place: str | Path) -> bool:
    """Whether a gallery's place is the address of a PostgreSQL server."""
    return str(place).startswith(("postgresql://", "postgres://"))


def _store(place: str | Path, identity: Identity | None, create: bool, key: bytes | None) -> Store:
    if key is not None:
        refuse_key_on_server(place)
    if on_server(place):
        from unpool.faces.gallery.postgres import PostgresStore

        return PostgresStore(str(place), identity, create)
    return SQLiteStore(Path(place), identity, create, Plain() if key is None else Sealed(key))
