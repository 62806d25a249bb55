"""What the loop needs to know of a model: its networks, its losses, its data, its figures."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from unpool.zoo.record import Record


class Options(BaseModel):
    """A task's settings, filled in by a recipe. Subclass it and add fields; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Dataset(Protocol):
    """Something with a length whose samples are functions of an index and a random generator, and of nothing else."""

    def __len__(self) -> int: ...

    def sample(self, index: int, rng: np.random.Generator) -> Mapping[str, Any]:
        """One training sample: arrays or tensors of one shape for all samples, by name. `rng` drives augmentation."""
        ...

    def name(self, index: int) -> str:
        """What the sample is called in messages: usually a file name."""
        ...


@dataclass
class Loss:
    """One loss for one optimiser: the loop differentiates `value` for its parameters alone and steps it."""

    optimiser: str
    value: Tensor
    log: Mapping[str, Tensor | float] = field(default_factory=dict)


class Task:
    """A model and how it is trained and evaluated.

    Subclasses set in `__init__`:
        networks: name -> module. All of them are moved, averaged, saved and resumed.
        optimisers: optimiser name -> names of the networks whose parameters it steps, in the order they are made.
        went_on_from: the record of trained weights that the networks begin from, if any.
    Class attributes:
        Options: the settings a recipe may give.
        input_range: batch key -> (low, high), checked on the first batch.
    """

    Options: ClassVar[type[Options]] = Options
    input_range: ClassVar[Mapping[str, tuple[float, float]]] = {}

    networks: dict[str, nn.Module]
    optimisers: dict[str, list[str]]
    went_on_from: Record | None = None

    def __init__(self, options: Any, data: Path | None = None) -> None:
        self.options = options
        self.data = data

    def dataset(self) -> Dataset:
        """The training samples."""
        raise NotImplementedError

    def losses(self, batch: dict[str, Tensor], step: int, generator: torch.Generator) -> Iterator[Loss]:
        """Yield one `Loss` after another; weights have been stepped when the generator resumes.

        An adversarial pair yields the critic's loss first and the generator's second. `generator` (on the batch's
        device) is seeded from (seed, step): randomness drawn from it, or from torch's global one, is repeatable.
        """
        raise NotImplementedError

    def evaluate(self) -> dict[str, float]:
        """Figures on held-out data. Called without gradients, in eval mode, with the averaged weights if any."""
        return {}

    def samples(self) -> dict[str, Tensor]:
        """Pictures for the logs, (N, C, H, W) in [0, 1] by name. Called like `evaluate`."""
        return {}

    def export(self) -> nn.Module:
        """The network that ships, e.g. with its training branches fused. By default the only network."""
        if len(self.networks) != 1:
            raise NotImplementedError(f"{type(self).__name__} has {len(self.networks)} networks: say which one ships")
        return next(iter(self.networks.values()))

    def record(self) -> dict[str, Any]:
        """What the weight file's record says and the loop cannot know: network, config, data, licences, headline.

        `figures` may hold those of earlier lessons that still hold; the run's own go before them.
        """
        return {}

    @property
    def device(self) -> torch.device:
        """Where the networks are now."""
        return next(next(iter(self.networks.values())).parameters()).device
