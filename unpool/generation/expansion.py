"""A generator as a source of training pictures: few real ones, and as many generated ones as help."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unpool.generation.api import Generation
from unpool.nn.conv import conv

USUAL = "usual augmentation"


def expanded(
    pictures: Tensor,
    labels: Tensor,
    generation: Generation,
    each: int,
    *,
    latents: Tensor | None = None,
    seed: int = 0,
    truncation: float = 0.8,
) -> tuple[Tensor, Tensor]:
    """Pictures (N, C, H, W) and labels (N,), with `each` generated pictures of every label behind them.

    A class-conditional generator is asked for its classes, which are those of `labels`, at `truncation`. One without
    classes makes pictures from between the latents of two of a label's own pictures; `latents` (N, latent) are theirs,
    found by `Generation.invert` where they are not given.
    """
    if generation.classes:
        drawn, turns = generation.latents(each * generation.classes, seed=seed, truncation=truncation)
        assert turns is not None
    else:
        own = generation.invert(pictures, seed=seed)[0] if latents is None else latents
        drawn, turns = _between(own, labels, generation, each, seed)
    return torch.cat([pictures, generation.tensor(drawn, turns)]), torch.cat([labels, turns])


def _between(latents: Tensor, labels: Tensor, generation: Generation, each: int, seed: int) -> tuple[Tensor, Tensor]:
    """`each` latents a label, every one between two of the label's own, and their labels."""
    generator = torch.Generator().manual_seed(seed)
    found, turns = [], labels.unique().repeat_interleave(each)
    for label in turns.tolist():
        own = latents[labels == label]
        one, other = own[torch.randint(0, len(own), (2,), generator=generator)]
        found.append(generation.mix(one, other, float(torch.rand(1, generator=generator))))
    return torch.stack(found), turns


def moved(pictures: Tensor, generator: torch.Generator, reach: int) -> Tensor:
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
    """A classifier that few pictures can train: convolutions of stride 2 down to 8x8 or less, and a linear layer."""

    def __init__(self, channels: int, side: int, classes: int) -> None:
        stages: list[nn.Module] = []
        width = 16
        while side > 8:
            stages += [conv(in_channels=channels, out_channels=width, stride=2, gain=2**0.5), nn.ReLU()]
            channels, width, side = width, 2 * width, -(-side // 2)
        super().__init__(*stages, nn.Flatten(), nn.Dropout(0.3), nn.Linear(channels * side**2, classes))


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
    """Share of `tested` (pictures, labels) that a small classifier names right after training on square pictures.

    real: so many of the first pictures are real; where there are generated ones behind them, half of every batch is.
    """
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network = _Small(pictures.shape[1], pictures.shape[2], int(tested[1].max()) + 1)
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-2)
    half, reach = 32 if len(pictures) > real else 64, pictures.shape[-1] // 14
    for step in range(steps):
        chosen = torch.randint(0, real, (half,), generator=generator)
        if len(pictures) > real:
            chosen = torch.cat([chosen, torch.randint(real, len(pictures), (64 - half,), generator=generator)])
        batch = moved(pictures[chosen], generator, reach) if augment else pictures[chosen]
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
    draw: Callable[[int], tuple[Tensor, Tensor]],
    generation: Generation,
    *,
    latents: Tensor | None = None,
    runs: int = 5,
    steps: int = 300,
) -> dict[str, dict[str, float]]:
    """Accuracies after training on few pictures: without augmentation, with the usual one, with generated ones too.

    Mean and standard deviation over `runs` seeds. Each time `draw(seed)` says which pictures train and which are
    tested (indices). `latents`: see `expanded`.
    """
    found: dict[str, list[float]] = {"nothing": [], USUAL: [], f"{USUAL} and generated": []}
    for seed in range(runs):
        own, others = draw(seed)
        few, names, tested = pictures[own], labels[own], (pictures[others], labels[others])
        known = None if latents is None else latents[own]
        more = expanded(few, names, generation, each=200, latents=known, seed=10_000 * (seed + 1))
        for name, (given, answers), augment in zip(found, ((few, names), (few, names), more), (False, True, True)):
            found[name].append(accuracy(given, answers, tested, real=len(few), augment=augment, steps=steps, seed=seed))
    return {name: {"accuracy": float(np.mean(v)), "deviation": float(np.std(v))} for name, v in found.items()}


def parted(labels: Tensor, each: int, apart: int, seed: int) -> tuple[Tensor, Tensor]:
    """Indices of `each` pictures of every label, and of those behind its first `apart`, in an order drawn by seed."""
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    own = [order[labels[order] == label] for label in labels.unique().tolist()]
    return torch.cat([one[:each] for one in own]), torch.cat([one[apart:] for one in own])
