"""Codes made better for one picture each, after the encoder, by following the decoder's gradient."""

import torch
from torch import Tensor

from unpool.autoencoders.model import Autoencoder

_STEP = 0.05  # of a code whose numbers have about unit variance


def refined(network: Autoencoder, pictures: Tensor, codes: Tensor, steps: int) -> Tensor:
    """Codes (N, code) after `steps` steps of Adam down each one's own squared error of reconstruction.

    An encoder is a guess, learned for all pictures at once, of the code that fits each best (the amortisation gap;
    Cremer et al. 2018). The decoder stays as it is, so that it decodes the result. A code is never worse than it came.

    pictures: (N, channels, *size) in [0, 1]. codes: float.
    """
    with torch.inference_mode(False), torch.enable_grad():
        pictures = pictures.clone()
        moved = codes.detach().clone().requires_grad_()
        optimiser = torch.optim.Adam([moved], _STEP, betas=(0.8, 0.95))
        best, least = moved.detach().clone(), torch.full((len(codes),), torch.inf, device=codes.device)
        for step in range(steps + 1):
            errors = (network.decode(moved) - pictures).square().flatten(1).mean(1)
            better = errors.detach() < least
            best[better], least = moved.detach()[better], torch.minimum(least, errors.detach())
            if step < steps:
                optimiser.zero_grad()
                errors.sum().backward()
                optimiser.step()
    return best
