"""What restorers are trained for."""

import torch
from torch import Tensor


def charbonnier(restored: Tensor, target: Tensor, softness: float = 1e-3) -> Tensor:
    """Mean of sqrt(difference^2 + softness^2): absolute error with a round bottom (Lai et al. 2017). A scalar.

    >>> float(charbonnier(torch.zeros(4), torch.ones(4)).round(decimals=3))
    1.0
    """
    return torch.sqrt((restored - target).square() + softness**2).mean()
