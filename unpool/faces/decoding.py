"""A second lesson for a trained recogniser: its decoder alone, on faces made poor; the rest stays as it is."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from unpool.errors import RecipeError
from unpool.faces.damage import RESTORABLE, poor_in_groups, reduced
from unpool.faces.enlarger import SEEN, EnlargeOptions, SharpFaces
from unpool.faces.loss import picture_loss
from unpool.faces.model import FaceNetwork
from unpool.images.metrics import psnr_rgb
from unpool.train.data.faces import SHARP, faces, halves, present
from unpool.train.task import Loss, Options, Task
from unpool.zoo.weights import load_module

_HELD_OUT = 64


class DecodeOptions(Options):
    """Whose decoder is trained."""

    model: str = Field("faces/recogniser", description="a model's name or a weight file")
    poor: float = Field(0.95, ge=0, le=1, description="share of faces that are made poor")


class Decode(Task):
    """Train the decoder of a `FaceNetwork`; its encoder and head are not touched."""

    Options: ClassVar[type[Options]] = DecodeOptions

    def __init__(self, options: DecodeOptions, data: Path | None = None) -> None:
        super().__init__(options, data)
        network, self.went_on_from = load_module(options.model)
        if not isinstance(network, FaceNetwork):
            raise RecipeError(f"{options.model} is no face recogniser")
        self.network = network.requires_grad_(False)
        self.network.decoder.requires_grad_(True)
        self.networks = {"faces": self.network}
        self.optimisers = {"decoder": ["faces"]}
        self.figures: dict[str, float] = {}

    def dataset(self) -> SharpFaces:
        """Sharp training faces."""
        return SharpFaces(EnlargeOptions(), self.data)

    def losses(self, batch: dict[str, Tensor], step: int, generator: torch.Generator) -> Iterator[Loss]:
        """One Charbonnier loss."""
        clean = batch["face"][:, :, 8:120, 8:120].float() / 255
        poor = poor_in_groups(clean, self.options.poor, 4, generator, RESTORABLE)
        poor = poor.contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            maps = self.network.encoder(poor)
            embedding, _ = self.network.head(maps[-1])
        yield Loss("decoder", picture_loss(self.network.decoder(poor, maps[:3], embedding), clean))

    def evaluate(self) -> dict[str, float]:
        """PSNR of restored faces of people held out, from 16 and 32 pixels, and of the bicubic ones they came from."""
        pack = faces(128, self.data)
        held = halves(pack, SHARP)[0][:_HELD_OUT]
        cut = [torch.from_numpy(np.ascontiguousarray(pack[int(i)][8:120, 8:120].transpose(2, 0, 1))) for i in held]
        clean = torch.stack(cut).float() / 255
        for size in (16, 32):
            poor = reduced(clean, size)
            restored = self.network.restore(poor.to(self.device)).cpu().clamp(0, 1)
            self.figures[f"psnr_{size}"] = float(psnr_rgb(restored, clean).mean())
            self.figures[f"psnr_{size}_bicubic"] = float(psnr_rgb(poor, clean).mean())
        return self.figures

    def export(self) -> nn.Module:
        """The whole network."""
        return self.network

    def record(self) -> dict[str, Any]:
        """The recogniser's own words and figures, for what it says of a face has not changed; and its first lesson."""
        base = self.went_on_from
        assert base is not None
        kept = {"name", "task", "network", "config", "preprocessing", "data_licence", "headline", "notes", "figures"}
        words = base.model_dump(include=kept)
        words["trained_on"] = tuple(dict.fromkeys((*base.trained_on, *present(faces(128, self.data), SEEN))))
        if base.recipe.get("task") != f"{type(self).__module__}:{type(self).__name__}":
            lesson = f"{base.recipe.get('name')}, {json.dumps(base.recipe.get('options', {}))}"
            words["notes"] = f"{base.notes} Encoder and head learned by {lesson}; then the decoder alone."
        return words
