"""A generator as a source of training pictures: few real ones, and as many generated ones as help."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unpool.generation.api import Generation
from unpool.nn.conv import conv

USUAL = "usual augmentation"


def expanded(
    pictures: Tensor, labels: Tensor, generation: Generation, each: int, *, seed: int = 0, truncation: float = 0.8
) -> tuple[Tensor, Tensor]:
    """Pictures (N, C, H, W) and labels (N,), with `each` generated pictures of every class behind them.

    The generator is class-conditional, and its classes are those of `labels`.
    Raises ValueError for one without classes.
    """
    if not generation.classes:
        raise ValueError(f"{generation.record.name} has no classes, so its pictures have no labels")
    latents, turns = generation.latents(each * generation.classes, seed=seed, truncation=truncation)
    assert turns is not None
    made = generation.tensor(latents, turns)
    return torch.cat([pictures, made]), torch.cat([labels, turns])


def moved(pictures: Tensor, generator: torch.Generator, reach: int = 2) -> Tensor:
    """The usual augmentation: each picture (N, C, H, W) shifted by up to `reach` pixels, half of them mirrored."""
    padded = F.pad(pictures, (reach,) * 4)
    n, _, height, width = pictures.shape
    top, left = torch.randint(0, 2 * reach + 1, (2, n, 1), generator=generator)
    rows, columns = top + torch.arange(height), left + torch.arange(width)
    mirrored = torch.rand(n, 1, generator=generator) < 0.5
    columns = torch.where(mirrored, columns.flip(1), columns)
    chosen = padded.permute(0, 2, 3, 1)[torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]
    return chosen.permute(0, 3, 1, 2)


class _Small(nn.Sequential):
    """A classifier that few pictures can train: two convolutions and a linear layer, for 28x28x1."""

    def __init__(self, classes: int) -> None:
        gain = 2**0.5
        super().__init__(
            conv(in_channels=1, out_channels=16, stride=2, gain=gain),
            nn.ReLU(),
            conv(in_channels=16, out_channels=32, stride=2, gain=gain),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(32 * 49, classes),
        )


def accuracy(
    pictures: Tensor,
    labels: Tensor,
    tested: tuple[Tensor, Tensor],
    *,
    real: int,
    augment: bool,
    steps: int = 300,
    seed: int = 0,
) -> float:
    """Share of `tested` (pictures, labels) that a small classifier names right after training on 28x28x1 pictures.

    real: so many of the first pictures are real; where there are generated ones behind them, half of every batch is.
    """
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network = _Small(int(tested[1].max()) + 1)
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-2)
    half = 32 if len(pictures) > real else 64
    for step in range(steps):
        chosen = torch.randint(0, real, (half,), generator=generator)
        if len(pictures) > real:
            chosen = torch.cat([chosen, torch.randint(real, len(pictures), (64 - half,), generator=generator)])
        batch = moved(pictures[chosen], generator) if augment else pictures[chosen]
        optimiser.param_groups[0]["lr"] = 2e-3 * (1 - step / steps)
        optimiser.zero_grad()
        F.cross_entropy(network(batch), labels[chosen]).backward()
        optimiser.step()
    network.eval()
    with torch.no_grad():
        answers = torch.cat([network(part).argmax(1) for part in tested[0].split(1000)])
    return float((answers == tested[1]).float().mean())


def comparison(
    pictures: Tensor,
    labels: Tensor,
    tested: tuple[Tensor, Tensor],
    generation: Generation,
    *,
    each: int,
    runs: int = 5,
    steps: int = 300,
) -> dict[str, dict[str, float]]:
    """Accuracies after training on `each` pictures a class: without augmentation, with the usual one, with generated
    pictures too. Mean and standard deviation over `runs` draws of the training pictures.
    """
    found: dict[str, list[float]] = {"nothing": [], USUAL: [], f"{USUAL} and generated": []}
    for seed in range(runs):
        own = _few(labels, each, seed)
        few, names = pictures[own], labels[own]
        more = expanded(few, names, generation, each=200, seed=10_000 * (seed + 1))
        for name, (given, answers), augment in zip(found, ((few, names), (few, names), more), (False, True, True)):
            found[name].append(accuracy(given, answers, tested, real=len(few), augment=augment, steps=steps, seed=seed))
    return {name: {"accuracy": float(np.mean(v)), "deviation": float(np.std(v))} for name, v in found.items()}


def _few(labels: Tensor, each: int, seed: int) -> Tensor:
    """Indices of `each` pictures of every class, drawn by seed."""
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    chosen: Sequence[Tensor] = [order[labels[order] == c][:each] for c in labels.unique().tolist()]
    return torch.cat(list(chosen))
