"""The generator family, its critic, and the encoder that helps it start: towers of `unpool.nn` and a latent."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from unpool.generation.prior import Prior
from unpool.nn.towers import Decoder, Encoder, stage_sizes


class Generator(nn.Module):
    """A latent and a class to a picture (or a signal): (N, latent), (N,) -> (N, channels, *size).

    A linear layer makes the last row of the stage table from the latent, then a `Decoder` tower widens it.

    latent: length of the latent; standard normal in training.
    classes: number of classes, 0 for none; a class is an embedding of length `embedding` joined to the latent.
    size: extent of the picture (height, width), or (length,) of a signal.
    widths, strides, blocks, block, activation, upsample: the tower's, from the picture inwards.
    output: "sigmoid" keeps values within [0, 1] and lets them rest at its ends (a black background); "linear" does not.
    prior: couplings of a flow that brings the latent to where the codes of real pictures lie (see `prior.Prior`).
    """

    def __init__(
        self,
        *,
        latent: int = 64,
        classes: int = 0,
        embedding: int = 32,
        size: Sequence[int] = (64, 64),
        channels: int = 3,
        widths: Sequence[int] = (16, 32, 64, 128),
        strides: Sequence[int] = (2, 2, 2, 2),
        blocks: int | Sequence[int] = 1,
        block: str = "residual",
        activation: str = "leaky",
        upsample: str = "deconv",
        output: str = "linear",
        prior: int = 0,
    ) -> None:
        super().__init__()
        if output not in ("linear", "sigmoid"):
            raise ValueError(f"output must be linear or sigmoid, not {output!r}")
        self.sigmoid = output == "sigmoid"
        self.latent, self.classes, self.size = latent, classes, tuple(size)
        self.root_size = (widths[-1], *stage_sizes(size, strides)[-1])
        self.prior = Prior(length=latent, layers=prior, hidden=latent) if prior else None
        self.embedding = nn.Embedding(classes, embedding) if classes else None
        self.centre = nn.Embedding(classes, latent) if classes else None
        if self.centre is not None:
            nn.init.zeros_(self.centre.weight)
        self.root = nn.Linear(latent + (embedding if classes else 0), math.prod(self.root_size))
        nn.init.normal_(self.root.weight, std=1 / math.sqrt(self.root.in_features))
        nn.init.zeros_(self.root.bias)
        self.tower = Decoder(
            out_channels=channels,
            widths=widths,
            strides=strides,
            blocks=blocks,
            block=block,
            activation=activation,
            upsample=upsample,
            dimensions=len(self.size),
        )

    def responses(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        """(N, latent), (N,) -> the first layer's responses, (N, widths[-1], *small)."""
        if self.prior is not None:
            latent = self.prior(latent)
        if self.embedding is not None and self.centre is not None:
            if label is None:
                raise ValueError("this generator is class-conditional: give a label for each latent")
            latent = torch.cat([latent + self.centre(label), self.embedding(label)], dim=1)
        return self.root(latent).view(-1, *self.root_size)

    @torch.no_grad()
    def take_over(self, means: Tensor, factor: Tensor) -> None:
        """Make standard normal latents mean what latents of Gaussians meant so far.

        means: (classes, latent), of each class ((1, latent) without classes); factor: lower triangular
        (latent, latent), a Cholesky factor of their covariance. Afterwards `forward(z, c)` gives what
        `forward(means[c] + factor @ z, c)` gave before. Without a `prior`, which would come in between.
        """
        weight = self.root.weight[:, : self.latent]
        if self.centre is None:
            self.root.bias.add_(weight @ means[0])
        else:
            old = self.centre.weight
            old.copy_(torch.linalg.solve_triangular(factor, (means + old).T, upper=False).T)
        weight.copy_(weight @ factor)

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        """(N, latent), (N,) int64 -> (N, channels, *size), in [0, 1] (with a linear output, around it)."""
        values = self.tower(self.responses(latent, label), self.size)
        return torch.sigmoid(2 * values) if self.sigmoid else 0.5 + 0.5 * values

    def example_inputs(self) -> tuple[Tensor, ...]:
        """Inputs that fit `forward`."""
        latent = torch.randn(1, self.latent, generator=torch.Generator().manual_seed(0))
        return (latent, torch.zeros(1, dtype=torch.int64)) if self.classes else (latent,)


class _Judge(nn.Module):
    """An `Encoder` tower with a linear layer on all it sees: (N, channels, *size) -> (N, outputs)."""

    def __init__(
        self, *, outputs: int, size: Sequence[int], channels: int, widths: Sequence[int], **tower: Any
    ) -> None:
        super().__init__()
        strides = tower["strides"]
        self.tower = Encoder(in_channels=channels, widths=widths, dimensions=len(size), **tower)
        self.activation = nn.LeakyReLU(0.2)
        self.head = nn.Linear(widths[-1] * math.prod(stage_sizes(size, strides)[-1]), outputs)
        nn.init.normal_(self.head.weight, std=1 / math.sqrt(self.head.in_features))
        nn.init.zeros_(self.head.bias)

    def forward(self, picture: Tensor) -> Tensor:
        return self.head(self.activation(self.tower(2 * picture - 1)).flatten(1))


class Critic(_Judge):
    """How real a picture of a class looks: (N, channels, *size) in [0, 1], (N,) -> (N,), higher is more real."""

    def __init__(
        self,
        *,
        classes: int = 0,
        size: Sequence[int] = (64, 64),
        channels: int = 3,
        widths: Sequence[int] = (16, 32, 64, 128),
        strides: Sequence[int] = (2, 2, 2, 2),
        blocks: int | Sequence[int] = 1,
        block: str = "residual",
        activation: str = "leaky",
    ) -> None:
        tower = {"strides": strides, "blocks": blocks, "block": block, "activation": activation}
        super().__init__(outputs=max(classes, 1), size=size, channels=channels, widths=widths, **tower)
        self.classes = classes

    def forward(self, picture: Tensor, label: Tensor | None = None) -> Tensor:
        """(N, channels, *size), (N,) int64 -> (N,)."""
        scores = super().forward(picture)
        if not self.classes:
            return scores[:, 0]
        if label is None:
            raise ValueError("this critic is class-conditional: give a label for each picture")
        return scores.gather(1, label[:, None])[:, 0]


class LatentEncoder(_Judge):
    """Where in latent space a picture may come from: (N, channels, *size) -> mean and log variance (N, latent)."""

    def __init__(
        self,
        *,
        latent: int = 64,
        size: Sequence[int] = (64, 64),
        channels: int = 3,
        widths: Sequence[int] = (16, 32, 64, 128),
        strides: Sequence[int] = (2, 2, 2, 2),
        blocks: int | Sequence[int] = 1,
        block: str = "residual",
        activation: str = "leaky",
    ) -> None:
        tower = {"strides": strides, "blocks": blocks, "block": block, "activation": activation}
        super().__init__(outputs=2 * latent, size=size, channels=channels, widths=widths, **tower)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """(N, channels, *size) in [0, 1] -> mean (N, latent), log variance (N, latent)."""
        mean, log_variance = super().forward(picture).chunk(2, dim=1)
        return mean, log_variance.clamp(-10, 10)


@torch.no_grad()
def settle(generator: Generator, encoder: LatentEncoder, examples: Tensor, labels: Tensor) -> None:
    """Let the generator's standard normal latents mean those that real examples (N, channels, *size) have.

    After a short variational training these are Gaussian well enough, but neither centred nor of unit variance: the
    mean of each class and the covariance within classes are worked into the generator's first layer.
    labels: (N,) int64; zeros where there are no classes.
    """
    device = generator.root.weight.device
    found = [encoder(part.to(device)) for part in examples.split(100)]
    mean, log_variance = (torch.cat(one).double().cpu() for one in zip(*found))
    own = [mean[labels == c] for c in range(max(generator.classes, 1))]
    means = torch.stack([(of_class if len(of_class) else mean).mean(0) for of_class in own])
    within = mean - means[labels]
    covariance = within.T @ within / len(within) + torch.diag(log_variance.exp().mean(0))
    factor = torch.linalg.cholesky(covariance).float()
    generator.take_over(means.float().to(device), factor.to(device))
