"""How far a run is, and the learning rate there."""

import math
import time

from unpool.train.recipe import Budget, Optimiser


class Clock:
    """Progress of a run through its budget, steps or minutes, across interruptions.

    Args:
        budget: steps or minutes to spend.
        elapsed: seconds that earlier parts of this run took.
    """

    def __init__(self, budget: Budget, elapsed: float = 0.0) -> None:
        self.budget = budget
        self._start = time.monotonic() - elapsed

    @property
    def elapsed(self) -> float:
        """Seconds since the run began, pauses between its parts left out."""
        return time.monotonic() - self._start

    def progress(self, step: int) -> float:
        """Share of the budget that is spent before `step`, 0 to 1."""
        if self.budget.steps is not None:
            return min(1.0, step / self.budget.steps)
        assert self.budget.minutes is not None
        return min(1.0, self.elapsed / (60 * self.budget.minutes))


def learning_rate(settings: Optimiser, progress: float) -> float:
    """Learning rate at `progress` in [0, 1]: a linear rise over the warm-up, then the schedule.

    `onecycle` rises over 30 % of the budget and falls as a cosine (Smith 2018), whatever the warm-up says.
    """
    warmup = 0.3 if settings.schedule == "onecycle" else settings.warmup
    if progress < warmup:
        # Never zero: the first step would be lost.
        return settings.lr * max(progress / warmup, 0.02)
    if settings.schedule == "constant":
        return settings.lr
    fall = (progress - warmup) / (1 - warmup)
    return settings.lr * (settings.final + (1 - settings.final) * 0.5 * (1 + math.cos(math.pi * fall)))
