"""How far to trust a map: does it depend on what the network learned, and do its hot pixels carry the answer?

Three numbers for a map, each from the network itself: the randomisation score (Adebayo et al. 2018) and the areas under
the insertion and deletion curves (Petsiuk et al. 2018).
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor, nn

from unpool.errors import ModelError
from unpool.explanation.methods import METHODS
from unpool.explanation.rendering import heat, smooth
from unpool.explanation.run import Run
from unpool.explanation.targets import Class, Target

STEPS = 50
STAGES = 4
_BATCH = 4  # small enough for a cache, and as fast as any on a processor
_BLUR = 1 / 14  # sigma of the blurred baseline, as a share of the shorter side: nothing is left to recognise


@dataclass(frozen=True)
class Honesty:
    """What the tests say about one map.

    Attributes:
        randomisation: mean over the stages of Spearman's rank correlation between the absolute map and the one of the
            network whose weights were shuffled, from the last layer down. Near 0: the map shows what was learned.
            Near 1: it would look the same had the network learned nothing.
        insertion: mean score while the hottest pixels come first into a blurred picture, 0 to 1 of the picture's own
            score for scores, a probability for classes. High: the hot pixels carry the answer.
        deletion: the same while the hottest pixels are blurred first. Low: without them the answer is gone.
        stages: the correlation at each stage: the last quarter of the layers shuffled, half, three quarters, all.
        insertion_curve, deletion_curve: the scores after each step, the unchanged start first.
    """

    randomisation: float
    insertion: float
    deletion: float
    stages: list[float] = field(repr=False)
    insertion_curve: list[float] = field(repr=False)
    deletion_curve: list[float] = field(repr=False)


def judged(
    twin: nn.Module,
    shuffled: list[nn.Module],
    x: Tensor,
    map_: Tensor,
    target: Target,
    layer: str | None,
    method: str,
    options: dict[str, Any],
    steps: int = STEPS,
) -> Honesty:
    """Judge one map (C, H, W) of one picture x (1, C, H, W); `shuffled` are the twins of `randomised`."""
    stages = []
    for other in shuffled:
        run = Run(other, x, [target], None if layer is None else other.get_submodule(layer))
        stages.append(spearman(map_.abs(), METHODS[method](run, **options)[0][0].abs()))
    found = None if layer is None or not target.on_layer else twin.get_submodule(layer)
    run = Run(twin, x, [target], found)
    inserted, deleted = curves(run, map_, steps)
    return Honesty(
        randomisation=float(np.mean(stages)) if stages else float("nan"),
        insertion=_area(inserted),
        deletion=_area(deleted),
        stages=stages,
        insertion_curve=inserted,
        deletion_curve=deleted,
    )


def randomised(twins: list[nn.Module], seed: int = 0) -> list[nn.Module]:
    """Shuffle the entries of every weight of each twin's last layers: of the first twin the fewest, of the last all.

    Shuffling keeps each weight's distribution, so that signals neither vanish nor explode.
    """
    generator = torch.Generator().manual_seed(seed)
    for stage, twin in enumerate(twins, 1):
        holders = [module for module in twin.modules() if any(p is not None for p in module._parameters.values())]
        count = max(1, round(len(holders) * stage / len(twins)))
        for module in holders[len(holders) - count :]:
            for name, parameter in module._parameters.items():
                if parameter is not None:
                    order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
                    mixed = parameter.detach().flatten()[order].view_as(parameter)
                    module._parameters[name] = nn.Parameter(mixed, requires_grad=False)
    return twins


def spearman(a: Tensor, b: Tensor) -> float:
    """Spearman's rank correlation of two maps, equal values sharing their mean rank; 0 where one of them is
    constant."""
    ranks = [rankdata(map_.detach().cpu().double().numpy().ravel()) for map_ in (a, b)]
    if min(float(np.ptp(rank)) for rank in ranks) == 0:
        return 0.0
    return float(np.corrcoef(*ranks)[0, 1])


def curves(run: Run, map_: Tensor, steps: int = STEPS) -> tuple[list[float], list[float]]:
    """Insertion and deletion: the target's score after each of `steps` equal shares of the pixels, hottest first."""
    if steps < 1:
        raise ModelError(f"steps is {steps}: give at least 1")
    x = run.x
    if map_.shape[-2:] != x.shape[-2:]:
        raise ModelError(f"a map of {tuple(map_.shape[-2:])} does not fit a picture of {tuple(x.shape[-2:])}")
    blurred = smooth(x, max(1.0, min(x.shape[-2:]) * _BLUR))
    order = heat(map_, ceiling=False).flatten().argsort(descending=True, stable=True)
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order), device=order.device)
    edges = torch.linspace(0, len(order), steps + 1, device=rank.device).round()
    inserted = [(rank < edge).view(x.shape[-2:]) for edge in edges]
    scores = {}
    for name, (hot, cold) in {"insertion": (x, blurred), "deletion": (blurred, x)}.items():
        values: list[float] = []
        for begin in range(0, len(inserted), _BATCH):
            masks = torch.stack(inserted[begin : begin + _BATCH])[:, None]
            values += _scores(run, torch.where(masks, hot, cold).contiguous(memory_format=torch.channels_last))
        scores[name] = values
    if not _is_probability(run.targets[0]):
        # Relative to the whole picture's own score, above the blurred one's.
        low, high = scores["insertion"][0], scores["insertion"][-1]
        span = high - low if high != low else 1.0
        scores = {name: [(value - low) / span for value in values] for name, values in scores.items()}
    return scores["insertion"], scores["deletion"]


def _is_probability(target: Target) -> bool:
    return isinstance(target, Class)


def _scores(run: Run, pictures: Tensor) -> list[float]:
    target = run.targets[0]
    if not isinstance(target, Class) or not isinstance(target.index, int):
        return run.score(pictures, [target])[0].tolist()
    probe = Run(run.twin, pictures, [])
    probe.look()
    if probe.output is None or probe.output.ndim != 2:
        return run.score(pictures, [target])[0].tolist()
    return probe.output.float().softmax(1)[:, target.index].tolist()


def _area(curve: list[float]) -> float:
    """By trapezoids, over a width of one."""
    return float(np.trapezoid(curve, dx=1 / max(1, len(curve) - 1)))
