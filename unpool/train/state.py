"""Everything of a run that a checkpoint must hold: weights, their averages, optimisers, the best so far."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from unpool.errors import DataError, RecipeError
from unpool.train.recipe import Recipe
from unpool.train.task import Task

_OTHER_PARAMETERS = (
    "the checkpoint trained other parameters than are to be trained now: give the settings it began with, or train "
    "into a new folder"
)


class State:
    """The changing part of a run: built from a task and a recipe, saved to and restored from named tensors."""

    def __init__(self, task: Task, recipe: Recipe, device: torch.device) -> None:
        self.task, self.recipe = task, recipe
        for network in task.networks.values():
            network.to(device)
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimisers = {name: self._optimiser(name) for name in task.optimisers}
        self.parameters = {
            name: [p for group in optimiser.param_groups for p in group["params"]]
            for name, optimiser in self.optimisers.items()
        }
        self.averages = {
            name: {key: value.detach().clone() for key, value in task.networks[name].state_dict().items()}
            for name in self._decays()
        }
        self.best: dict[str, Tensor] = {}
        self.best_figure: float | None = None
        self.step = 0
        self.rate_scale = 1.0
        self.rollbacks = 0

    def _optimiser(self, name: str) -> torch.optim.AdamW:
        settings = self.recipe.optimisers.get(name, self.recipe.optimiser)
        parameters = [p for n in self.task.optimisers[name] for p in self.task.networks[n].parameters()]
        parameters = [p for p in parameters if p.requires_grad]
        # Decay pulls weights, not offsets and gains, towards zero.
        groups = [
            {"params": [p for p in parameters if p.dim() > 1], "weight_decay": settings.weight_decay},
            {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
        ]
        groups = [group for group in groups if group["params"]]
        return torch.optim.AdamW(groups, lr=settings.lr, betas=settings.betas, fused=True)

    def _decays(self) -> dict[str, float]:
        ema = self.recipe.ema
        if ema is None:
            return {}
        decays = ema if isinstance(ema, dict) else dict.fromkeys(self.task.networks, ema)
        unknown = set(decays) - set(self.task.networks)
        if unknown:
            raise RecipeError(f"ema names {min(unknown)!r}, but the networks are {', '.join(self.task.networks)}")
        return decays

    @torch.no_grad()
    def average(self) -> None:
        """Move the averages towards the weights; in the first steps faster, so that the start is forgotten."""
        for name, decay in self._decays().items():
            decay = min(decay, (1 + self.step) / (10 + self.step))
            kept, now = self.averages[name], self.task.networks[name].state_dict()
            floating = [key for key, value in now.items() if value.is_floating_point()]
            torch._foreach_lerp_([kept[k] for k in floating], [now[k] for k in floating], 1 - decay)
            for key in now.keys() - set(floating):
                kept[key].copy_(now[key])

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Networks in eval mode, with their averages for weights, without gradients; afterwards as they were."""
        training = {name: network.training for name, network in self.task.networks.items()}
        live = {name: _copy(self.task.networks[name]) for name in self.averages}
        try:
            for name, network in self.task.networks.items():
                network.eval()
                if name in self.averages:
                    network.load_state_dict(self.averages[name])
            with torch.no_grad():
                yield
        finally:
            for name, network in self.task.networks.items():
                network.train(training[name])
                if name in live:
                    network.load_state_dict(live[name])

    def keep_as_best(self, figure: float) -> None:
        """Remember weights, averages and optimisers as the best so far."""
        self.best_figure = figure
        self.best = {key: value.detach().clone() for key, value in self._weights().items()}

    def back_to_best(self) -> None:
        """Return to the best so far, and go on at half the learning rate."""
        self._restore(self.best)
        self.rate_scale *= 0.5
        self.rollbacks += 1

    def load_averages(self, *, best: bool) -> None:
        """Put the averages, where there are any, into the networks: what ships. `best`: those of the best figure.

        A run that goes on under another recipe may hold a best that it is no longer to choose by.
        """
        if best and self.best:
            self._restore(self.best)
        for name, average in self.averages.items():
            self.task.networks[name].load_state_dict(average)

    def _weights(self) -> dict[str, Tensor]:
        tensors: dict[str, Tensor] = {}
        for name, network in self.task.networks.items():
            tensors |= {f"network/{name}/{key}": value for key, value in network.state_dict().items()}
        for name, average in self.averages.items():
            tensors |= {f"average/{name}/{key}": value for key, value in average.items()}
        for name, optimiser in self.optimisers.items():
            for number, moments in optimiser.state_dict()["state"].items():
                tensors |= {f"optimiser/{name}/{number}/{key}": value for key, value in moments.items()}
        return tensors

    def tensors(self) -> dict[str, Tensor]:
        """All tensors by name, for a checkpoint."""
        return self._weights() | {f"best/{key}": value for key, value in self.best.items()}

    def numbers(self) -> dict[str, Any]:
        """All the rest, as plain numbers, for a checkpoint."""
        return {
            "step": self.step,
            "best_figure": self.best_figure,
            "rate_scale": self.rate_scale,
            "rollbacks": self.rollbacks,
            "trained": self._trained(),
        }

    def _trained(self) -> dict[str, list[str]]:
        """The names of each optimiser's parameters, in no order that counts."""
        return {
            name: [
                f"{n}.{key}" for n in networks for key, p in self.task.networks[n].named_parameters() if p.requires_grad
            ]
            for name, networks in self.task.optimisers.items()
        }

    def load(self, tensors: dict[str, Tensor], numbers: dict[str, Any]) -> None:
        """Restore what `tensors()` and `numbers()` gave.

        Raises:
            DataError: they are of another network, or of one of which other parameters were trained.
        """
        if numbers.get("trained", self._trained()) != self._trained():
            raise DataError(_OTHER_PARAMETERS)
        best = {key.removeprefix("best/"): value for key, value in tensors.items() if key.startswith("best/")}
        self._restore({key: value for key, value in tensors.items() if not key.startswith("best/")})
        self.best = {key: value.to(self.task.device) for key, value in best.items()}
        self.step, self.best_figure = numbers["step"], numbers["best_figure"]
        self.rate_scale, self.rollbacks = numbers["rate_scale"], numbers["rollbacks"]

    def _restore(self, tensors: dict[str, Tensor]) -> None:
        try:
            for name, network in self.task.networks.items():
                network.load_state_dict(_below(tensors, f"network/{name}/"))
            for name, average in self.averages.items():
                # A run that kept no averages goes on with its weights for them.
                kept = _below(tensors, f"average/{name}/") or _below(tensors, f"network/{name}/")
                for key, value in kept.items():
                    average[key].copy_(value)
            for name, optimiser in self.optimisers.items():
                moments: dict[int, dict[str, Tensor]] = {}
                for key, value in _below(tensors, f"optimiser/{name}/").items():
                    number, _, moment = key.partition("/")
                    # Cloned: an optimiser updates in place, and `best` must stay what it was.
                    moments.setdefault(int(number), {})[moment] = value.clone()
                self._check_moments(name, moments)
                optimiser.load_state_dict({**optimiser.state_dict(), "state": moments})
        except (RuntimeError, KeyError) as error:
            raise DataError(
                f"the checkpoint is of another network: train into a new folder ({str(error).splitlines()[0]})"
            ) from None

    def _check_moments(self, name: str, moments: dict[int, dict[str, Tensor]]) -> None:
        """DataError unless every moment fits its parameter: a fused optimiser would write past the end of others."""
        parameters = self.parameters[name]
        for number, kept in moments.items():
            fits = number < len(parameters) and all(
                value.dim() == 0 or value.shape == parameters[number].shape for value in kept.values()
            )
            if not fits:
                raise DataError(_OTHER_PARAMETERS)


def _copy(network: nn.Module) -> dict[str, Tensor]:
    return {key: value.detach().clone() for key, value in network.state_dict().items()}


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
