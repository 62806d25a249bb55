"""The family over the one stem: each class says only how it differs."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unpool.autoencoders.model import Autoencoder
from unpool.images.degradations import Degradation, GaussianBlur, GaussianNoise, Occlusion

# Of the scatter within classes towards a multiple of the identity, where Fisher's discriminants start a code.
_SHRINKAGE = 0.002


class Dense(Autoencoder):
    """Dense layers down to the code and back, ReLU between: pixels-128-code by default (the documents' network).

    widths: of the layers between pixels and code.
    """

    def __init__(
        self, *, size: Sequence[int] = (64, 64), channels: int = 3, code: int = 64, widths: Sequence[int] = (128,)
    ) -> None:
        nn.Module.__init__(self)
        self.size, self.channels, self.code, self.grid = (size[0], size[1]), channels, code, 0
        sizes = [channels * size[0] * size[1], *widths, code]
        self.encoder = nn.Sequential(nn.Flatten(), *_dense(sizes))
        self.decoder = nn.Sequential(  # type: ignore[assignment]
            *_dense(sizes[::-1]), nn.Unflatten(1, (channels, *self.size))
        )

    def decode(self, code: Tensor) -> Tensor:
        """Code (N, code) -> picture (N, channels, *size), about [0, 1]."""
        return (self.decoder(code) + 1) / 2


def _dense(sizes: Sequence[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return layers[:-1]


class Denoising(Autoencoder):
    """The encoder sees damage, the decoder is to give the picture without it (Vincent et al. 2010).

    Each quarter of a batch gets one of: noise up to sigma 50, blur up to sigma 2.5, a covered quarter of the picture,
    nothing.
    """

    damages: tuple[Degradation, ...] = (
        GaussianNoise((10.0, 50.0)),
        GaussianBlur((0.8, 2.5)),
        Occlusion((0.15, 0.3), fill="mean"),
        Occlusion((0.15, 0.3), fill=0.0),
    )

    def corrupt(self, picture: Tensor, generator: torch.Generator) -> Tensor:
        """A batch in which each part of eight pictures got its own damage, and one part of five none."""
        parts = list(picture.split(8))
        kinds = torch.randint(len(self.damages) + 1, (len(parts),), generator=generator, device=generator.device)
        for number, kind in enumerate(kinds.tolist()):
            if kind < len(self.damages):
                parts[number] = self.damages[kind](parts[number], generator)
        return torch.cat(parts)


class KSparse(Autoencoder):
    """Only the `active` largest numbers of a code, by size, are kept (Makhzani and Frey 2014)."""

    def __init__(self, *, active: int = 16, **stem: Any) -> None:
        super().__init__(**stem)
        if not 1 <= active <= self.code:
            raise ValueError(f"active must be 1 to {self.code}, the numbers of a code, not {active}")
        self.active = active

    def encode(self, picture: Tensor) -> Tensor:
        """(N, channels, *size) -> code (N, code) with `active` numbers that are not zero."""
        return self.sparse(self.head(picture))

    def sparse(self, numbers: Tensor) -> Tensor:
        """(N, code) -> the same with all but the `active` largest by size set to zero."""
        kept = numbers.abs().topk(self.active, dim=1).indices
        return numbers * torch.zeros_like(numbers).scatter(1, kept, 1.0)

    def bottleneck(self, numbers: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """The sparse code, and no penalty."""
        return self.sparse(numbers), {}


class Contractive(Autoencoder):
    """Adds the squared Frobenius norm of the encoder's Jacobian (Rifai et al. 2011), times `contraction`.

    The norm is estimated without bias from one random direction in code space a step (Hutchinson), so that it costs one
    more backward pass instead of one for each number of the code.
    """

    def __init__(self, *, contraction: float = 1e-4, **stem: Any) -> None:
        super().__init__(**stem)
        self.contraction = contraction

    def corrupt(self, picture: Tensor, generator: torch.Generator) -> Tensor:
        """The picture itself, as the start of the graph by which the Jacobian is taken."""
        return picture.detach().requires_grad_()

    def penalties(self, picture: Tensor, code: Tensor, label: Tensor | None) -> dict[str, Tensor]:
        """`contraction` times the estimated squared norm, mean over the batch."""
        direction = torch.randn_like(code)
        (slope,) = torch.autograd.grad(code, picture, direction, create_graph=True)
        return {"contraction": self.contraction * slope.square().sum((1, 2, 3)).mean()}


class Variational(Autoencoder):
    """Codes with a normal prior (Kingma and Welling 2014); `encode` gives the mean.

    beta: weight of the divergence from the prior, against the mean squared error per value (Higgins et al. 2017).
    free_bits: nats that each number of the code may carry at no cost (Kingma et al. 2016).
    """

    def __init__(self, *, beta: float = 1e-4, free_bits: float = 0.0, **stem: Any) -> None:
        super().__init__(**stem)
        self.beta, self.free_bits = beta, free_bits

    def head_width(self) -> int:
        """Mean and logarithm of the variance for each number."""
        return 2 * self.code

    def encode(self, picture: Tensor) -> Tensor:
        """(N, channels, *size) -> mean of the code's distribution (N, code)."""
        return self.distribution(self.head(picture))[0]

    def distribution(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """The encoder's numbers (N, 2 * code) -> mean and log variance, each (N, code); the latter within -8 and 4."""
        mean, log_variance = numbers.chunk(2, dim=1)
        return mean, log_variance.clamp(-8, 4)

    def bottleneck(self, numbers: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """A sample of the distribution, and its divergence from the prior times `beta`."""
        mean, log_variance = self.distribution(numbers)
        noise = torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean(0)
        penalty = self.beta * divergence.clamp(min=self.free_bits).sum()
        return mean + noise * (log_variance / 2).exp(), {"divergence": penalty}

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """`count` pictures decoded from the prior, (count, channels, *size)."""
        device = self.expand.weight.device
        return self.decode(torch.randn(count, self.code, generator=generator).to(device))


class Supervised(Autoencoder):
    """A margin head over the code tells people apart while the decoder keeps the picture in it.

    The head is CosFace's (Wang et al. 2018): cross-entropy over `scale * cosine` between code and one direction
    a class, the right class handicapped by `margin`. Codes are compared by cosine.

    classes: of the head; 0, as shipped, leaves the head out (codes and pictures do not need it).
    weight: of the head's loss.
    """

    def __init__(
        self, *, classes: int = 0, margin: float = 0.25, scale: float = 24.0, weight: float = 0.01, **stem: Any
    ) -> None:
        super().__init__(**stem)
        self.margin, self.scale, self.weight = margin, scale, weight
        self.directions = nn.Parameter(torch.randn(classes, self.code)) if classes else None

    def linear_code(self, rows: Tensor, labels: Tensor | None) -> Tensor:
        """Fisher's discriminants instead of PCA: what varies between people, whitened by what varies within them."""
        if labels is None:
            return super().linear_code(rows, labels)
        rows, labels = rows[labels >= 0], labels[labels >= 0]
        means = _class_means(rows, labels)[labels]
        within = (rows - means).T @ (rows - means) / len(rows)
        within += _SHRINKAGE * within.diagonal().mean() * torch.eye(len(within), dtype=within.dtype)
        values, vectors = torch.linalg.eigh(within)
        whiten = vectors / values.sqrt()
        between = torch.linalg.eigh(whiten.T @ (means.T @ means / len(rows)) @ whiten).eigenvectors
        return whiten @ between.flip(1)[:, : self.code]

    @torch.no_grad()
    def start_linear(self, pictures: Tensor, labels: Tensor | None = None) -> None:
        """As the stem's, on Fisher's discriminants; the head's directions start at the mean code of each class."""
        super().start_linear(pictures, labels)
        if self.directions is not None and labels is not None:
            codes = torch.cat([self.encode(part) for part in pictures.split(256)])
            means = _class_means(codes[labels >= 0], labels[labels >= 0])
            self.directions[: len(means)].copy_(F.normalize(means, dim=1))

    def classify(self, code: Tensor) -> Tensor:
        """Codes (N, code) -> cosine with each class's direction, (N, classes). ValueError where there is no head."""
        if self.directions is None:
            raise ValueError("this autoencoder was made without classes")
        return F.normalize(code, dim=1) @ F.normalize(self.directions, dim=1).T

    def penalties(self, picture: Tensor, code: Tensor, label: Tensor | None) -> dict[str, Tensor]:
        """The head's cross-entropy times `weight`; pictures with label -1 take no part."""
        if self.directions is None or label is None:
            raise ValueError("training the supervised autoencoder needs classes and labels")
        known = label >= 0
        cosine = self.classify(code[known])
        handicap = self.margin * F.one_hot(label[known], cosine.shape[1])
        entropy = F.cross_entropy(self.scale * (cosine - handicap), label[known], reduction="sum")
        return {"head": self.weight * entropy / known.sum().clamp(min=1)}


def _class_means(rows: Tensor, labels: Tensor) -> Tensor:
    """Mean of the rows (N, D) of each class 0..max; zero for a class without rows."""
    sums = rows.new_zeros(int(labels.max()) + 1, rows.shape[1]).index_add_(0, labels, rows)
    return sums / labels.bincount()[:, None].clamp(min=1)
