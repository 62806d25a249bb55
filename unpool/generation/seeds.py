"""Where a generator's latents come from: one seed each, so that a seed makes the same alone and among others."""

import torch
from torch import Tensor

from unpool.errors import UnpoolError

_MOST = 2**63 - 1  # what a generator of random numbers is seeded with


def drawn(numbers: int, n: int, seed: int) -> Tensor:
    """Latents (n, numbers), standard normal, of the seeds `seed` to `seed + n - 1`.

    Raises:
        UnpoolError: no latent is asked for, or a seed is negative or above 2^63 - 1.
    """
    if n < 1:
        raise UnpoolError(f"n is how many are made, at least 1, not {n}")
    if not 0 <= seed <= _MOST - n:
        raise UnpoolError(f"a seed lies between 0 and 2^63, not at {seed}")
    return torch.stack([torch.randn(numbers, generator=torch.Generator().manual_seed(seed + i)) for i in range(n)])
