"""Every model there is, from packages and from the weights folder, without loading a network."""

from dataclasses import dataclass

from unpool.zoo.record import Record
from unpool.zoo.table import PACKAGED, resolve
from unpool.zoo.weights import read_record, shipped


@dataclass(frozen=True)
class Entry:
    """A model's record, and its weight file's size in bytes."""

    record: Record
    size: int


def catalogue() -> list[Entry]:
    """One entry for each model: those of packages first, then the shipped ones by name."""
    packages = [resolve(dotted) for dotted in PACKAGED.values()]
    packaged = [Entry(package.record, package.path.stat().st_size) for package in packages]
    return packaged + [Entry(read_record(name), path.stat().st_size) for name, path in shipped().items()]
