"""Sample order: every sample once an epoch, slices of processes make the joint batch, any start is the same run."""

import itertools

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unpool.train.order import Positions, loader, step_seed


def take(positions, count):
    return list(itertools.islice(iter(positions), count))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 30), st.integers(1, 8), st.integers(0, 5), st.integers(0, 9))
def test_a_run_cut_anywhere_goes_on_as_before(length, batch, seed, start):
    whole = take(Positions(length, seed=seed, batch=batch), 12 * batch)
    rest = take(Positions(length, seed=seed, batch=batch, start=start), 3 * batch)
    assert whole[start * batch : (start + 3) * batch] == rest


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 30), st.integers(0, 5))
def test_every_sample_once_an_epoch(length, seed):
    indices = [index for _, index in take(Positions(length, seed=seed, batch=4), 3 * length)]
    for epoch in range(3):
        assert sorted(indices[epoch * length : (epoch + 1) * length]) == list(range(length))


def test_processes_share_the_joint_batch():
    whole = take(Positions(11, seed=1, batch=6), 30)
    parts = [take(Positions(11, seed=1, batch=6, rank=rank, world=3), 10) for rank in range(3)]
    joint = [item for step in range(5) for part in parts for item in part[2 * step : 2 * step + 2]]
    assert joint == whole


def test_step_seeds_differ():
    seeds = {step_seed(seed, step, rank) for seed in range(3) for step in range(50) for rank in range(2)}
    assert len(seeds) == 300


class _Random:
    def __len__(self):
        return 7

    def name(self, index):
        return str(index)

    def sample(self, index, rng):
        return {"x": rng.normal(size=2).astype(np.float32)}


def test_augmentation_depends_on_position_alone():
    batches = [
        next(iter(loader(_Random(), seed=0, batch=4, start=5, workers=workers, rank=0, world=1))) for workers in (0, 1)
    ]
    assert torch.equal(batches[0]["x"], batches[1]["x"])
    other = next(iter(loader(_Random(), seed=1, batch=4, start=5, workers=0, rank=0, world=1)))
    assert not torch.equal(batches[0]["x"], other["x"])
