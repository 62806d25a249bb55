"""What the wing's networks are trained for."""

import torch
from torch import Tensor
from torch.nn import functional as F


def identity_loss(logits: Tensor, people: Tensor) -> Tensor:
    """Cross-entropy with a tenth of the weight spread over all people (few pictures each: it keeps the net modest)."""
    return F.cross_entropy(logits, people, label_smoothing=0.1)


def inversion_loss(drawn: Tensor, picture: Tensor) -> Tensor:
    """Charbonnier distance of pictures (N, 3, H, W), and of their horizontal and vertical differences.

    Squared error alone, as Dosovitskiy and Brox took it, draws the mean of all fitting pictures; the differences keep
    edges.
    """
    near = torch.sqrt((drawn - picture) ** 2 + 1e-4).mean()
    return near + sum(_edges(drawn - picture, axis) for axis in (2, 3))


def _edges(difference: Tensor, axis: int) -> Tensor:
    return torch.sqrt(difference.diff(dim=axis) ** 2 + 1e-4).mean()
