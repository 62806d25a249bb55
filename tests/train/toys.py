"""Small tasks for the loop's tests: a regression, an adversarial pair, an auxiliary optimiser."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from unpool.errors import PictureError
from unpool.train.task import Loss, Options, Task


class Points:
    """Points of a plane with a target: x -> A x, plus a little augmentation noise."""

    def __init__(self, length: int = 40, poison: int | None = None, scale: float = 1.0) -> None:
        rng = np.random.default_rng(0)
        self.x = (scale * rng.uniform(-1, 1, (length, 2))).astype(np.float32)
        self.poison = poison

    def __len__(self) -> int:
        return len(self.x)

    def name(self, index: int) -> str:
        return f"point-{index}.txt"

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        x = self.x[index] + rng.normal(0, 1e-3, 2).astype(np.float32)
        y = np.float32([x[0] - 2 * x[1], np.nan if index == self.poison else 0.5 * x[0]])
        return {"x": x, "y": y}


class Broken(Points):
    """Points of which one cannot be read."""

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        if index == 7:
            raise PictureError("point-7.txt: damaged")
        return super().sample(index, rng)


class Regression(Task):
    """A dense network fits a linear map, with dropout so that torch's global randomness matters."""

    class Options(Options):
        poison: int | None = None
        scale: float = 1.0
        width: int = 8
        noisy: bool = True
        frozen: bool = False
        blind: int = 0  # evaluations that give no number
        broken: bool = False

    input_range = {"x": (-1.1, 1.1)}

    def __init__(self, options, data=None):
        super().__init__(options, data)
        width, drop = options.width, 0.1 * options.noisy
        self.networks = {"net": nn.Sequential(nn.Linear(2, width), nn.Tanh(), nn.Dropout(drop), nn.Linear(width, 2))}
        self.networks["net"][0].requires_grad_(not options.frozen)
        self.optimisers = {"net": ["net"]}
        self.asked = 0

    def dataset(self) -> Points:
        return Broken() if self.options.broken else Points(poison=self.options.poison, scale=self.options.scale)

    def losses(self, batch: dict[str, Tensor], step: int, generator: torch.Generator) -> Iterator[Loss]:
        noise = 1e-3 * self.options.noisy * torch.randn(batch["x"].shape, generator=generator, device=batch["x"].device)
        yield Loss("net", (self.networks["net"](batch["x"] + noise) - batch["y"]).square().mean())

    def evaluate(self) -> dict[str, float]:
        points = Points()
        target = np.stack([points.x[:, 0] - 2 * points.x[:, 1], 0.5 * points.x[:, 0]], 1)
        guess = self.networks["net"](torch.from_numpy(points.x))
        self.asked += 1
        if self.asked <= self.options.blind:
            return {"mse": float("nan")}
        return {"mse": float((guess - torch.from_numpy(target)).square().mean())}


class Pair(Task):
    """A generator of points against a critic with a zero-centred gradient penalty (double backward)."""

    def __init__(self, options, data=None):
        super().__init__(options, data)
        self.networks = {
            "generator": nn.Sequential(nn.Linear(2, 16), nn.Softplus(), nn.Linear(16, 2)),
            "critic": nn.Sequential(nn.Linear(2, 16), nn.Softplus(), nn.Linear(16, 1)),
        }
        self.optimisers = {"critic": ["critic"], "generator": ["generator"]}

    def dataset(self) -> Points:
        return Points()

    def losses(self, batch: dict[str, Tensor], step: int, generator: torch.Generator) -> Iterator[Loss]:
        made, critic = self.networks["generator"], self.networks["critic"]
        z = torch.randn(batch["x"].shape, generator=generator)
        real = batch["x"].requires_grad_()
        score = critic(real)
        (slope,) = torch.autograd.grad(score.sum(), real, create_graph=True)
        penalty = slope.square().sum(1).mean()
        gap = critic(made(z).detach()) - score
        self.weights_at_critic_loss = critic[0].weight.detach().clone()
        yield Loss("critic", nn.functional.softplus(gap).mean() + penalty, {"penalty": penalty})
        self.critic_moved = not torch.equal(self.weights_at_critic_loss, critic[0].weight)
        yield Loss("generator", nn.functional.softplus(-critic(made(z))).mean())
        self.critic_has_gradient_of_generator = critic[0].weight.grad is None

    def export(self) -> nn.Module:
        return self.networks["generator"]


class Auxiliary(Regression):
    """A regression whose running quantile (a network of one number) is fitted by an optimiser of its own."""

    def __init__(self, options, data=None):
        super().__init__(options, data)
        self.networks["quantile"] = nn.Linear(1, 1)
        self.optimisers["quantile"] = ["quantile"]

    def losses(self, batch: dict[str, Tensor], step: int, generator: torch.Generator) -> Iterator[Loss]:
        errors = (self.networks["net"](batch["x"]) - batch["y"]).square().mean(1, keepdim=True)
        yield Loss("net", errors.mean())
        guess = self.networks["quantile"](torch.ones_like(errors))
        difference = errors.detach() - guess
        yield Loss("quantile", torch.maximum(0.9 * difference, -0.1 * difference).mean())

    def export(self) -> nn.Module:
        return self.networks["net"]


class Told(Regression):
    """A regression whose processes each leave their number and their weights in a folder at each evaluation."""

    class Options(Regression.Options):
        folder: str

    def evaluate(self) -> dict[str, float]:
        place = Path(self.options.folder) / f"{os.environ['RANK']}.pt"
        torch.save({"pid": os.getpid(), **self.networks["net"].state_dict()}, place.with_suffix(".part"))
        place.with_suffix(".part").rename(place)
        return super().evaluate()
