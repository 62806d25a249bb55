"""From five landmarks to the upright crop that recognisers take: similarity transforms and resampling.

Coordinates are (x, y) in pixels from the picture's top left corner: the centre of the first pixel is (0.5, 0.5).
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from unpool.errors import PictureError

SIZE = 112
# The standard template (Deng et al. 2019, ArcFace): eyes, nose, corners of the mouth; those on the left of the picture
# first. It is published in indices of pixels, which begin half a pixel later than the coordinates used here.
TEMPLATE = (
    np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]) + 0.5
)


def similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The rotation, scaling and shift that bring `source` closest to `target` (Umeyama 1991), least squares.

    source, target: (n, 2) points, n >= 2. Returns the matrix (2, 3) of `target = matrix @ [x, y, 1]`. Never a mirror
    image. Raises `PictureError` where all source points are one.

    >>> similarity(np.array([[0.0, 0], [1, 0]]), np.array([[2.0, 1], [2, 3]])).round(6).tolist()
    [[0.0, -2.0, 2.0], [2.0, 0.0, 1.0]]
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    from_centre, to_centre = source.mean(0), target.mean(0)
    a, b = source - from_centre, target - to_centre
    spread = (a**2).sum()
    if not np.isfinite(spread) or spread < 1e-9:
        raise PictureError("the landmarks lie on one point; give five different points (x, y)")
    along = (a * b).sum() / spread
    across = (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / spread
    turn = np.array([[along, -across], [across, along]])
    return np.concatenate([turn, (to_centre - turn @ from_centre)[:, None]], axis=1)


def template(size: int = SIZE, margin: float = 0.0) -> np.ndarray:
    """The five places of the template in a crop of `size` pixels that shows `margin` more on each side, (5, 2).

    margin: in pixels of the 112-pixel crop.
    """
    return (TEMPLATE + margin) * (size / (SIZE + 2 * margin))


def crop_matrix(landmarks: np.ndarray, size: int = SIZE, margin: float = 0.0) -> np.ndarray:
    """The matrix (2, 3) from picture to crop that brings the landmarks (5, 2) to the template."""
    return similarity(check_landmarks(landmarks), template(size, margin))


def check_landmarks(landmarks: object) -> np.ndarray:
    """Five points (x, y) as floats (5, 2); `PictureError` says what is wrong with others."""
    try:
        points = np.asarray(landmarks, dtype=np.float64)
    except (TypeError, ValueError):
        points = np.empty(0)
    if points.shape != (5, 2) or not np.isfinite(points).all():
        raise PictureError(
            f"landmarks of shape {points.shape}: give five finite points (x, y): the eyes, the nose and the "
            "corners of the mouth, those on the picture's left first"
        )
    return points


def apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points (..., 2) moved by a matrix (2, 3)."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def inverse(matrix: np.ndarray) -> np.ndarray:
    """The matrix (2, 3) that undoes another."""
    back = np.linalg.inv(matrix[:, :2])
    return np.concatenate([back, -(back @ matrix[:, 2])[:, None]], axis=1)


def warp(rgb: Tensor, matrix: np.ndarray, size: int) -> Tensor:
    """The crop (1, C, size, size) of a picture (1, C, H, W) in [0, 1] under a similarity; black where it ended.

    Where the crop is smaller than what it shows, the picture is reduced first (antialiased), so that nothing aliases.
    """
    height, width = rgb.shape[-2:]
    corners = apply(inverse(matrix), np.array([[0.0, 0], [size, 0], [0, size], [size, size]]))
    low = np.clip(np.floor(corners.min(0)) - 4, 0, (width - 1, height - 1)).astype(int)
    high = np.clip(np.ceil(corners.max(0)) + 4, low + 1, (width, height)).astype(int)
    part = rgb[..., low[1] : high[1], low[0] : high[0]]
    to_part = np.concatenate([np.eye(2), -low[:, None].astype(np.float64)], axis=1)
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if scale < 1:
        reduced = [max(1, round(side * scale)) for side in part.shape[-2:]]
        ratio = np.array([reduced[1] / part.shape[-1], reduced[0] / part.shape[-2]])
        part = F.interpolate(part, reduced, mode="bicubic", antialias=True, align_corners=False)
        to_part = ratio[:, None] * to_part
    back = inverse(matrix)
    turn = to_part[:, :2] @ back[:, :2]
    shift = to_part[:, :2] @ back[:, 2] + to_part[:, 2]
    # From the crop to the part, both in grid_sample's coordinates: [-1, 1] from border to border.
    extent = np.array([part.shape[-1], part.shape[-2]], np.float64)
    theta = np.concatenate(
        [turn * (size / extent)[:, None], ((turn @ [size, size] + 2 * shift) / extent - 1)[:, None]], axis=1
    )
    grid = F.affine_grid(torch.from_numpy(theta[None]).to(part), [1, part.shape[1], size, size], align_corners=False)
    return F.grid_sample(part, grid, mode="bicubic", padding_mode="zeros", align_corners=False).clamp(0, 1)
