"""What the experiments share: a recipe trained for a moment, on a share of its pictures; garments unpacked once."""

import gzip
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from unpool.images.metrics import psnr_rgb
from unpool.train.data.fashion import FashionSamples
from unpool.train.data.find import find
from unpool.train.loop import train
from unpool.train.recipe import Recipe, load
from unpool.train.task import Dataset, Loss, Options, Task
from unpool.zoo.weights import load_module

FASHION = "fashion-mnist"
SMALL = "code: 32, widths: [8, 16, 32], strides: [2, 2, 2], blocks: 0, squeeze: 16"  # a convolutional autoencoder


class Some:
    """The samples of a data set that come from a share of its pictures, chosen by lot; a smaller share is a part of
    every larger one."""

    def __init__(self, whole: Dataset, share: float) -> None:
        self.whole = whole
        names = [whole.name(index) for index in range(len(whole))]
        known = list(dict.fromkeys(names))
        drawn = np.random.default_rng(0).permutation(len(known))[: max(1, round(share * len(known)))]
        kept = {known[number] for number in drawn}
        self.indices = [index for index, name in enumerate(names) if name in kept]
        self.pictures = len(kept)

    def __len__(self) -> int:
        return len(self.indices)

    def name(self, index: int) -> str:
        """The picture's name in the whole set."""
        return self.whole.name(self.indices[index])

    def sample(self, index: int, rng: np.random.Generator) -> Any:
        """One sample of the whole set."""
        return self.whole.sample(self.indices[index], rng)


class PortionOptions(Options):
    """Whose task, and the share of its training pictures."""

    recipe: str
    settings: list[str] = []
    share: float = Field(1.0, gt=0, le=1)


class Portion(Task):
    """A recipe's task that sees a share of the training pictures; everything else is that task's own."""

    Options: ClassVar[type[Options]] = PortionOptions

    def __init__(self, options: PortionOptions, data: Path | None = None) -> None:
        super().__init__(options, data)
        self.inner = load(options.recipe, options.settings).make_task(data)
        self.networks, self.optimisers = self.inner.networks, self.inner.optimisers
        self.some = Some(self.inner.dataset(), options.share)

    def dataset(self) -> Some:
        """The chosen share."""
        return self.some

    def losses(self, batch: dict[str, Tensor], step: int, generator: torch.Generator) -> Iterator[Loss]:
        """The inner task's."""
        return self.inner.losses(batch, step, generator)

    def evaluate(self) -> dict[str, float]:
        """The inner task's, and how many pictures trained."""
        return self.inner.evaluate() | {"pictures": float(self.some.pictures)}

    def export(self) -> nn.Module:
        """The inner task's."""
        return self.inner.export()

    def record(self) -> dict[str, Any]:
        """The inner task's."""
        return self.inner.record()


def plan(recipe: str, settings: Sequence[str] = (), *, share: float | None = None) -> Recipe:
    """A recipe for a short run: no averages of weights, figures taken at the end alone, data in the same process."""
    made = load(recipe, [*settings, "ema=null", "best=null", "evaluate_every=1000000", "workers=0"])
    if share is None:
        return made
    options = {"recipe": recipe, "settings": list(settings), "share": share}
    return made.model_copy(update={"task": f"{__name__}:Portion", "options": options})


class Run(NamedTuple):
    """A network trained on the spot, its task's figures, and the steps it took."""

    network: nn.Module
    figures: dict[str, float]
    steps: int


def trained(
    recipe: Recipe, data: Path | None, *, steps: int | None = None, seconds: float | None = None, seed: int = 0
) -> Run:
    """Train for so many steps or seconds, on the processor."""
    with tempfile.TemporaryDirectory() as folder:
        minutes = seconds / 60 if seconds else None
        seeded = recipe.model_copy(update={"seed": seed})
        figures = train(seeded, Path(folder), data=data, steps=steps, minutes=minutes, device="cpu")
        network, record = load_module(next(Path(folder).glob("*.safetensors")))
    return Run(network, figures, record.budget.steps or 0)


def unpacked(data: Path | None, folder: Path) -> Path:
    """`folder` with Fashion-MNIST in it, not gzipped: some hundred runs need not unpack it each."""
    source, target = find(FASHION, data), folder / FASHION
    target.mkdir()
    for path in source.glob("*-ubyte*"):
        raw = path.read_bytes()
        (target / path.stem if path.suffix == ".gz" else target / path.name).write_bytes(
            gzip.decompress(raw) if path.suffix == ".gz" else raw
        )
    return folder


def garments(part: str, data: Path | None, most: int | None = None) -> Tensor:
    """The first pictures of a part of Fashion-MNIST, (N, 1, 28, 28) in [0, 1]."""
    samples = FashionSamples(part, data)
    return torch.from_numpy(samples.batch(0, min(most or len(samples), len(samples))))


@torch.inference_mode()
def decibels(network: nn.Module, seen: Tensor, wanted: Tensor | None = None) -> Tensor:
    """PSNR (N,) of what a network makes of pictures, clamped; `wanted`: what it was to make, else the same."""
    wanted = seen if wanted is None else wanted
    values = []
    for piece, right in zip(seen.split(100), wanted.split(100)):
        made = network(piece)
        values.append(psnr_rgb((made[0] if isinstance(made, tuple) else made).clamp(0, 1), right))
    return torch.cat(values)
