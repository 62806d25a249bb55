"""Does training hold? Four activations times four losses on one small autoencoder of Fashion-MNIST."""

import itertools
import math
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from unpool.autoencoders.model import Autoencoder, Pass
from unpool.errors import DataError, ModelError
from unpool.images.metrics import psnr_rgb
from unpool.nn.conv import conv
from unpool.nn.deconv import Upsample
from unpool.questions.portion import garments, plan
from unpool.train.loop import train

# Each with the gain that is customary for it: what it does to the spread of its input (torch.nn.init.calculate_gain).
ACTIVATIONS: dict[str, tuple[type[nn.Module], float]] = {
    "sigmoid": (nn.Sigmoid, 1.0),
    "tanh": (nn.Tanh, 5 / 3),
    "relu": (nn.ReLU, 2**0.5),
    "gelu": (nn.GELU, 2**0.5),
}
LOSSES = {"mse": "{mse: 1}", "l1": "{}", "cross-entropy": "{cross-entropy: 1}", "ssim": "{structural: 1}"}
RATE = 5.0e-3  # two to three times what recipes take: where training is calm, nothing is to be learnt
_HELD_OUT = 1000


class Probe(Autoencoder):
    """Three convolutions to a code, three deconvolutions back, one activation throughout, a sigmoid at the end.

    28x28 grey pictures; the same shape whatever the activation. absolute: trained for the mean absolute error.
    """

    def __init__(
        self, *, activation: str, absolute: bool = False, code: int = 32, size: object = None, channels: int = 1
    ) -> None:
        nn.Module.__init__(self)
        self.size, self.channels, self.code, self.grid, self.absolute = (28, 28), 1, code, 0, absolute
        kind, gain = ACTIVATIONS[activation]
        self.encoder = nn.Sequential(
            conv(in_channels=1, out_channels=8, stride=2, gain=gain),
            kind(),
            conv(in_channels=8, out_channels=16, stride=2, gain=gain),
            kind(),
            conv(in_channels=16, out_channels=16, gain=gain),
            kind(),
            nn.Flatten(),
            nn.Linear(16 * 7 * 7, code),
        )
        self.decoder = nn.Sequential(  # type: ignore[assignment]
            nn.Linear(code, 16 * 7 * 7),
            nn.Unflatten(1, (16, 7, 7)),
            kind(),
            Upsample(in_channels=16, out_channels=16, gain=gain),
            kind(),
            Upsample(in_channels=16, out_channels=8, gain=gain),
            kind(),
            conv(in_channels=8, out_channels=1),
            nn.Sigmoid(),
        )

    def decode(self, code: Tensor) -> Tensor:
        """Code (N, code) -> picture (N, 1, 28, 28)."""
        return self.decoder(code)

    def training_pass(self, picture: Tensor, generator: torch.Generator, label: Tensor | None = None) -> Pass:
        """As any member of the family; the absolute error, which the family's task does not offer, as a penalty."""
        made = super().training_pass(picture, generator, label)
        if self.absolute:
            made.penalties = {"l1": (made.reconstruction - picture).abs().mean()}
        return made


def stability(
    data: Path | None,
    report: Callable[[str], None],
    *,
    steps: int,
    seeds: int,
    activations: tuple[str, ...] = tuple(ACTIVATIONS),
    losses: tuple[str, ...] = tuple(LOSSES),
    rate: float = RATE,
) -> dict[str, Any]:
    """A table with a row for each activation and loss, and how many runs diverged.

    A run has diverged where a loss or weight was not finite, or where the network is at last no better on held-out
    pictures than one picture for all: the mean of the training pictures.
    """
    floor = plain_psnr(data)
    rows = []
    for activation, loss in itertools.product(activations, losses):
        report(f"{activation}, {loss}")
        found = [_psnr(activation, loss, seed, steps, rate, data) for seed in range(seeds)]
        rows.append({"activation": activation, "loss": loss} | summary(found, floor))
    runs = seeds * len(rows)
    known = [row["psnr"] for row in rows if row["psnr"] is not None]
    return {
        "stability_runs": runs,
        "stability_diverged": sum(row["diverged"] * seeds for row in rows) / runs,
        "stability_psnr_best": max(known, default=None),
        "stability_psnr_worst": min(known, default=None),
        "stability_psnr_of_the_mean_picture": floor,
        "stability": rows,
    }


def summary(found: list[float], floor: float) -> dict[str, Any]:
    """Of runs' PSNR (nan where a loss or weight was not finite): share that diverged, mean and spread of the others.

    >>> summary([20.0, float("nan"), 9.0, 22.0], floor=10.0)
    {'diverged': 0.5, 'not_finite': 0.25, 'psnr': 21.0, 'spread': 2.0}
    """
    good = [value for value in found if value > floor]
    return {
        "diverged": 1 - len(good) / len(found),
        "not_finite": sum(not math.isfinite(value) for value in found) / len(found),
        "psnr": statistics.fmean(good) if good else None,
        "spread": max(good) - min(good) if good else None,
    }


def plain_psnr(data: Path | None) -> float:
    """PSNR of the training pictures' mean for each held-out picture."""
    held_out = garments("validation", data, _HELD_OUT)
    mean = garments("train", data).mean(0, keepdim=True)
    return float(psnr_rgb(mean.expand_as(held_out), held_out).mean())


def _psnr(activation: str, loss: str, seed: int, steps: int, rate: float, data: Path | None) -> float:
    """Held-out PSNR after training; nan where a loss or weight was not finite."""
    absolute = str(loss == "l1").lower()
    settings = [
        f"kind={__name__}:Probe",
        f"network={{activation: {activation}, absolute: {absolute}}}",
        f"reconstruction={LOSSES[loss]}",
        f"optimiser={{lr: {rate}, schedule: cosine, warmup: 0}}",
        "clip=null",
    ]
    recipe = plan("autoencoders/fashion", settings).model_copy(update={"seed": seed})
    with tempfile.TemporaryDirectory() as folder:
        try:
            return train(recipe, Path(folder), data=data, steps=steps, device="cpu")["psnr"]
        except (DataError, ModelError):  # a loss or a weight: that the data are here, the mean picture has shown
            return math.nan
