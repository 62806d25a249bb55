"""One explanation in the making: a network's twin, its input, the layer in question, and the questions."""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from unpool.errors import ModelError
from unpool.explanation.rectifiers import Rule
from unpool.explanation.targets import Target
from unpool.explanation.trace import Trace, first_tensor, forward


@dataclass
class Run:
    """What a method works on; it fills in what it met on its way.

    Attributes:
        twin: the network's shadow.
        x: the input (N, C, H, W).
        targets: what is explained; answered together from as few passes as the method allows.
        layer: the layer of targets that live on one, and Grad-CAM's; None where none does.
        scores: for each target the scores (N,) of the unchanged picture.
        rectifiers, left_alone: what one forward pass met.
        output: the network's answer to the unchanged picture, where the run reached it.
    """

    twin: nn.Module
    x: Tensor
    targets: list[Target]
    layer: nn.Module | None = None
    scores: list[Tensor] = field(default_factory=list)
    rectifiers: int = 0
    left_alone: dict[str, int] = field(default_factory=dict)
    output: Tensor | None = None

    def values(self, trace: Trace, target: Target) -> object:
        """What a target reads from a pass: the layer's activation, or the output (whole, for a function of the
        user's)."""
        if target.on_layer:
            return trace.activation
        return trace.output if type(target).__name__ == "Custom" else first_tensor(trace.output)

    def note(self, trace: Trace) -> None:
        """Keep what the pass on the unchanged picture says, and settle the targets by it."""
        self.rectifiers, self.left_alone = trace.rectifiers, trace.left_alone
        if trace.output is not None:
            try:
                self.output = first_tensor(trace.output).detach()
            except ModelError:
                self.output = None
        with torch.no_grad():
            settled = []
            for target in self.targets:
                values = self.values(trace, target)
                settled.append(target.fixed(values))  # type: ignore[arg-type]
                self.scores.append(settled[-1].score(values).detach())  # type: ignore[arg-type]
            self.targets = settled

    def gradients(self, x: Tensor, targets: list[Target], rule: Rule | None = None, note: bool = False) -> list[Tensor]:
        """d score / d x (N, C, H, W) of each target from one forward pass; `note` on the unchanged picture's."""
        with torch.inference_mode(False):
            leaf = x.detach().clone().requires_grad_()
        on_layer = [target.on_layer for target in targets]
        layer = self.layer if any(on_layer) else None
        trace = forward(self.twin, leaf, rule=rule, layer=layer, stop=all(on_layer))
        if note:
            self.note(trace)
            targets = self.targets
        maps = []
        for number, target in enumerate(targets):
            with torch.inference_mode(False), torch.enable_grad():
                score = target.score(self.values(trace, target))  # type: ignore[arg-type]
            maps.append(trace.gradient(score, leaf, keep=number + 1 < len(targets)))
        return maps

    def score(self, x: Tensor, targets: list[Target]) -> list[Tensor]:
        """Scores (N,) of each target, without gradients."""
        on_layer = [target.on_layer for target in targets]
        layer = self.layer if any(on_layer) else None
        trace = forward(self.twin, x, layer=layer, gradient=False, stop=all(on_layer))
        return [target.score(self.values(trace, target)).detach() for target in targets]  # type: ignore[arg-type]

    def activation(self) -> Tensor:
        """The layer's activation (N, C, ...), without gradients; the network is run no further."""
        found = forward(self.twin, self.x, layer=self.layer, gradient=False, stop=True).activation
        assert found is not None
        return found

    def look(self) -> None:
        """A pass without gradients on the unchanged picture, for methods that need its answer first."""
        layer = self.layer if any(target.on_layer for target in self.targets) else None
        self.note(forward(self.twin, self.x, layer=layer, gradient=False))
