"""Parameters of random degradations: a number, or a range that a generator draws from."""

import torch
from torch import Generator

Amount = float | tuple[float, float]


def draw(amount: Amount, generator: Generator) -> float:
    """A number as it is, or one drawn uniformly from a `(low, high)` range."""
    if not isinstance(amount, tuple):
        return float(amount)
    low, high = amount
    return low + (high - low) * float(torch.rand((), generator=generator, device=generator.device))


def draw_index(count: int, generator: Generator) -> int:
    """An index from 0 to count - 1."""
    return int(torch.randint(count, (), generator=generator, device=generator.device))
