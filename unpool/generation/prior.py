"""What latents mean: an invertible map from standard normal numbers to the codes that real pictures have."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Coupling(nn.Module):
    """Some of the numbers are scaled and shifted as the others say, which stay as they are (Dinh et al. 2017).

    changed: (length,) bool, which numbers change. hidden: width of the network that says how.
    """

    def __init__(self, *, changed: Tensor, hidden: int) -> None:
        super().__init__()
        kept, moved = torch.nonzero(~changed)[:, 0], torch.nonzero(changed)[:, 0]
        self.register_buffer("kept", kept, persistent=False)
        self.register_buffer("moved", moved, persistent=False)
        self.register_buffer("order", torch.argsort(torch.cat([kept, moved])), persistent=False)
        self.kept: Tensor
        self.moved: Tensor
        self.order: Tensor
        last = nn.Linear(hidden, 2 * len(moved))
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.says = nn.Sequential(nn.Linear(len(kept), hidden), nn.LeakyReLU(0.2), last)

    def _change(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        scale, shift = self.says(kept).chunk(2, dim=1)
        return torch.tanh(scale), shift

    def forward(self, values: Tensor) -> Tensor:
        """(N, length) -> (N, length), towards codes."""
        kept, moved = values[:, self.kept], values[:, self.moved]
        scale, shift = self._change(kept)
        return torch.cat([kept, (moved - shift) * torch.exp(-scale)], dim=1)[:, self.order]

    def back(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """The inverse of `forward`, and the logarithm of its volume's change (N,)."""
        kept, moved = values[:, self.kept], values[:, self.moved]
        scale, shift = self._change(kept)
        return torch.cat([kept, moved * torch.exp(scale) + shift], dim=1)[:, self.order], scale.sum(1)


class Prior(nn.Module):
    """A flow of couplings, the identity at first: standard normal latents (N, length) -> codes (N, length).

    The halves that change are those whose index has the same bit, one bit after the other, each half once.
    """

    def __init__(self, *, length: int, layers: int, hidden: int) -> None:
        super().__init__()
        bits = max(1, math.ceil(math.log2(length)))
        halves: Sequence[Tensor] = [
            (torch.arange(length) >> (layer // 2 % bits)) % 2 == layer % 2 for layer in range(layers)
        ]
        self.couplings = nn.ModuleList(Coupling(changed=half, hidden=hidden) for half in halves)

    def forward(self, latent: Tensor) -> Tensor:
        """Standard normal latents -> codes."""
        for coupling in self.couplings:
            latent = coupling(latent)
        return latent

    def latent(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Codes -> latents, the inverse of `forward`; and their log-likelihoods (N,), in nats."""
        volume = codes.new_zeros(len(codes))
        for coupling in reversed(self.couplings):
            assert isinstance(coupling, Coupling)
            codes, change = coupling.back(codes)
            volume = volume + change
        constant = 0.5 * codes.shape[1] * math.log(2 * math.pi)
        return codes, volume - 0.5 * codes.square().sum(1) - constant


def fit(prior: Prior, codes: Tensor, *, steps: int = 1000, batch: int = 512, jitter: float = 0.3) -> None:
    """Maximise the likelihood of codes (N, length), a little `jitter` (a deviation) on each. The same codes give the
    same prior.
    """
    generator = torch.Generator().manual_seed(0)
    optimiser = torch.optim.AdamW(prior.parameters(), lr=2e-3, weight_decay=1e-3)
    for step in range(steps):
        chosen = codes[torch.randint(len(codes), (batch,), generator=generator)]
        chosen = chosen + jitter * torch.randn(chosen.shape, generator=generator)
        optimiser.param_groups[0]["lr"] = 2e-3 * (1 - step / steps)
        optimiser.zero_grad()
        (-prior.latent(chosen)[1].mean()).backward()
        nn.utils.clip_grad_norm_(prior.parameters(), 5.0)
        optimiser.step()
