"""Maps as pictures that a person can read."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from unpool.images.picture import Picture

# Dark violet over red to pale yellow, even in lightness; sampled from matplotlib's "inferno" (CC0).
_HEAT = np.array(
    [
        (0, 0, 4),
        (40, 11, 84),
        (101, 21, 110),
        (159, 42, 99),
        (212, 72, 66),
        (245, 125, 21),
        (250, 193, 39),
        (252, 255, 164),
    ],
    dtype=np.float32,
)
_PERCENTILE = 0.995  # of absolute values: a single hot pixel would darken everything else


def heat(map_: Tensor, ceiling: bool = True) -> Tensor:
    """(C, H, W) signed to (H, W): absolute values summed over channels; in [0, 1], the strongest half per cent at 1.

    Without `ceiling` they are left as they are, for ranking.
    """
    strength = map_.detach().float().abs().sum(0)
    if not ceiling:
        return strength
    return (strength / _high(strength)).clamp(max=1)


def projection(map_: Tensor) -> Picture:
    """(C, H, W) signed to a picture in which zero is mid grey, as Zeiler and Fergus print them."""
    map_ = map_.detach().float()
    shown = 0.5 + 0.5 * (map_ / _high(map_.abs())).clamp(-1, 1)
    if map_.shape[0] not in (1, 3):
        shown = shown.mean(0, keepdim=True)
    return Picture.from_tensor(shown)


def overlay(map_: Tensor, seen: Picture) -> Picture:
    """(C, H, W) signed as heat over the picture it belongs to: cold parts grey and dim, hot parts coloured."""
    hot = heat(map_)
    if map_.shape[0] > 1:  # a map of single samples is grainy: smoothed to what the eye can follow
        hot = smooth(hot[None, None], max(1.0, min(hot.shape) / 80))[0, 0]
        hot = (hot / _high(hot)).clamp(max=1)
    grey = seen.rgb().mean(1)[0]
    if grey.shape != hot.shape:
        hot = F.interpolate(hot[None, None], grey.shape, mode="bilinear", align_corners=False)[0, 0]
    opacity = 0.15 + 0.6 * hot
    shown = (1 - opacity) * grey * 0.85 + opacity * coloured(hot)
    return Picture.from_tensor(shown[None])


def coloured(values: Tensor) -> Tensor:
    """(H, W) in [0, 1] to colours (3, H, W)."""
    places = values.numpy() * (len(_HEAT) - 1)
    channels = [np.interp(places, np.arange(len(_HEAT)), _HEAT[:, c]) / 255 for c in range(3)]
    return torch.from_numpy(np.stack(channels).astype(np.float32))


def reach(map_: Tensor) -> int:
    """Side of the smallest square that holds what a map (C, H, W) reaches to."""
    top, bottom, left, right = _extent(map_)
    return min(max(bottom - top, right - left), *map_.shape[-2:])


def crop_around(map_: Tensor, seen: Picture | None = None, side: int | None = None) -> Picture:
    """The square around what a map (C, H, W) reaches to, as a projection; of the picture it is for where that is given.

    Args:
        side: of the square, in pixels; None is `reach`.
    """
    height, width = map_.shape[-2:]
    side = min(side or reach(map_), height, width)
    first_row, last_row, first_column, last_column = _extent(map_)
    top = min(max(0, (first_row + last_row - side) // 2), height - side)
    left = min(max(0, (first_column + last_column - side) // 2), width - side)
    if seen is not None:
        return Picture(seen.samples[top : top + side, left : left + side])
    return projection(map_[:, top : top + side, left : left + side])


def _extent(map_: Tensor) -> tuple[int, int, int, int]:
    """First row, end of rows, first column, end of columns of what is not nearly zero; everything where all is zero."""
    strength = map_.detach().float().abs().sum(0)
    rows, columns = (strength > 0.01 * strength.max()).nonzero(as_tuple=True)
    if len(rows) == 0:
        return 0, strength.shape[0], 0, strength.shape[1]
    return int(rows.min()), int(rows.max()) + 1, int(columns.min()), int(columns.max()) + 1


def montage(pictures: list[Picture], cell: int = 72, gap: int = 2) -> Picture:
    """Small pictures in a square grid on white, each enlarged or reduced to `cell` pixels."""
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    sheet = torch.ones(1, 3, rows * (cell + gap) - gap, columns * (cell + gap) - gap)
    for number, picture in enumerate(pictures):
        top, left = (number // columns) * (cell + gap), (number % columns) * (cell + gap)
        shown = F.interpolate(picture.rgb(), (cell, cell), mode="bicubic", antialias=True, align_corners=False)
        sheet[..., top : top + cell, left : left + cell] = shown.clamp(0, 1)
    return Picture.from_tensor(sheet)


def _high(values: Tensor) -> Tensor:
    flat = values.flatten()
    kth = max(1, int(_PERCENTILE * flat.numel()))
    high = flat.kthvalue(kth).values
    return torch.where(high > 0, high, flat.max()).clamp(min=1e-30)


def smooth(pictures: Tensor, sigma: float) -> Tensor:
    """Pictures (N, C, H, W) under a Gaussian of `sigma` pixels; borders are continued."""
    reach = int(3 * sigma + 0.5)
    taps = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=pictures.device) / sigma) ** 2)
    taps = (taps / taps.sum()).view(1, 1, 1, -1).to(pictures.dtype)
    planes = pictures.reshape(-1, 1, *pictures.shape[-2:])
    padded = F.pad(planes, (reach, reach, reach, reach), mode="replicate")
    return F.conv2d(F.conv2d(padded, taps), taps.transpose(2, 3)).view_as(pictures)
