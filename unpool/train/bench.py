"""`unpool bench train`: what the loop costs over a bare one, whether it waits for data, and the classics' figures."""

import csv
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from unpool.nn.conv import conv
from unpool.nn.deconv import Upsample
from unpool.train.classics import figures as classic_figures
from unpool.train.data.photos import crop, photos
from unpool.train.loop import train
from unpool.train.recipe import Budget, Optimiser, Recipe
from unpool.train.task import Loss, Options, Task
from unpool.zoo.measure import macs, parameters

_BATCH = 8
_BLOCK = 5  # steps of one loop before the other takes its turn
_WAIT_STEPS = 50  # the loop logs its share of waiting every so many steps


def bench(*, quick: bool, data: Path | None, report: Callable[[str], None]) -> dict[str, Any]:
    """Overhead, waiting, resuming, and the classic networks on their test data.

    Returns `overhead_percent`, `data_wait_percent`, `resume_seconds`, `fashion_accuracy`, and tables.
    """
    with tempfile.TemporaryDirectory() as folder:
        report("the loop beside a bare one")
        overhead = _overhead(Path(folder), 10 if quick else 40, data)
        report("waiting for data, and resuming")
        waiting = _waiting(Path(folder), data)
    report("the classic networks on test data")
    classics = classic_figures(data, report)
    accuracy = classics.get("classic/cnn-classifier", {}).get("accuracy")
    return {**overhead, **waiting, "fashion_accuracy": accuracy, "classics": classics}


class Seconds(NamedTuple):
    """By the clock, and of processor time in this process."""

    clock: float
    processor: float


def _now() -> Seconds:
    return Seconds(time.perf_counter(), time.process_time())


def _since(began: Seconds) -> Seconds:
    now = _now()
    return Seconds(now.clock - began.clock, now.processor - began.processor)


class _Crops:
    """Squares of training photographs."""

    def __init__(self, side: int, data: Path | None) -> None:
        self.pack, self.side = photos(data), side
        self.indices = self.pack.where(part="train")

    def __len__(self) -> int:
        return len(self.indices)

    def name(self, index: int) -> str:
        return self.pack.names[self.indices[index]]

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Tensor]:
        samples = crop(self.pack[self.indices[index]], self.side, rng)
        return {"picture": torch.from_numpy(samples).permute(2, 0, 1).float() / 255}


def _network() -> nn.Module:
    relu = 2**0.5
    return nn.Sequential(
        conv(in_channels=3, out_channels=32, stride=2, gain=relu),
        nn.ReLU(),
        conv(in_channels=32, out_channels=64, stride=2, gain=relu),
        nn.ReLU(),
        Upsample(in_channels=64, out_channels=32, gain=relu),
        nn.ReLU(),
        Upsample(in_channels=32, out_channels=3),
    )


class MeasuredOptions(Options):
    """Side of the crops, and whether a bare loop takes turns."""

    side: int
    turns: bool = False


class Measured(Task):
    """A small autoencoder on crops that notes when its steps begin, and lets a bare loop take turns with the loop."""

    Options: ClassVar[type[Options]] = MeasuredOptions
    first_step: ClassVar[float] = 0.0
    ours: ClassVar[list[Seconds]] = []
    bare: ClassVar[list[Seconds]] = []

    def __init__(self, options: MeasuredOptions, data: Path | None = None) -> None:
        super().__init__(options, data)
        self.networks = {"network": _network()}
        self.optimisers = {"network": ["network"]}
        self.crops = _Crops(options.side, data)
        self.bare_loop = _bare_loop(self.crops) if options.turns else None
        self.began: Seconds | None = None
        type(self).first_step = 0.0

    def dataset(self) -> _Crops:
        """The crops."""
        return self.crops

    def losses(self, batch: dict[str, Tensor], step: int, generator: torch.Generator) -> Iterator[Loss]:
        """The mean squared error."""
        type(self).first_step = type(self).first_step or time.perf_counter()
        if self.bare_loop is not None and step % _BLOCK == 0:
            if self.began is not None:
                self.ours.append(_since(self.began))
                self.bare.append(next(self.bare_loop))
            self.began = _now()
        picture = batch["picture"]
        yield Loss("network", (self.networks["network"](picture) - picture).square().mean())


def _bare_loop(crops: _Crops) -> Iterator[Seconds]:
    """The loop one would write by hand, with the same network, data and optimiser; yields seconds of each block."""

    class Plain(TorchDataset):
        def __len__(self) -> int:
            return len(crops)

        def __getitem__(self, index: int) -> Tensor:
            return crops.sample(index, rng)["picture"]

    rng = np.random.default_rng(0)
    network: Any = _network()
    network = network.to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3)
    done, began = 0, _now()
    while True:
        for picture in DataLoader(Plain(), batch_size=_BATCH, shuffle=True):
            picture = picture.contiguous(memory_format=torch.channels_last)
            loss = (network(picture) - picture).square().mean()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            done += 1
            if done % _BLOCK == 0:
                yield _since(began)
                began = _now()


def _recipe(**options: Any) -> Recipe:
    return Recipe(
        name="bench/measured",
        task="unpool.train.bench:Measured",
        options=options,
        batch=_BATCH,
        workers=0 if options.get("turns") else None,
        optimiser=Optimiser(),
        evaluate_every=1e9,
        budget={"cpu": Budget(steps=1), "gpu": Budget(steps=1)},
    )


def _overhead(folder: Path, blocks: int, data: Path | None) -> dict[str, Any]:
    """Both loops in turns of a few steps, in one process, so that a busy moment of the machine falls on both."""
    Measured.ours.clear()
    Measured.bare.clear()
    train(_recipe(side=128, turns=True), folder / "turns", data=data, steps=_BLOCK * (blocks + 2), device="cpu")
    pairs = list(zip(Measured.ours, Measured.bare))[1:]  # the first turn warms up
    paces = [(_BLOCK * _BATCH / ours.clock, _BLOCK * _BATCH / bare.clock) for ours, bare in pairs]
    rows = {}
    for number, name in enumerate(("unpool train", "bare loop")):
        values = [pair[number] for pair in paces]
        rows[name] = {"median": statistics.median(values), "low": min(values), "high": max(values)}
    by_clock = [100 * (ours.clock / bare.clock - 1) for ours, bare in pairs]
    by_processor = [100 * (ours.processor / bare.processor - 1) for ours, bare in pairs]
    return {
        "overhead_percent": statistics.median(by_clock),
        "overhead_percent_low": min(by_clock),
        "overhead_percent_high": max(by_clock),
        "overhead_percent_processor_time": statistics.median(by_processor),
        "pictures_per_second": rows,
        "network": {
            "side": 128,
            "parameters": parameters(_network()),
            "macs": macs(_network(), torch.zeros(1, 3, 128, 128)),
        },
    }


def _waiting(folder: Path, data: Path | None) -> dict[str, Any]:
    """A run on crops of 256 pixels with its loader process, and the seconds from asking to resume to the first step."""
    run = folder / "waiting"
    train(_recipe(side=256), run, data=data, steps=_WAIT_STEPS, device="cpu")
    with (run / "curve.csv").open(newline="", encoding="utf-8") as file:
        waits = [float(row["value"]) for row in csv.DictReader(file) if row["name"] == "data_wait"]
    asked = time.perf_counter()
    train(_recipe(side=256), run, data=data, steps=_WAIT_STEPS + 1, device="cpu", resume=True)
    return {"data_wait_percent": 100 * waits[-1], "resume_seconds": Measured.first_step - asked}
