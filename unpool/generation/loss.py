"""What generators are trained for: a relativistic critic with gradient penalties, and a variational start."""

import torch
import torch.nn.functional as F
from torch import Tensor


def critic_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Scores (N,) of real and generated pictures -> (): the critic wants each real one above its generated partner.

    The relativistic pairing loss (Jolicoeur-Martineau 2018; Huang et al. 2024, "R3GAN"), which unlike the classic one
    has no minimum in which the generator drops modes.
    """
    return F.softplus(fake - real).mean()


def generator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Scores (N,) of real and generated pictures -> (): the generator wants the opposite of the critic."""
    return F.softplus(real - fake).mean()


def gradient_penalty(scores: Tensor, pictures: Tensor) -> Tensor:
    """Mean over pictures of the squared norm of the score's gradient, ().

    On real pictures it is R1, on generated ones R2 (Mescheder et al. 2018; Roth et al. 2017); both together make
    training with `critic_loss` converge.

    scores: (N,), computed from `pictures` (N, ...), which require gradients.
    """
    (gradient,) = torch.autograd.grad(scores.sum(), pictures, create_graph=True)
    return gradient.square().flatten(1).sum(1).mean()


def log_spectrum(pictures: Tensor) -> Tensor:
    """The logarithm of the mean power spectrum of pictures (N, C, H, W) under a Hann window, (C, H, W // 2 + 1).

    Generators learn it poorly by themselves: what upsampling leaves stands out in it, and blur is missing from it
    (Durall, Keuper and Keuper 2020).
    """
    values = pictures.float()
    values = values - values.mean((2, 3), keepdim=True)
    height, width = (torch.hann_window(extent, device=values.device) for extent in values.shape[2:])
    power = torch.fft.rfft2(values * height[:, None] * width).abs().square().mean(0)
    return power.clamp(min=1e-6).log()


def evidence_bound(picture: Tensor, answer: Tensor, mean: Tensor, log_variance: Tensor, sigma: float) -> Tensor:
    """The negative evidence lower bound of a variational autoencoder (Kingma and Welling 2013), in nats a value, ().

    picture, answer: (N, ...), the picture and its reconstruction, whose noise is Gaussian with deviation `sigma`.
    mean, log_variance: (N, latent) of the approximate posterior.
    """
    misfit = (picture - answer).square().flatten(1).sum(1) / (2 * sigma**2)
    divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
    return (misfit + divergence).mean() / picture[0].numel()
