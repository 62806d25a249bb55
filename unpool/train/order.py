"""Which sample is seen when. Order and augmentation depend on (seed, position) alone, so a run can stop anywhere."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from unpool.errors import DataError
from unpool.train.task import Dataset

_ORDER, _AUGMENTATION, _STEP = 0, 1, 2


class Positions:
    """Endless (position, index) pairs of one process: its slice of every joint batch, from a step onwards.

    The joint batch of R processes is the batch one process would see, cut in R equal slices.
    """

    def __init__(self, length: int, *, seed: int, batch: int, start: int = 0, rank: int = 0, world: int = 1) -> None:
        self.length, self.seed, self.batch, self.start = length, seed, batch, start
        share = batch // world
        self.slice = range(rank * share, (rank + 1) * share)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        step, epoch, order = self.start, -1, np.empty(0, np.int64)
        while True:
            for offset in self.slice:
                position = step * self.batch + offset
                if position // self.length != epoch:
                    epoch = position // self.length
                    order = np.random.default_rng([_ORDER, self.seed, epoch]).permutation(self.length)
                yield position, int(order[position % self.length])
            step += 1


class _Samples(TorchDataset):
    """A task's dataset as torch's loader wants it: each item drawn with the random numbers of its own position.

    One generator is set to each position in turn, which costs a tenth of making one.
    """

    def __init__(self, dataset: Dataset, seed: int) -> None:
        self.dataset = dataset
        self.source = np.random.Philox(key=np.array([seed, _AUGMENTATION], np.uint64))
        self.start = self.source.state
        self.generator = np.random.Generator(self.source)

    def __getitem__(self, item: tuple[int, int]) -> dict[str, Any]:
        position, index = item
        # The first word of the counter is left to the generator, which moves it on as numbers are drawn.
        self.start["state"]["counter"][1] = position
        self.source.state = self.start
        return {"index": index, **self.dataset.sample(index, self.generator)}


def _batched(samples: list[dict[str, Any]]) -> dict[str, Tensor]:
    """Samples of equal shapes and keys, stacked."""
    batch = {}
    for key, first in samples[0].items():
        values = [sample[key] for sample in samples]
        if isinstance(first, Tensor):
            batch[key] = torch.stack(values)
        else:
            batch[key] = torch.from_numpy(np.stack(values))
    return batch


def loader(dataset: Dataset, *, seed: int, batch: int, start: int, workers: int, rank: int, world: int) -> DataLoader:
    """An endless loader of batches (dicts of stacked tensors, with each sample's `index`) from step `start` onwards."""
    if batch % world:
        raise ValueError(f"a batch of {batch} does not divide into {world} processes")
    keywords: dict[str, Any] = {"num_workers": workers, "batch_size": batch // world, "collate_fn": _batched}
    if workers:
        keywords |= {"prefetch_factor": 4, "persistent_workers": True}
    positions = Positions(len(dataset), seed=seed, batch=batch, start=start, rank=rank, world=world)
    # torch's type of a sampler is narrower than what it accepts
    return DataLoader(_Samples(dataset, seed), sampler=positions, **keywords)  # type: ignore[arg-type]


def check_range(batch: Mapping[str, Tensor], ranges: Mapping[str, tuple[float, float]], name: str) -> None:
    """Refuse input outside the range that a network was made for; `name` is a sample of the batch."""
    for key, (low, high) in ranges.items():
        least, most = float(batch[key].min()), float(batch[key].max())
        if not (low <= least and most <= high):
            raise DataError(
                f"{key!r} lies in [{least:.3g}, {most:.3g}] but the network wants [{low:g}, {high:g}]; "
                f"first picture of the batch: {name}"
            )


def step_seed(seed: int, step: int, rank: int = 0) -> int:
    """A 63-bit seed for the randomness inside one step."""
    return int(np.random.default_rng([_STEP, seed, step, rank]).integers(2**63))
