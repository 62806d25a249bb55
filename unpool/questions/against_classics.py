"""The documents' networks against ours, at as many weights and at as many seconds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unpool.nn.checkerboard import checkerboard_energy
from unpool.questions.portion import SMALL, Run, decibels, garments, plan, trained
from unpool.zoo.measure import macs, parameters

CLASSIC = "dense, the documents' 128-64-32"
# The widths of the first two make as many weights as the classic one has, to half a percent.
OURS = {
    "convolutional": "code: 32, widths: [24, 56, 112], strides: [2, 2, 2], blocks: 0, squeeze: 24",
    "convolutional, from PCA": "code: 32, widths: [24, 54, 109], strides: [2, 2, 2], blocks: 0, squeeze: 24, grid: 14",
    "convolutional, small": SMALL,
}
UPSAMPLERS = {
    "deconv-plain": "plain transposed convolution",
    "deconv": "ours: kernels of equal sums",
    "resize": "nearest neighbour and convolution",
    "shuffle": "pixel shuffle",
}
_BATCH = 64
_STRIDE = 8  # three layers of stride 2: the coarsest pattern that upsampling can leave


def against_classics(
    data: Path | None,
    report: Callable[[str], None],
    *,
    steps: int,
    seconds: float,
    ours: tuple[str, ...] = tuple(OURS),
    kinds: tuple[str, ...] = tuple(UPSAMPLERS),
    most: int | None = None,
) -> dict[str, Any]:
    """Two tables: autoencoders of Fashion-MNIST with 32 numbers, and ways of enlarging inside one of them.

    Each is trained twice by its own recipe's optimiser with the same batches: for `steps`, and for `seconds`.
    """
    test = garments("test", data, most)
    recipes = {CLASSIC: plan("classic/dense-autoencoder", [f"batch={_BATCH}"])}
    for name in ours:
        recipes[name] = plan("autoencoders/fashion", [f"batch={_BATCH}", f"network={{{OURS[name]}}}"])
    rows = []
    for name, recipe in recipes.items():
        report(name)
        by_steps, by_time = trained(recipe, data, steps=steps), trained(recipe, data, seconds=seconds)
        rows.append({"network": name} | _figures(by_steps, by_time, test))
    at_steps = {row["network"]: row["psnr_at_equal_steps"] for row in rows}
    at_seconds = {row["network"]: row["psnr_at_equal_seconds"] for row in rows}
    enlarging = []
    for kind in kinds:
        report(f"enlarging by {kind}")
        recipe = plan("autoencoders/fashion", [f"batch={_BATCH}", f"network={{{SMALL}, upsample: {kind}}}"])
        by_steps, by_time = trained(recipe, data, steps=steps), trained(recipe, data, seconds=seconds)
        with torch.inference_mode():
            made, _ = by_steps.network(test[:500])
        enlarging.append(
            {"enlarging": UPSAMPLERS[kind]}
            | _figures(by_steps, by_time, test)
            | {"checkerboards": checkerboard_energy(made, _STRIDE)}
        )
    plain, even = (
        next((r for r in enlarging if r["enlarging"] == UPSAMPLERS[k]), {}) for k in ("deconv-plain", "deconv")
    )
    return {
        "against_steps": steps,
        "against_seconds": seconds,
        "gain_over_classic_at_equal_parameters_db": at_steps[ours[0]] - at_steps[CLASSIC],
        "gain_over_classic_at_equal_seconds_db": max(at_seconds[name] for name in ours) - at_seconds[CLASSIC],
        "gain_over_plain_deconvolution_db": _difference(even, plain, "psnr_at_equal_steps"),
        "against_classics": rows,
        "enlarging": enlarging,
        "checkerboards_of_the_pictures_themselves": checkerboard_energy(test[:500], _STRIDE),
    }


def _difference(ours: dict[str, Any], theirs: dict[str, Any], key: str) -> float | None:
    return ours[key] - theirs[key] if ours and theirs else None


def _figures(by_steps: Run, by_time: Run, test: Tensor) -> dict[str, Any]:
    return {
        "parameters": parameters(by_steps.network),
        "macs": macs(by_steps.network, test[:1]),
        "psnr_at_equal_steps": float(decibels(by_steps.network, test).mean()),
        "psnr_at_equal_seconds": float(decibels(by_time.network, test).mean()),
        "steps_in_these_seconds": by_time.steps,
    }
