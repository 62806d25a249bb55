"""What is explained: a number that a network computes, one for each picture."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from unpool.errors import ModelError
from unpool.explanation.layers import closest


@dataclass(frozen=True)
class Target:
    """A number computed from a network's output, or from a layer's activation where `on_layer`.

    Targets on a layer have a field `layer` that names it; None is the one that the explanation is asked for.
    """

    on_layer: ClassVar[bool] = False

    def score(self, values: Tensor) -> Tensor:
        """Values (N, ...) as the network gave them, to scores (N,)."""
        raise NotImplementedError

    def fixed(self, values: Tensor) -> "Target":
        """The target with every choice that depends on the network's answer made from this one answer."""
        return self

    def for_picture(self, number: int) -> "Target":
        """The same target for one picture of the batch alone, and for any number of variants of it."""
        return self

    def describe(self, names: Sequence[str] | None = None) -> str:
        """The target in a few words, with the class's name where names are known."""
        raise NotImplementedError


@dataclass(frozen=True)
class Class(Target):
    """The score (logit) of a class; on outputs with places (N, classes, ...) its sum over them.

    Attributes:
        index: one class for all pictures, one for each, or None: each picture's strongest.
    """

    index: int | tuple[int, ...] | None = None

    def score(self, values: Tensor) -> Tensor:
        rows = _summed(values)
        if self.index is None:
            return self.fixed(values).score(values)
        if isinstance(self.index, int):
            return rows[:, _within(self.index, rows.shape[1], "class")]
        if len(self.index) != len(rows):
            raise ModelError(f"{len(self.index)} classes were given for {len(rows)} pictures: give one for each")
        chosen = [_within(index, rows.shape[1], "class") for index in self.index]
        return rows.gather(1, torch.tensor(chosen, device=rows.device)[:, None] % rows.shape[1])[:, 0]

    def fixed(self, values: Tensor) -> Target:
        return self if self.index is not None else Class(tuple(_summed(values.detach()).argmax(1).tolist()))

    def for_picture(self, number: int) -> Target:
        return Class(self.index[number]) if isinstance(self.index, tuple) else self

    def describe(self, names: Sequence[str] | None = None) -> str:
        if self.index is None:
            return "strongest class"
        indices = (self.index,) if isinstance(self.index, int) else self.index
        return ", ".join(names[i] if names and i < len(names) else f"class {i}" for i in indices)


@dataclass(frozen=True)
class Channel(Target):
    """A channel of a layer: its strongest place (`max`), or its `sum` or `mean` over all places."""

    index: int
    reduce: Literal["max", "sum", "mean"] = "max"
    layer: str | None = None
    on_layer: ClassVar[bool] = True

    def score(self, values: Tensor) -> Tensor:
        _spatial(values, "channel")
        places = values[:, _within(self.index, values.shape[1], "channel")].flatten(1)
        if self.reduce == "max":
            return places.amax(1) if places.shape[1] == 1 else places.gather(1, places.argmax(1, keepdim=True))[:, 0]
        return places.sum(1) if self.reduce == "sum" else places.mean(1)

    def describe(self, names: Sequence[str] | None = None) -> str:
        return f"channel {self.index}" + ("" if self.reduce == "max" else f" ({self.reduce})")


@dataclass(frozen=True)
class Position(Target):
    """One place of a layer's activation (N, C, H, W): the sum of all its channels."""

    row: int
    column: int
    layer: str | None = None
    on_layer: ClassVar[bool] = True

    def score(self, values: Tensor) -> Tensor:
        if values.ndim != 4:
            raise ModelError(
                f"a position needs an activation (N, C, H, W), not {tuple(values.shape)}: choose another layer"
            )
        row = _within(self.row, values.shape[2], "row")
        return values[:, :, row, _within(self.column, values.shape[3], "column")].sum(1)

    def describe(self, names: Sequence[str] | None = None) -> str:
        return f"position {self.row},{self.column}"


@dataclass(frozen=True)
class Neuron(Target):
    """One value of a layer's activation (N, C, H, W), or (N, C) without a row and column.

    Without an index, each picture's strongest value in the whole layer.
    """

    index: int | None = None
    row: int = 0
    column: int = 0
    layer: str | None = None
    on_layer: ClassVar[bool] = True

    def score(self, values: Tensor) -> Tensor:
        if self.index is None:
            flat = values.flatten(1)
            return flat.gather(1, flat.argmax(1, keepdim=True))[:, 0]
        channel = values[:, _within(self.index, values.shape[1], "channel")]
        if channel.ndim == 1:
            return channel
        if channel.ndim != 3:
            raise ModelError(f"a neuron needs an activation (N, C) or (N, C, H, W), not {tuple(values.shape)}")
        row = _within(self.row, channel.shape[1], "row")
        return channel[:, row, _within(self.column, channel.shape[2], "column")]

    def describe(self, names: Sequence[str] | None = None) -> str:
        return "strongest neuron" if self.index is None else f"neuron {self.index},{self.row},{self.column}"


@dataclass(frozen=True, eq=False)
class Similarity(Target):
    """Cosine of the angle between the network's output and another embedding: "why do these two match".

    Attributes:
        other: the other embedding (features,) or one for each picture (N, features), or a picture to be embedded first.
    """

    other: Any

    def score(self, values: Tensor) -> Tensor:
        if not isinstance(self.other, Tensor):
            raise ModelError("the other embedding of a similarity is no tensor")
        other = self.other.to(values).reshape(-1, values[0].numel())
        return F.cosine_similarity(values.flatten(1), other, dim=1)

    def for_picture(self, number: int) -> Target:
        several = isinstance(self.other, Tensor) and self.other.ndim > 1 and len(self.other) > 1
        return Similarity(self.other[number : number + 1]) if several else self

    def describe(self, names: Sequence[str] | None = None) -> str:
        return "similarity"


@dataclass(frozen=True, eq=False)
class Custom(Target):
    """Any function of the network's output, or of a layer's activation where a layer is named: tensor in, (N,) out."""

    function: Callable[[Any], Tensor]
    layer: str | None = None

    @property
    def on_layer(self) -> bool:  # type: ignore[override]
        return self.layer is not None

    def score(self, values: Any) -> Tensor:
        scores = self.function(values)
        if not isinstance(scores, Tensor) or scores.ndim > 1:
            shape = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
            raise ModelError(f"a target function gives one number for each picture, a tensor (N,), not {shape}")
        return scores.reshape(-1)

    def describe(self, names: Sequence[str] | None = None) -> str:
        return getattr(self.function, "__name__", "custom")


def as_target(value: Any, names: Sequence[str] | None, on_layer: bool) -> Target:
    """A target from what a user gives: None, a number, a class's name, `channel:7`, a function, or a target.

    Args:
        value: `"channel:K"`, `"position:ROW,COLUMN"` and `"neuron:K,ROW,COLUMN"` name values of a layer.
        names: the classes' names, where known.
        on_layer: a number means a channel of the layer, and None its strongest neuron.
    """
    if isinstance(value, Target):
        return value
    if value is None:
        return Neuron() if on_layer else Class()
    if isinstance(value, bool):
        raise ModelError("a target is a number, a name, a function or a target object, not a truth value")
    if isinstance(value, int) or (hasattr(value, "__index__") and not isinstance(value, Tensor)):
        return Channel(int(value)) if on_layer else Class(int(value))
    if isinstance(value, str):
        return _parsed(value.strip(), names, on_layer)
    if callable(value):
        return Custom(value)
    raise ModelError(f"a target cannot be made of a {type(value).__name__}: give a number, a name or a function")


def _parsed(text: str, names: Sequence[str] | None, on_layer: bool) -> Target:
    kind, colon, rest = text.partition(":")
    kinds: dict[str, tuple[Callable[..., Target], tuple[int, ...]]] = {  # and of how many numbers
        "channel": (Channel, (1,)),
        "position": (Position, (2,)),
        "neuron": (Neuron, (1, 3)),
        "class": (Class, (1,)),
    }
    if colon and kind in kinds:
        made, counts = kinds[kind]
        try:
            numbers = [int(part) for part in rest.split(",")]
            if len(numbers) not in counts:
                raise ValueError
            return made(*numbers)
        except ValueError:
            raise ModelError(
                f"target {text!r} cannot be read: write channel:K, position:ROW,COLUMN, neuron:K,ROW,COLUMN or class:K"
            ) from None
    if text.isdecimal() and text.isascii():
        return as_target(int(text), names, on_layer)
    lowered = [name.lower() for name in names or ()]
    if text.lower() in lowered:
        return Class(lowered.index(text.lower()))
    if not lowered:
        raise ModelError(f"the classes of this model have no names, so {text!r} is none of them: give a number")
    raise ModelError(f"there is no class {text!r}; closest: {', '.join(closest(text, list(names or ()))[:5])}")


def _within(index: int, size: int, what: str) -> int:
    if not -size <= index < size:
        raise ModelError(f"there is no {what} {index}: there are {size}, from 0 to {size - 1}")
    return index


def _spatial(values: Tensor, what: str) -> None:
    if values.ndim < 2:
        raise ModelError(f"a {what} needs an activation (N, C, ...), not {tuple(values.shape)}: choose another layer")


def _summed(values: Tensor) -> Tensor:
    """(N, classes, ...) to (N, classes); (N,) is one class."""
    if values.ndim == 1:
        return values[:, None]
    return values.flatten(2).sum(2) if values.ndim > 2 else values
