"""What the face network is trained for: the teacher's view, people kept apart, an honest quality, the clean face."""

import torch
import torch.nn.functional as F
from torch import Tensor


def agreement(taught: Tensor, teacher: Tensor) -> Tensor:
    """Cosine of what the network says and the teacher's unit embedding of the clean face, (N, 128) twice -> (N,)."""
    return (F.normalize(taught) * teacher).sum(1)


def relation_loss(embedding: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference between the similarities of all pairs of faces, as the network and the teacher see them.

    Both are unit vectors, (N, E) and (N, 128); the pairs are those of the batch (Park et al. 2019, "relational").
    """
    return (embedding @ embedding.T - teacher @ teacher.T).square().mean()


def margin_loss(embedding: Tensor, centres: Tensor, person: Tensor, margin: Tensor, scale: float = 32.0) -> Tensor:
    """Cross-entropy over people on the sphere, with an angle added between a face and its own person's centre.

    ArcFace (Deng et al. 2019) whose margin is each face's own, as AdaFace (Kim et al. 2022) makes it, so that a face
    which nobody could recognise is not pressed.

    Args:
        embedding: (N, E), unit length.
        centres: (people, E), any length.
        person: (N,) int64 into the centres; -1 for faces without a name, which count nothing.
        margin: (N,) in radians.
    """
    named = person >= 0
    if not bool(named.any()):
        return embedding.sum() * 0
    cosines = (embedding[named] @ F.normalize(centres).T).clamp(-1 + 1e-6, 1 - 1e-6)
    own = cosines.gather(1, person[named, None])
    angle = torch.acos(own) + margin[named, None]
    pressed = torch.where(angle < torch.pi, torch.cos(angle), own)
    return F.cross_entropy(scale * cosines.scatter(1, person[named, None], pressed), person[named])


def quality_loss(logit: Tensor, worth: Tensor) -> Tensor:
    """Cross-entropy of the quality and what the embedding turned out to be worth, (N,) in [0, 1]; 0 for no face."""
    return F.binary_cross_entropy_with_logits(logit, worth.detach().clamp(0, 1))


def picture_loss(restored: Tensor, clean: Tensor, epsilon: float = 1e-3) -> Tensor:
    """Charbonnier: a smooth absolute difference, mean over (N, 3, H, W)."""
    return (restored - clean).square().add(epsilon**2).sqrt().mean()
