"""What the codec is trained for: bits per pixel plus lambda times the squared error, at every lambda at once."""

from dataclasses import dataclass

import torch
from torch import Tensor

from unpool.codec.model import QUALITY_HIGH, QUALITY_LOW, rate_weight

BALANCE = 0.35  # the cost grows about like lambda**0.35; without this the fine qualities would own the gradient
LAMBDA_MIDDLE = 0.01


@dataclass(frozen=True)
class RateDistortion:
    """Means over the batch of one pass; `cost` is what is minimised, the rest is for the log."""

    cost: Tensor
    bits_per_pixel: Tensor
    psnr: Tensor


def rate_distortion(output: dict[str, Tensor], picture: Tensor, quality: Tensor) -> RateDistortion:
    """`R + lambda * D`, weighted so that every quality counts alike.

    Args:
        output: of `Codec.forward`.
        picture: (N, 3, H, W) in [0, 1].
        quality: (N,) in 1..100; lambda follows from it.
    """
    weight = rate_weight(quality)
    pixels = picture.shape[-1] * picture.shape[-2]
    rate = (output["latent_bits"] + output["hyper_bits"]) / pixels
    error = (output["picture"].float() - picture).square().mean((1, 2, 3))
    balance = (weight / LAMBDA_MIDDLE) ** -BALANCE
    cost = balance * (rate + weight * 255.0**2 * error)
    return RateDistortion(cost.mean(), rate.mean(), (-10 * torch.log10(error.clamp_min(1e-10))).mean())


def spread_qualities(count: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """`count` random qualities, one from each of as many equal parts of 1..100: every batch covers the range."""
    place = torch.arange(count, device=device) + torch.rand(count, generator=generator, device=device)
    return QUALITY_LOW + (QUALITY_HIGH - QUALITY_LOW) * place / count
