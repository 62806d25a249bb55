"""Generalised divisive normalisation (GDN) and its inverse."""

import torch
from torch import Tensor, nn

from unpool.nn.conv import CONVOLVE

_FLOOR = 1e-6


class GDN(nn.Module):
    """Generalised divisive normalisation, (N, C, *size) -> (N, C, *size), in one or two dimensions.

    y_i = x_i / (beta_i + sum_j gamma_ij |x_j|^power)^(1/power), with `inverse` multiplied instead of divided
    (Balle, Laparra and Simoncelli 2016; power 1, which needs no root: Johnston et al. 2019).

    beta > 0 and gamma >= 0 hold by parametrisation: both are squares of the free parameters (beta with a floor of
    1e-6), so no step of an optimiser can leave the region where the formula is defined. Half-precision input is widened
    to float32 for the sum, where its squares would overflow.

    `inverse` is the same formula upside down, as decoders use it: not the exact inverse function of a GDN.
    """

    def __init__(self, *, channels: int, inverse: bool = False, power: int = 2, gamma: float = 0.1) -> None:
        super().__init__()
        if power not in (1, 2):
            raise ValueError(f"power must be 1 or 2, not {power}")
        self.inverse, self.power = inverse, power
        self.root_beta = nn.Parameter(torch.ones(channels))
        # Off the diagonal small but not zero: at zero a square has no gradient.
        self.root_gamma = nn.Parameter(torch.full((channels, channels), 1e-2))
        with torch.no_grad():
            self.root_gamma.fill_diagonal_(gamma**0.5)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, *size) -> (N, C, *size)."""
        with torch.autocast(x.device.type, enabled=False):
            wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
            beta = self.root_beta.to(wide.dtype).square() + _FLOOR
            gamma = self.root_gamma.to(wide.dtype).square().view(*self.root_gamma.shape, *[1] * (x.dim() - 2))
            scale = CONVOLVE[x.dim() - 2](wide.square() if self.power == 2 else wide.abs(), gamma, beta)
            if self.power == 2:
                scale = scale.sqrt()
            return (wide * scale if self.inverse else wide / scale).to(x.dtype)
