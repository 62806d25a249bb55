"""Labeled Faces in the Wild: where its pictures lie, and the ten folds of 600 pairs of View 2. Test only."""

from pathlib import Path
from typing import NamedTuple

from unpool.errors import DataError

_PICTURE_FOLDERS = ("images", "lfw-deepfunneled", "lfw_funneled", "lfw", ".")


class Pair(NamedTuple):
    """Two pictures and whether they show the same person."""

    first: Path
    second: Path
    same: bool


def lfw_picture(folder: Path, person: str, number: int) -> Path:
    """The file of a person's picture, in the official layout or with an `images` folder."""
    relative = Path(person) / f"{person}_{number:04d}.jpg"
    for pictures in _PICTURE_FOLDERS:
        if (folder / pictures / relative).is_file():
            return folder / pictures / relative
    raise DataError(f"{folder} lacks {relative}: place the folder of LFW's people there, or run `unpool data get lfw`")


def lfw_pairs(folder: str | Path) -> list[list[Pair]]:
    """The folds of `pairs.txt`: ten lists of 600 pairs, the same person first, as the set's View 2 gives them.

    Raises:
        DataError: `pairs.txt` is missing or not of that form, or a picture that it names is missing.
    """
    folder = Path(folder)
    path = folder / "pairs.txt"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        folds, each = (int(number) for number in lines[0].split())
        rows = [line.split() for line in lines[1:] if line.strip()]
        if folds < 1 or each < 1 or len(rows) != 2 * folds * each:
            raise ValueError
        pairs = [_pair(folder, row) for row in rows]
    except FileNotFoundError:
        raise DataError(f"{path} is missing: place LFW's pairs.txt there") from None
    except (ValueError, IndexError):
        raise DataError(f"{path} is not LFW's list of pairs: get it again") from None
    return [pairs[start : start + 2 * each] for start in range(0, len(pairs), 2 * each)]


def _pair(folder: Path, row: list[str]) -> Pair:
    person, first, *others, second = row
    numbers = int(first), int(second)
    (other,) = others or [person]
    same = not others
    return Pair(lfw_picture(folder, person, numbers[0]), lfw_picture(folder, other, numbers[1]), same)
