"""Where the faces are: a few scales, four turns when nothing stands upright, and landmarks looked at twice."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from PIL import ImageDraw
from torch import Tensor
from torch.nn import functional as F

from unpool.faces.alignment import apply, check_landmarks, crop_matrix, inverse, template, warp
from unpool.faces.centerface import decode
from unpool.images.picture import Picture
from unpool.images.reading import as_picture

THRESHOLD = 0.5
SIDE = 640  # a picture's longer side on the first look
_FINE_SIDE = 1280  # on the second look, where the picture is larger
_ENLARGE = (2.0, 4.0)  # how far a small picture is enlarged: at first, and where nothing was found
_CLOSER, _CLOSER_MARGIN = 192, 52.0  # the closer look at one face: pixels, and margin in pixels of the 112-pixel crop
_CONFIRMED = 0.3  # least confidence at the closer look
_NEAR = 0.5  # how far a landmark is on average from where it should be, in distances between the eyes
_BOX = 92.0  # size of the detector's box in pixels of the 112-pixel crop


@dataclass(frozen=True, eq=False)
class Face:
    """One face in a picture.

    Attributes:
        box: (4,) left, top, right, bottom in pixels of the picture.
        landmarks: (5, 2) points (x, y): eyes, nose, corners of the mouth; the face's own left-of-picture side first.
        score: the detector's confidence in (0, 1].
    """

    box: np.ndarray
    landmarks: np.ndarray
    score: float

    @property
    def size(self) -> float:
        """Length of the box's diagonal over the square root of two: the face's pixels."""
        left, top, right, bottom = self.box
        return float(np.hypot(right - left, bottom - top) / np.sqrt(2))


def detect(picture: Any, *, threshold: float = THRESHOLD, turns: bool = True) -> list[Face]:
    """The faces of a picture, largest first; an empty list where there is none.

    picture: path, PIL image, array, tensor or `Picture`.
    threshold: least confidence.
    turns: when nothing is found, look at the picture turned by 90, 180 and 270 degrees as well.
    Raises `ModelError` where the detector's network is not installed.
    """
    rgb = as_picture(picture).rgb()
    faces = search(rgb, threshold)
    if not faces and turns:
        scale = min(SIDE / max(rgb.shape[-2:]), _ENLARGE[0])
        turned = [
            turn_back(suppress(at_scale(torch.rot90(rgb, k, (2, 3)), scale, threshold)), k, rgb.shape[-2:])
            for k in (1, 2, 3)
        ]
        faces = max(turned, key=lambda found: max((face.score for face in found), default=0.0))
    closer = [seen for seen in (look_closer(rgb, face) for face in faces) if seen is not None]
    return sorted(closer, key=lambda face: -face.size)


def search(rgb: Tensor, threshold: float = THRESHOLD) -> list[Face]:
    """Upright faces of a picture (1, 3, H, W), found at one scale, or two where the picture is large."""
    longer = max(rgb.shape[-2:])
    if longer > _FINE_SIDE:
        return suppress([face for side in (SIDE, _FINE_SIDE) for face in at_scale(rgb, side / longer, threshold)])
    first, more = (min(SIDE / longer, most) for most in _ENLARGE)
    found = at_scale(rgb, first, threshold)
    if not found and more > 1.5 * first:
        found = at_scale(rgb, more, threshold)
    return suppress(found)


def at_scale(rgb: Tensor, scale: float, threshold: float) -> list[Face]:
    """Every answer of the detector for a picture (1, 3, H, W) resized by `scale`, overlapping ones included."""
    size = [max(1, round(side * scale)) for side in rgb.shape[-2:]]
    sized = rgb if abs(scale - 1) < 0.1 else F.interpolate(rgb, size, mode="bicubic", antialias=True).clamp_(0, 1)
    ratio = np.array([rgb.shape[-1] / sized.shape[-1], rgb.shape[-2] / sized.shape[-2]])
    answers = zip(*decode(sized, threshold))
    return [Face(box * np.tile(ratio, 2), points * ratio, float(score)) for score, box, points in answers]


def suppress(faces: list[Face], overlap: float = 0.3) -> list[Face]:
    """Of faces whose boxes overlap (intersection over union, or one inside the other), the most confident one."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda one: -one.score):
        if all(_overlap(face.box, other.box) < overlap for other in kept):
            kept.append(face)
    return kept


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    both = float(np.prod(sides.clip(0)))
    areas = float(np.prod(a[2:] - a[:2])), float(np.prod(b[2:] - b[:2]))
    return max(both / (sum(areas) - both), both / min(areas) - 0.4)


def turn_back(faces: list[Face], quarter_turns: int, size: "tuple[int, ...] | torch.Size") -> list[Face]:
    """Faces found in `rot90(picture, quarter_turns)`, in the coordinates of the picture of `size` (height, width)."""
    height, width = size
    # (x, y) of the turned picture -> (x, y) of the picture, for counter-clockwise quarter turns.
    matrix = {
        1: np.array([[0.0, -1, width], [1, 0, 0]]),
        2: np.array([[-1.0, 0, width], [0, -1, height]]),
        3: np.array([[0.0, 1, 0], [-1, 0, height]]),
    }[quarter_turns]
    turned = []
    for face in faces:
        corners = apply(matrix, face.box.reshape(2, 2))
        box = np.concatenate([corners.min(0), corners.max(0)])
        turned.append(replace(face, box=box, landmarks=apply(matrix, face.landmarks)))
    return turned


def look_closer(rgb: Tensor, face: Face) -> Face | None:
    """The same face with landmarks measured again on an upright crop of a size that the detector knows best.

    Where the landmarks lead nowhere, the face's box is looked at in four turns. None: it was no face after all.
    """
    seen = _closer(rgb, face.landmarks)
    if seen is None:
        turned = [_closer(rgb, _guess(face, quarter)) for quarter in range(4)]
        seen = max((one for one in turned if one is not None), key=lambda one: one[1], default=None)
    if seen is None:
        return None
    # Once more, now that the crop stands upright; two are enough.
    again = _closer(rgb, seen[0]) or seen
    return replace(face, landmarks=again[0])


def closer_landmarks(rgb: Tensor, landmarks: np.ndarray) -> np.ndarray | None:
    """Landmarks (5, 2) measured on an upright crop around rough ones; None where no face is found near them."""
    seen = _closer(rgb, check_landmarks(landmarks))
    return None if seen is None else seen[0]


def _closer(rgb: Tensor, landmarks: np.ndarray) -> tuple[np.ndarray, float] | None:
    """Landmarks and confidence of the face on an upright crop around rough landmarks."""
    matrix = crop_matrix(landmarks, _CLOSER, _CLOSER_MARGIN)
    scores, _, points = decode(warp(rgb, matrix, _CLOSER), _CONFIRMED)
    expected = template(_CLOSER, _CLOSER_MARGIN)
    apart = np.linalg.norm(points - expected, axis=2).mean(1)
    scores = np.where(apart < _NEAR * np.linalg.norm(expected[0] - expected[1]), scores, 0.0)
    if not scores.any():
        return None
    best = int(scores.argmax())
    return apply(inverse(matrix), points[best]), float(scores[best])


def _guess(face: Face, quarter_turns: int) -> np.ndarray:
    """Where the landmarks of a face would be if its head were turned so, by its box alone."""
    middle = (face.box[:2] + face.box[2:]) / 2
    spread = (template() - template().mean(0)) * (face.size / _BOX)
    cosine, sine = [(1, 0), (0, 1), (-1, 0), (0, -1)][quarter_turns]
    return middle + spread @ np.array([[cosine, -sine], [sine, cosine]])


def framed(picture: Any, faces: list[Face]) -> Picture:
    """A copy of the picture with a frame around each face and a dot on each landmark."""
    image = as_picture(picture).to_pil().convert("RGB")
    draw = ImageDraw.Draw(image)
    width = max(1, round(max(image.size) / 300))
    for face in faces:
        draw.rectangle(face.box.tolist(), outline=(0, 200, 120), width=width)
        for x, y in face.landmarks:
            draw.ellipse((x - width, y - width, x + width, y + width), fill=(255, 200, 0))
    return as_picture(image)
