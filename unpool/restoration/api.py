"""`restore`: pictures made larger, cleaner, sharper, by a small network or a classical method."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from unpool.images.formats import format_of_suffix
from unpool.images.picture import Picture
from unpool.images.reading import MAX_PIXELS, Source, read
from unpool.images.writing import check_output, write
from unpool.restoration import stream
from unpool.restoration.estimate import Estimate
from unpool.restoration.network import Progress
from unpool.restoration.plan import Plan, Predictor, Wish, assembled, make_plan

__all__ = ["Plan", "Predictor", "Restored", "restore", "restore_file"]


@dataclass(frozen=True, eq=False)
class Restored:
    """A restored picture, and what was done.

    Attributes:
        picture: the result, in the input's bit depth.
        steps: names of the models or methods, in the order they ran; empty where nothing was found wrong.
        found: what `auto` estimated; None where the task was given.
        seconds: how long it took.
        before: the input.
    """

    picture: Picture
    steps: tuple[str, ...]
    found: Estimate | None
    seconds: float
    before: Picture = field(repr=False)

    def save(self, path: str | Path, **options: Any) -> None:
        """Write the picture; options as for `unpool.write`."""
        write(self.picture, path, **options)


def restore(
    picture: Source,
    *,
    scale: float | None = None,
    task: str = "auto",
    model: "str | Path | nn.Module | None" = None,
    method: str = "network",
    strength: float = 0.0,
    sigma: float | None = None,
    blur: float | None = None,
    motion: tuple[float, float] | None = None,
    iterations: int = 30,
    device: "str | torch.device" = "auto",
    progress: Progress | None = None,
) -> Restored:
    """Make a picture larger, cleaner or sharper.

    Args:
        picture: whatever `unpool.read` takes: grey or RGB, with or without alpha, 8 or 16 bits.
        scale: factor of enlargement; None keeps the size (4 for the tasks `sr` and `photo`).
        task: `sr` (clean but small), `photo` (small and damaged), `denoise`, `jpeg`, `deblur`; `auto` estimates what is
            wrong and mends that, and enlarges after it where `scale` is above 1.
        model: instead of a task, a model's name, a weight file, or any module that maps (N, 3, H, W) in [0, 1] to
            (N, 3, s * H, s * W); it runs in tiles.
        method: `network`, or a classical peer: `bicubic`, `lanczos` (with `scale`), `wiener`, `richardson-lucy` (with
            `blur` or `motion`), `nlm`, `bm3d` (with `sigma`).
        strength: 0 is faithful, the least squared error; up to 1 is crisper, and further from the truth.
        sigma: the noise's standard deviation on 0..255, for classical methods.
        blur: sigma of a Gaussian blur in pixels. motion: (length in pixels, angle in degrees) of a motion blur.
        iterations: of Richardson-Lucy.
        device: "auto", "cpu" or "cuda".
        progress: called with (done, all) after each band of the picture.

    Raises:
        PictureError: the picture cannot be read.
        ModelError: no such model, or one that does not fit what was asked.
        UnpoolError: settings that a method needs are missing or out of range.
    """
    started = time.perf_counter()
    wish = Wish(scale, task, model, method, strength, sigma, blur, motion, iterations, device)
    known = read(picture)
    plan = make_plan(wish, known, picture if isinstance(picture, str | Path | bytes) else None)
    result = known
    for step in plan.steps:
        result = assembled(step.bands(result, strength, progress), result, step.scale)
    return Restored(result, plan.names, plan.found, time.perf_counter() - started, known)


def restore_file(
    source: str | Path,
    out: str | Path,
    *,
    max_pixels: int = MAX_PIXELS,
    keep_location: bool = False,
    quality: int | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Plan:
    """Restore one file into another, options as for `restore`; PNG and large TIFF are written row by row.

    The result never is in memory as a whole where it is written row by row. Returns what was done.
    """
    wish = Wish(**options)
    known = read(source, max_pixels=max_pixels, keep_location=keep_location)
    if not format_of_suffix(out).alpha:
        known = known.without_idle_alpha()
    plan = make_plan(wish, known, source)
    height, width = plan.size(known)
    check_output(out, height=height, width=width, alpha=known.alpha is not None)
    if not plan.steps:
        write(known, out, quality=quality)
        return plan
    for step in plan.steps[:-1]:
        known = assembled(step.bands(known, wish.strength), known, step.scale)
    bands = plan.steps[-1].bands(known, wish.strength, progress)
    if stream.streams(out, height * width):
        stream.write_bands(out, bands, height=height, width=width, like=known)
    else:
        write(assembled(bands, known, plan.steps[-1].scale), out, quality=quality)
    return plan
