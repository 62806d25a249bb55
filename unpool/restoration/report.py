"""What a restoration changed, on one page: before and after, a difference map, and whether the result is consistent."""

from pathlib import Path

import torch
from torch import Tensor

from unpool.images.metrics import eight_bit, psnr_rgb
from unpool.images.page import Page
from unpool.images.picture import Picture
from unpool.images.resampling import imresize
from unpool.restoration.plan import Plan

_SHOWN = 1024  # longest side of what the page shows, in pixels of the result
_NOTE = (
    "Restored detail is what pictures like those in training usually have there. It is a guess, not evidence: a "
    "face, a number plate or a word in the result may never have been in front of the camera."
)


def consistency(before: Tensor, after: Tensor) -> float:
    """PSNR in dB between the input and the result brought back to the input's size; (1, C, H, W) in [0, 1] each.

    High where the result agrees with every pixel that was given; for a result of the input's size, how much changed.
    """
    size = (int(before.shape[-2]), int(before.shape[-1]))
    back = after if after.shape == before.shape else imresize(after, size=size)
    return float(psnr_rgb(eight_bit(back), before))


def difference(before: Tensor, after: Tensor, gain: float = 5.0) -> Tensor:
    """What was added to the enlarged input, around mid grey and `gain` times as strong, (1, C, H, W) in [0, 1]."""
    plain = before if after.shape == before.shape else imresize(before, size=(after.shape[-2], after.shape[-1]))
    return (0.5 + gain * (after - plain)).clamp(0, 1)


def write_report(path: str | Path, before: Picture, after: Picture, plan: Plan) -> Path:
    """Write the page for one restored picture; large pictures show their middle. Returns its absolute path."""
    factor = after.height // before.height if after.height >= before.height else 1
    side = max(1, _SHOWN // factor)
    top, left = max(0, before.height - side) // 2, max(0, before.width - side) // 2
    rows, columns = min(side, before.height), min(side, before.width)
    was = before.tensor((top, left, rows, columns))
    scale_y, scale_x = after.height / before.height, after.width / before.width
    region = (round(top * scale_y), round(left * scale_x))
    size = (
        min(round(rows * scale_y), after.height - region[0]),
        min(round(columns * scale_x), after.width - region[1]),
    )
    now = after.tensor((*region, *size))
    page = Page("What was restored", f"{', '.join(plan.names) or 'Nothing was found wrong, and nothing changed'}.")
    page.slider(Picture.from_tensor(was), Picture.from_tensor(now), f"{before!r}, then {after!r}")
    page.section("What changed", "Around mid grey: what was added to the picture, five times as strong.")
    page.figure([(Picture.from_tensor(difference(was, now)), "difference")], size="large")
    rows_of_table = [("steps", ", ".join(plan.names) or "none")]
    if plan.found is not None:
        rows_of_table.append(("found in the input", str(plan.found)))
    if scale_y != 1 or scale_x != 1:
        rows_of_table.append(("consistency: the result made small again, against the input", _decibel(was, now)))
    else:
        rows_of_table.append(("result against input", _decibel(was, now)))
    page.table(rows_of_table, header=("", ""))
    page.section("Not evidence", _NOTE)
    return page.write(path)


def _decibel(was: Tensor, now: Tensor) -> str:
    figure = consistency(was, now)
    return "identical" if torch.isinf(torch.tensor(figure)) else f"{figure:.1f} dB"
