"""One pass through a network under interception: what came out, what a layer said, and what flows back to the
picture."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from unpool.errors import ModelError
from unpool.explanation.rectifiers import Interception, Rule


class _Reached(BaseException):
    """The layer asked for was reached; nothing behind it is needed."""


class Trace:
    """What one forward pass left: `output`, `activation` of the layer asked for, and the counts of its interception."""

    def __init__(self, twin: nn.Module, interception: Interception) -> None:
        self._twin = twin
        self._interception = interception
        self.output: Any = None
        self.activation: Tensor | None = None

    @property
    def rectifiers(self) -> int:
        """How many calls of rectifiers the pass met."""
        return self._interception.caught

    @property
    def left_alone(self) -> dict[str, int]:
        """Calls of other activations, by name."""
        return dict(self._interception.left_alone)

    def gradient(self, score: Tensor, source: Tensor, keep: bool = False) -> Tensor:
        """d score / d source, with rectifiers following the rule; `keep` where another gradient of this pass will
        follow."""
        if not score.requires_grad:
            raise ModelError(
                "the target does not depend on the picture by any gradient (is part of the model under no_grad?)"
            )
        self._interception.counting = False
        with torch.inference_mode(False), torch.enable_grad(), self._interception:
            (flowed,) = torch.autograd.grad(score.sum(), source, retain_graph=keep, allow_unused=True)
        return torch.zeros_like(source) if flowed is None else flowed


def forward(
    twin: nn.Module,
    x: Tensor,
    *,
    rule: Rule | None = None,
    layer: nn.Module | None = None,
    gradient: bool = True,
    cut: bool = False,
    stop: bool = False,
) -> Trace:
    """Run the twin on x (N, ...).

    Args:
        rule: what rectifiers hand back instead of the gradient.
        layer: the twin's module whose output is kept, at its first call.
        gradient: record the graph. x itself must require gradients then, unless `cut`.
        cut: begin the graph at the layer, whose activation becomes its leaf.
        stop: go no further than the layer.
    """
    trace = Trace(twin, Interception(rule))
    try:
        with (
            torch.inference_mode(False),
            torch.set_grad_enabled(gradient),
            _kept(layer, trace, cut, stop),
            trace._interception,
        ):
            # A copy, because a network may normalise its input in place.
            trace.output = twin(x.clone())
    except _Reached:
        pass
    if layer is not None and trace.activation is None:
        raise ModelError("the network never called that layer on this picture: choose another layer")
    return trace


@contextmanager
def _kept(layer: nn.Module | None, trace: Trace, cut: bool, stop: bool) -> Iterator[None]:
    if layer is None:
        yield
        return

    def keep(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        if trace.activation is not None:
            return None
        found = first_tensor(output)
        if cut:
            found = found.detach().requires_grad_()
        trace.activation = found
        if stop:
            raise _Reached
        # The network goes on with a copy: a rectifier that works in place would change what is kept.
        return found.clone() if isinstance(output, Tensor) else None

    handle = layer.register_forward_hook(keep)
    try:
        yield
    finally:
        handle.remove()


def first_tensor(output: Any) -> Tensor:
    """The tensor of an output: itself, `logits` of a mapping or object, or the first of a sequence.

    Raises:
        ModelError: there is none.
    """
    if isinstance(output, Tensor):
        return output
    if isinstance(output, dict) and output:
        return first_tensor(output.get("logits", next(iter(output.values()))))
    if isinstance(getattr(output, "logits", None), Tensor):
        return output.logits
    if isinstance(output, tuple | list) and output:
        return first_tensor(output[0])
    raise ModelError(
        f"no tensor in the network's output ({type(output).__name__}): give a function of it as the target"
    )
