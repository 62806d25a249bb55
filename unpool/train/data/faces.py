"""All training faces as one pack: one template, people under one number across sets, whole people held out.

The template is the standard five-point one of 112x112 pixels with 8 more pixels on each side: 128x128, where
`[8:120, 8:120]` is the standard crop.
"""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage
from skimage.morphology import convex_hull_image

from unpool.errors import DataError
from unpool.train.data.build import built
from unpool.train.data.find import find
from unpool.train.data.folders import pictures, resized, rgb8
from unpool.train.data.pack import Entry, Pack
from unpool.train.data.split import in_held_out

# Left eye, right eye, nose, left and right corner of the mouth, (x, y) in the 112x112 crop.
TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
MARGIN = 8
SIZE = 112 + 2 * MARGIN
HELD_OUT_SHARE = 0.1
TRAINING_SETS = (
    "celeba-aligned",
    "celeba-small",
    "named-aligned",
    "utkface-aligned",
    "all-age-faces-aligned",
    "own-aligned",
    "celeba",
)
_CELEBA_SIZES = ((218, 178), (109, 89))  # height and width of its own alignment, whole and at half size
_OWN = "own_aligned"
SHARP = (_OWN, "celeba_aligned")  # folders whose every picture is sharp and fills the template

# Where CelebA's own alignment puts the template's eyes, in fractions of its 178x218 (or 89x109) pixels: registered on
# pictures that are in both alignments.
_CELEBA_EYES = np.array([[34.6 / 89, 55.36 / 109], [53.45 / 89, 55.36 / 109]])


def faces(size: int = SIZE, data: str | Path | None = None) -> Pack:
    """Every training face here as one pack of `size` pixels (uint8 RGB), made on first use and kept.

    Labels are people: `celeba/NNNNN`, `named/NAME` or `own/NAME`. Column `part` is `train` or `held-out`: about one
    person in ten is held out, by hash of the label, whatever sets are present; or `unnamed`, of sets that do not say
    who is who, whose pictures have no label. Column `source` is the set's folder. Faces of `named-aligned` are black
    where the source picture ended: `inside` tells where a face has pixels.
    """
    return built(f"faces-{size}", lambda folders: _entries(folders, size), lambda: _folders(data), data)


def held_out(person: str) -> bool:
    """Whether this person (`celeba/NNNNN`, `named/NAME` or `own/NAME`) never trains."""
    return in_held_out(person, HELD_OUT_SHARE)


def halves(pack: Pack, source: str | Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Held-out pictures of a pack in two halves by person: those that choose weights, and those that only measure.

    Where that leaves one of them fewer than two people, each half is all of them.

    Raises:
        DataError: nobody is held out.
    """
    held = pack.where(part="held-out", source=source)
    if not len(held):
        sets = source if isinstance(source, str) else ", ".join(source)
        raise DataError(f"nobody in {sets} is held out to judge by (one person in ten is, by their name): add people")
    chooses = [in_held_out(pack.label_names[label], HELD_OUT_SHARE / 2) for label in pack.labels[held]]
    first, second = held[np.array(chooses, bool)], held[~np.array(chooses, bool)]
    enough = all(len(np.unique(pack.labels[half])) > 1 for half in (first, second))
    return (first, second) if enough else (held, held)


def present(pack: Pack, sources: Sequence[str]) -> tuple[str, ...]:
    """Names of the sets, of these folders, that have faces in the pack that are not held out."""
    here = set(pack.column("source")[pack.where(part=["train", "unnamed"])])
    return tuple(source.replace("_", "-") for source in sources if source in here)


def inside(face: np.ndarray, margin: int = 2) -> np.ndarray:
    """Where an aligned face (H, W, 3) uint8 shows the source picture: (H, W) bool, False in corners left black.

    A region counts as left over if it is all but black, touches the border and is at least 1 % of the picture. What
    remains is made convex, since an aligned picture is (dark hair at the border stays in), and cut by `margin` pixels,
    over which resampling and JPEG blended it.
    """
    black = (face[:, :, 0] <= 10) & (face[:, :, 1] <= 10) & (face[:, :, 2] <= 10)
    if not any(side.any() for side in (black[0], black[-1], black[:, 0], black[:, -1])):
        return np.ones(face.shape[:2], dtype=bool)
    regions, _ = ndimage.label(ndimage.binary_opening(black))
    border = np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]])
    large = np.flatnonzero(np.bincount(regions.ravel()) >= 0.01 * regions.size)
    outside = (regions > 0) & np.isin(regions, np.intersect1d(border, large))
    if not outside.any():
        return np.ones(face.shape[:2], dtype=bool)
    shown = ndimage.binary_opening(~outside, iterations=2)
    if not shown.any():
        return shown
    return ndimage.binary_erosion(convex_hull_image(shown, offset_coordinates=False), iterations=margin, border_value=1)


def filled(face: np.ndarray) -> np.ndarray:
    """An aligned face (H, W, 3) uint8 whose corners outside the source picture show the nearest pixel inside it."""
    shown = inside(face)
    if shown.all() or not shown.any():
        return face
    nearest = ndimage.distance_transform_edt(~shown, return_distances=False, return_indices=True)
    return face[tuple(nearest)]


def celeba_to_template(picture: np.ndarray) -> np.ndarray:
    """A face in CelebA's own alignment, (218, 178, 3) or half of it, in the template: (128, 128, 3) uint8.

    The similarity transform takes the two eyes, which CelebA put at fixed places, to the template's.
    """
    height, width = picture.shape[:2]
    source = _CELEBA_EYES * (width, height)
    target = TEMPLATE[:2] + MARGIN
    # Points as complex numbers: a similarity is z -> a z + b. PIL wants the map from target to source.
    (s0, s1), (t0, t1) = source @ (1, 1j), target @ (1, 1j)
    a = (s1 - s0) / (t1 - t0)
    b = s0 - a * t0
    # PIL evaluates the map at pixel centres (x + 0.5), and the points here are pixel indices.
    b += 0.5 - a * (0.5 + 0.5j) + 0.5j
    matrix = (a.real, -a.imag, b.real, a.imag, a.real, b.imag)
    warped = Image.fromarray(picture).transform((SIZE, SIZE), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)
    return np.asarray(warped)


def _folders(data: str | Path | None) -> list[Path]:
    found = []
    for name in TRAINING_SETS:
        try:
            found.append(find(name, data))
        except DataError as error:
            missing = error
    if not found:
        raise missing
    return found


def _entries(folders: list[Path], size: int) -> Iterator[Entry]:
    for folder in folders:
        layout = _layout(folder)
        for path, name, person in layout:
            face = rgb8(path)
            if face.shape[:2] in _CELEBA_SIZES:
                face = celeba_to_template(face)
            elif face.shape[:2] != (SIZE, SIZE):
                raise DataError(f"{path} is {face.shape[1]}x{face.shape[0]}, not the template's {SIZE}x{SIZE}")
            if size != SIZE:
                face = resized(face, size)
            part = "unnamed" if person is None else "held-out" if held_out(person) else "train"
            yield Entry(face, f"{folder.name}/{name}", person, {"part": part, "source": folder.name})


def _layout(folder: Path) -> Iterator[tuple[Path, str, str | None]]:
    """File, name and person (None where nobody says) of every picture, by what the folder holds."""
    person: str | None
    if (folder / "identity.csv").is_file():
        with open(folder / "identity.csv", newline="") as file:
            for row in csv.DictReader(file):
                yield folder / row["picture"], row["picture"], f"celeba/{int(row['person']):05d}"
    elif (folder / "identity_CelebA.txt").is_file():
        for number, line in enumerate((folder / "identity_CelebA.txt").read_text().splitlines(), 1):
            words = line.split()
            if words and not (len(words) == 2 and words[1].isdecimal()):
                raise DataError(f"{folder / 'identity_CelebA.txt'}, line {number}: not a picture and a person's number")
            if words:
                yield folder / "img_align_celeba" / words[0], words[0], f"celeba/{int(words[1]):05d}"
    else:
        for listed in pictures(folder):
            person = listed.label
            if person is not None:
                number = person.isdigit() and folder.name != _OWN
                among = "own" if folder.name == _OWN else "named"
                person = f"celeba/{int(person):05d}" if number else f"{among}/{person}"
            yield listed.path, listed.name, person
