"""Folders of pictures: one flat folder, or one folder per class or person."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from unpool.errors import DataError
from unpool.images.reading import read
from unpool.train.data.pack import Entry

PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".avif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".jp2", ".gif"}
)


@dataclass(frozen=True)
class Listed:
    """A picture that a layout names: its file, its name in the set, and the class or person it belongs to."""

    path: Path
    name: str
    label: str | None = None


def pictures(folder: str | Path) -> list[Listed]:
    """Every picture below a folder, sorted by name; pictures in a folder of their own carry its path as label.

    Hidden files and folders are passed over.

    Raises:
        DataError: the folder does not exist or holds no picture.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder")
    found = []
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in inside.parts)
        if path.suffix.lower() in PICTURE_SUFFIXES and not hidden and path.is_file():
            label = inside.parent.as_posix()
            found.append(Listed(path, inside.as_posix(), None if label == "." else label))
    if not found:
        raise DataError(f"{folder} holds no pictures ({', '.join(sorted(PICTURE_SUFFIXES))})")
    return found


def square(samples: np.ndarray, size: int) -> np.ndarray:
    """The central square of uint8 samples (H, W, C), resampled to `size` pixels with an antialiasing filter."""
    height, width = samples.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    cut = samples[top : top + side, left : left + side]
    return cut if side == size else resized(cut, size)


def resized(samples: np.ndarray, size: int) -> np.ndarray:
    """A square of uint8 samples (S, S, C) at `size` pixels, Lanczos."""
    picture = Image.fromarray(samples[:, :, 0] if samples.shape[2] == 1 else samples)
    return np.asarray(picture.resize((size, size), Image.Resampling.LANCZOS)).reshape(size, size, samples.shape[2])


def rgb8(path: Path, *, grey: bool = False) -> np.ndarray:
    """A picture file as uint8 (H, W, 3), or (H, W, 1) where grey is asked for."""
    samples = read(path).with_depth(8).samples
    if grey and samples.shape[2] == 3:
        return np.asarray(Image.fromarray(samples).convert("L"))[:, :, None]
    return samples if grey or samples.shape[2] == 3 else np.repeat(samples, 3, axis=2)


def entries(folder: str | Path, *, size: int | None = None, grey: bool = False) -> Iterator[Entry]:
    """The pictures of a folder ready for a pack: 8 bits, RGB or grey, as they are or as squares of `size` pixels."""
    for listed in pictures(folder):
        samples = rgb8(listed.path, grey=grey)
        yield Entry(samples if size is None else square(samples, size), listed.name, listed.label)
