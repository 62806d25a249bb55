"""Enrolled pictures embedded anew, for another model."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from unpool.errors import GalleryError, PictureError, UnpoolError
from unpool.faces.gallery.answers import Rejected
from unpool.faces.gallery.store import Entry, fingerprint
from unpool.images.picture import Picture
from unpool.images.reading import read


def renewed(
    enrolled: Mapping[str, Sequence[Entry]], pictures: Iterable[Any], entry: Callable[[Picture], Entry]
) -> tuple[dict[str, list[Entry]], Rejected]:
    """New entries for everybody enrolled, and what is lost: pictures that cannot be used or were not given.

    Args:
        enrolled: name -> entries of the former model.
        pictures: those that were enrolled, recognised by their hash; others are passed over.
        entry: embeds a picture. UnpoolError: it shows no usable face.

    Raises:
        GalleryError: somebody would be left without a picture.
    """
    owners: dict[str, list[str]] = {}  # a picture may be enrolled under several names
    for name, entries in enrolled.items():
        for one in entries:
            owners.setdefault(one.picture, []).append(name)
    found, unusable = _embedded(owners, pictures, entry)
    people = {name: [found[one.picture] for one in old if one.picture in found] for name, old in enrolled.items()}
    _refuse_missing(people, owners, unusable)
    lost = [(f"{one} ({', '.join(owners[mark])})", why) for mark, (one, why) in unusable.items()]
    for name, entries in enrolled.items():
        absent = sum(one.picture not in found and one.picture not in unusable for one in entries)
        if absent:
            lost.append((name, f"{absent} of {len(entries)} enrolled pictures not given"))
    return people, tuple(lost)


def _embedded(
    wanted: Collection[str], pictures: Iterable[Any], entry: Callable[[Picture], Entry]
) -> tuple[dict[str, Entry], dict[str, tuple[str, str]]]:
    """By their hash: wanted pictures' entries, and those that cannot be used with the reason."""
    found: dict[str, Entry] = {}
    unusable: dict[str, tuple[str, str]] = {}
    for number, picture in enumerate(pictures):
        try:
            taken = read(picture)
        except PictureError:
            continue  # whatever else lies in the folder
        mark = fingerprint(taken)
        if mark not in wanted or mark in found or mark in unusable:
            continue
        try:
            found[mark] = entry(taken)
        except UnpoolError as error:
            unusable[mark] = (which(picture, number), str(error))
    return found, unusable


def _refuse_missing(
    people: Mapping[str, Sequence[Entry]], owners: Mapping[str, Sequence[str]], unusable: Mapping[str, tuple[str, str]]
) -> None:
    """GalleryError where somebody has no picture left, with the reasons."""
    missing = sorted(name for name, entries in people.items() if not entries)
    if not missing:
        return
    bad = [f"{one}: {why}" for mark, (one, why) in unusable.items() if set(owners[mark]) & set(missing)]
    reasons = f" that can be used ({'; '.join(bad)})" if bad else ""
    raise GalleryError(f"no enrolled picture of {', '.join(missing)} was given{reasons}: nothing was changed")


def which(picture: Any, number: int, whose: str = "") -> str:
    """How a message calls a picture: its path, or its number and whose it is."""
    return str(picture) if isinstance(picture, str | Path) else f"picture {number}{whose}"
