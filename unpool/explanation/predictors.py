"""What `unpool.load` gives for this wing's models: a network to look into, or one that draws what a layer knows."""

from typing import Any

import torch
from torch import Tensor, nn

from unpool.errors import ModelError
from unpool.explanation.layers import find
from unpool.explanation.methods import top_classes
from unpool.explanation.shadow import shadow
from unpool.explanation.subject import Subject
from unpool.explanation.trace import forward
from unpool.images.picture import Picture
from unpool.zoo.record import Record


class Network:
    """A classifier of aligned faces, made to be explained: `unpool.explain(load(...), face)`, `.classify(face)`."""

    def __init__(self, module: nn.Module, record: Record, device: torch.device) -> None:
        self.module, self.record, self.device = module, record, device

    def classify(self, picture: Any, top: int = 5) -> list[tuple[int, float]]:
        """The likeliest people (by number) of a face in the 128x128 template, with their probabilities."""
        subject = Subject(self)
        output = forward(shadow(self.module), subject.inputs(picture), gradient=False).output
        return top_classes(output, top)[0]


class FeatureInverter:
    """Draws the picture that a layer of another network still knows (Dosovitskiy and Brox 2016): `.invert(picture)`.

    Attributes:
        model, layer: whose features are inverted, and of which layer.
    """

    def __init__(self, module: nn.Module, record: Record, device: torch.device) -> None:
        self.module, self.record, self.device = module, record, device
        options = record.recipe.get("options", {})
        if not {"model", "layer"} <= set(options):
            raise ModelError(f"{record.name}: its record does not say whose features it inverts")
        self.model, self.layer = str(options["model"]), str(options["layer"])
        self._subject: Subject | None = None

    @property
    def subject(self) -> Subject:
        """The network whose features are inverted; loaded when it is first needed."""
        if self._subject is None:
            self._subject = Subject(self.model)
        return self._subject

    def drawn(self, x: Tensor) -> Tensor:
        """From inputs of the explained network (N, C, H, W) to drawings (N, 3, H, W) in [0, 1]."""
        twin = shadow(self.subject.module)
        trace = forward(twin, x, layer=find(twin, self.layer)[1], gradient=False, stop=True)
        assert trace.activation is not None
        with torch.no_grad():
            return self.module(trace.activation.to(self.device)).clamp(0, 1)

    def invert(self, picture: Any) -> Picture:
        """The drawing of one picture, as the explained network gets it: cut and scaled."""
        return Picture.from_tensor(self.drawn(self.subject.inputs(picture)))


def predictor(module: nn.Module, record: Record, device: torch.device) -> Network | FeatureInverter:
    """The answering object that fits a record's network."""
    kind = FeatureInverter if record.network.endswith(":Inverter") else Network
    return kind(module, record, device)
