"""What the bench trains for itself: peers, autoencoders of every code size, a classifier with and without decoder."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from unpool.autoencoders.api import Coder
from unpool.autoencoders.classification import fashion_tensor
from unpool.autoencoders.family import Supervised
from unpool.errors import DataError
from unpool.train.loop import train
from unpool.train.recipe import load as load_recipe
from unpool.zoo.loading import load

# Minutes for each code size; what a shipped model spends is in its record.
CURVE_MINUTES = 3.0
SHARES = (0.01, 0.1, 1.0)


def trained(recipe: str, data: Path | None, minutes: float | None = None, **options: Any) -> Coder:
    """A model trained on the spot by a recipe; minutes and options (`network` by its keys) in place of the recipe's."""
    plan = load_recipe(recipe)
    network = plan.options.get("network", {}) | options.pop("network", {})
    plan = plan.model_copy(update={"options": plan.options | options | {"network": network}})
    with tempfile.TemporaryDirectory() as folder:
        train(plan, Path(folder), data=data, device="cpu", minutes=minutes)
        written = list(Path(folder).glob("*.safetensors"))
        if not written:
            raise DataError(f"training {recipe} wrote no weights")
        return load(written[0], "cpu")


def of_code_sizes(sizes: Sequence[int], data: Path | None, report: Callable[[str], None]) -> dict[int, Coder]:
    """The autoencoder of faces with codes of each size, every one trained from PCA for `CURVE_MINUTES`."""
    made = {}
    for numbers in sizes:
        report(f"training codes of {numbers} numbers")
        made[numbers] = trained("autoencoders/faces", data, CURVE_MINUTES, network={"code": numbers}, start=None)
    return made


def joint(data: Path | None, report: Callable[[str], None]) -> dict[str, dict[str, float]]:
    """Accuracy on Fashion-MNIST's test pictures of a classifier alone, and of one that also reconstructs.

    Both see the same labelled pictures as often; the second also learns from those without a label.
    """
    pictures, labels = fashion_tensor("test", data)
    table: dict[str, dict[str, float]] = {}
    for share in SHARES:
        row = {}
        for name, weight in (("classifier", 0.0), ("classifier and reconstruction", 1.0)):
            report(f"training a {name} with {share:.0%} of the labels")
            coder = trained("autoencoders/fashion-joint", data, labels=share, reconstruction={"mse": weight})
            row[name] = _accuracy(coder, pictures, labels)
        table[f"{share:.0%} of the labels"] = row
    return table


def _accuracy(coder: Coder, pictures: torch.Tensor, labels: np.ndarray) -> float:
    network = coder.module
    assert isinstance(network, Supervised)
    answers = network.classify(torch.from_numpy(coder.encode(pictures))).argmax(1).numpy()
    return float((answers == labels).mean())
