"""`explain`: which parts of a picture made a network answer as it did."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unpool.errors import ModelError
from unpool.explanation import rendering
from unpool.explanation.honesty import STAGES, STEPS, Honesty, judged, randomised
from unpool.explanation.layers import closest, find
from unpool.explanation.methods import METHODS, options_of, top_classes
from unpool.explanation.run import Run
from unpool.explanation.shadow import shadow
from unpool.explanation.subject import Subject
from unpool.explanation.targets import (
    Channel,
    Class,
    Custom,
    Neuron,
    Position,
    Similarity,
    Target,
    as_target,
)
from unpool.images.picture import Picture
from unpool.images.writing import write

__all__ = [
    "METHODS",
    "Channel",
    "Class",
    "Custom",
    "Explanation",
    "Honesty",
    "Neuron",
    "Position",
    "Similarity",
    "Target",
    "explain",
]


@dataclass(frozen=True, eq=False)
class Explanation:
    """A map of a picture for one target, and what was met on the way to it.

    Attributes:
        maps: (N, C, H, W) in the input's resolution; signed, but for Grad-CAM. C is the input's, or 1.
        scores: (N,), what the network gave the target.
        method: the method's name.
        target: what was explained.
        layer: the layer the target lives on, or Grad-CAM's; None where the output alone matters.
        rectifiers: how many calls of rectifiers one forward pass met.
        left_alone: calls of other activations (SiLU, GELU, LeakyReLU, ...) by name: there DeconvNet and guided
            backpropagation follow the plain gradient.
        top: each picture's strongest five classes with their probabilities, where the output is logits (N, classes).
        seconds: how long it took.
        inputs: (N, C, H, W), what the network saw.
        options: the method's own, as they were given.
    """

    maps: Tensor
    scores: Tensor
    method: str
    target: Target
    layer: str | None
    rectifiers: int
    left_alone: dict[str, int]
    top: list[list[tuple[int, float]]]
    seconds: float
    inputs: Tensor = field(repr=False)
    options: dict[str, Any] = field(repr=False)
    subject: Subject = field(repr=False)

    def honesty(self, number: int = 0, *, steps: int = STEPS, stages: int = STAGES, seed: int = 0) -> Honesty:
        """Test the map of one picture against the network: weight randomisation, insertion and deletion.

        Args:
            number: which picture of the batch.
            steps: of the insertion and deletion curves.
            stages: how many times the map is made again with more and more of the weights shuffled.
            seed: of the shuffling.
        """
        twins = [shadow(self.subject.module) for _ in range(stages + 1)]
        return judged(
            twins[0],
            randomised(twins[1:], seed),
            self.inputs[number : number + 1],
            self.maps[number],
            self.target.for_picture(number),
            self.layer,
            self.method,
            self.options,
            steps,
        )

    def described(self) -> str:
        """The target in words: a class by its name where the model has names."""
        return self.target.describe(self.subject.names)

    def heat(self, number: int = 0) -> Tensor:
        """How much each pixel matters, (H, W) in [0, 1]: absolute values, summed over channels."""
        return rendering.heat(self.maps[number])

    def seen(self, number: int = 0) -> Picture:
        """The picture as the network got it: cut and scaled."""
        return self.subject.picture(self.inputs[number : number + 1])

    def picture(self, style: str = "auto", number: int = 0) -> Picture:
        """The map as a picture.

        Args:
            style: `projection` (the signed map around mid grey), `overlay` (heat over the picture), or `auto`: a
                projection for DeconvNet and guided backpropagation, an overlay for everything else.
            number: which picture of the batch.
        """
        if style == "auto":
            style = "projection" if self.method in ("deconvnet", "guided") else "overlay"
        if style == "projection":
            return rendering.projection(self.maps[number])
        if style == "overlay":
            return rendering.overlay(self.maps[number], self.seen(number))
        raise ModelError(f"there is no style {style!r}: give auto, projection or overlay")

    def save(self, path: str | Path, style: str = "auto", number: int = 0) -> None:
        """Write `picture(style, number)`."""
        write(self.picture(style, number), path)


def explain(
    model: Any,
    picture: Any,
    *,
    target: Any = None,
    layer: str | None = None,
    method: str = "guided",
    **options: Any,
) -> Any:
    """Which parts of a picture made a network answer as it did.

    Works on any PyTorch network and leaves it exactly as found: training flags, gradients, hooks, buffers; also after
    an error, and from several threads. The network is run in evaluation mode, rectifiers are caught however they are
    called.

    Args:
        model: a model's name, a predictor from `unpool.load`, or an `nn.Module`.
        picture: a path, bytes, PIL image or array, or a list of them; a float tensor (N, C, H, W) is the network's
            input itself.
        target: a class by number or name; None is the strongest one. `Channel`, `Position`, `Neuron` or `"channel:7"`
            on a layer, `Similarity` to another embedding or picture, or a function of the output that gives (N,). A
            list of targets is answered from one forward pass, by a list of explanations.
        layer: a name from `model.named_modules()`. For Grad-CAM the layer whose maps are weighed; for other methods it
            makes a number a channel of that layer, and None its strongest neuron. By default the last convolution.
        method: one of `METHODS`.
        options: the method's own: `samples`, `noise`, `seed` (smoothgrad), `steps`, `baseline` (integrated-gradients),
            `window`, `stride`, `baseline`, `batch` (occlusion).

    Returns:
        An `Explanation`, or a list of them for a list of targets.

    Raises:
        ModelError: an unknown model, method, layer, class or option; or a scripted or compiled network.

    Examples:
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
        >>> found = explain(net, torch.rand(1, 3, 8, 8), target=2, method="guided")
        >>> tuple(found.maps.shape), found.rectifiers
        ((1, 3, 8, 8), 1)
    """
    started = time.perf_counter()
    if method not in METHODS:
        raise ModelError(f"there is no method {method!r}; closest: {', '.join(closest(method, list(METHODS)))}")
    known = options_of(method)
    for name in options:
        if name not in known:
            raise ModelError(f"{method} has no option {name!r}; it takes {', '.join(known) or 'none'}")
    subject = Subject(model)
    several = isinstance(target, list | tuple)
    by_layer = layer is not None and method != "grad-cam"
    targets = [as_target(one, subject.names, by_layer) for one in (target if several else [target])]
    if not targets:
        raise ModelError("no targets were given")
    targets = [_embedded(one, subject) for one in targets]
    twin = shadow(subject.module)
    name_of_layer, found = _layer(twin, layer, targets, method)
    run = Run(twin, subject.inputs(picture), targets, found)
    maps = METHODS[method](run, **options)
    top = top_classes(run.output, 5)
    seconds = time.perf_counter() - started
    explanations = [
        Explanation(
            maps=map_.detach(),
            scores=score,
            method=method,
            target=one,
            layer=name_of_layer if one.on_layer or method == "grad-cam" else None,
            rectifiers=run.rectifiers,
            left_alone=run.left_alone,
            top=top,
            seconds=seconds,
            inputs=run.x,
            options=options,
            subject=subject,
        )
        for map_, score, one in zip(maps, run.scores, run.targets)
    ]
    return explanations if several else explanations[0]


def _layer(twin: Any, layer: str | None, targets: Sequence[Target], method: str) -> tuple[str | None, Any]:
    asked = [layer, *(getattr(one, "layer", None) for one in targets if one.on_layer)]
    named = {name for name in asked if name is not None}
    if len(named) > 1:
        raise ModelError(f"one explanation looks at one layer, not at {len(named)} ({', '.join(sorted(named))})")
    if not named and method != "grad-cam" and not any(one.on_layer for one in targets):
        return None, None
    return find(twin, next(iter(named), None))


def _embedded(target: Target, subject: Subject) -> Target:
    """A similarity to a picture, with the picture's embedding in its place."""
    if not isinstance(target, Similarity) or (isinstance(target.other, Tensor) and target.other.ndim < 4):
        return target
    run = Run(shadow(subject.module), subject.inputs(target.other), [])
    with torch.no_grad():
        run.look()
    if run.output is None:
        raise ModelError("the network's output holds no tensor to compare with")
    return Similarity(run.output.flatten(1))
