"""How the wing's networks are trained and measured: a plain CNN on faces, and decoders of any network's features."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from unpool.errors import RecipeError
from unpool.explanation.layers import find
from unpool.explanation.loss import identity_loss, inversion_loss
from unpool.explanation.model import Inverter, PlainCNN
from unpool.explanation.shadow import shadow
from unpool.explanation.subject import Subject
from unpool.explanation.trace import first_tensor, forward
from unpool.images.metrics import psnr_rgb
from unpool.train.data.faces import faces
from unpool.train.data.photos import photos
from unpool.train.data.split import in_held_out
from unpool.train.task import Loss, Options, Task

_FACE = 64
_SHIFT = 4
_HELD_OUT_FACES = 0.15  # of each person's pictures, by hash of the file's name
_VIEW = 0.875  # share of the shorter side that a classifier looks at
_HELD_OUT = 24  # pictures that training is judged by
_SAMPLE = 32  # pictures that a decoder takes its features' mean and deviation from


class People:
    """Faces of the people of `celeba_aligned`, (3, 64, 64) float32 in [0, 1], with a person's number each.

    Every person trains; some of each one's pictures are held out.
    """

    def __init__(self, data: Path | None, held_out: bool) -> None:
        self.pack = faces(_FACE, data)
        known = self.pack.where(source="celeba_aligned")
        if len(known) == 0:
            raise RecipeError("the pack of faces has no pictures of celeba_aligned: place that set in the data folder")
        labels = [self.pack.labels[i] for i in known]
        self.people = sorted(set(labels))
        number = {person: i for i, person in enumerate(self.people)}
        kept = [in_held_out(str(self.pack.names[i]), _HELD_OUT_FACES) == held_out for i in known]
        self.indices = [int(i) for i, keep in zip(known, kept) if keep]
        self.numbers = [number[label] for label, keep in zip(labels, kept) if keep]

    def __len__(self) -> int:
        return len(self.indices)

    def name(self, index: int) -> str:
        """File name of the picture."""
        return str(self.pack.names[self.indices[index]])

    def plain(self, index: int) -> Tensor:
        """The picture as it is."""
        return _planes(self.pack[self.indices[index]])

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
        """The picture mirrored, shifted and lit by chance: `picture` (3, 64, 64), `person`."""
        samples = np.pad(self.pack[self.indices[index]], ((_SHIFT, _SHIFT), (_SHIFT, _SHIFT), (0, 0)), mode="reflect")
        top, left = rng.integers(2 * _SHIFT + 1, size=2)
        samples = samples[top : top + _FACE, left : left + _FACE]
        picture = _planes(samples[:, ::-1] if rng.integers(2) else samples)
        contrast, light = rng.uniform(0.75, 1.25), rng.uniform(-0.1, 0.1)
        return {"picture": ((picture - 0.5) * contrast + 0.5 + light).clamp(0, 1), "person": self.numbers[index]}


class IdentifyOptions(Options):
    """The channels of each convolution, one list a stage."""

    widths: list[list[int]]


class Identify(Task):
    """Train a `PlainCNN` to tell the people of `celeba_aligned` apart."""

    Options: ClassVar[type[Options]] = IdentifyOptions

    def __init__(self, options: IdentifyOptions, data: Path | None = None) -> None:
        super().__init__(options, data)
        self.training = People(data, held_out=False)
        self.config: dict[str, Any] = {"widths": options.widths, "classes": len(self.training.people)}
        self.networks = {"classifier": PlainCNN(**self.config)}
        self.optimisers = {"classifier": ["classifier"]}
        self.figures: dict[str, float] = {}

    def dataset(self) -> People:
        """The training faces."""
        return self.training

    def losses(self, batch: dict[str, Tensor], step: int, generator: torch.Generator) -> Iterator[Loss]:
        """One cross-entropy."""
        logits = self.networks["classifier"](_centred(batch["picture"]))
        yield Loss("classifier", identity_loss(logits, batch["person"]))

    def evaluate(self) -> dict[str, float]:
        """`accuracy`: the share of held-out pictures whose person is named right; `top_5`: among the first five."""
        held_out = People(self.data, held_out=True)
        right = within = 0
        for begin in range(0, len(held_out), 128):
            numbers = range(begin, min(begin + 128, len(held_out)))
            pictures = torch.stack([held_out.plain(i) for i in numbers]).to(self.device)
            logits = self.networks["classifier"](_centred(pictures))
            top = logits.topk(min(5, logits.shape[1]), dim=1).indices.cpu()
            wanted = torch.tensor([held_out.numbers[i] for i in numbers])[:, None]
            right += int((top[:, :1] == wanted).sum())
            within += int((top == wanted).sum())
        total = len(held_out)
        self.figures = {"accuracy": right / total, "top_5": within / total, "held_out_pictures": float(total)}
        return self.figures

    def record(self) -> dict[str, Any]:
        """The record's fields that the loop does not know."""
        return {
            "network": "unpool.explanation.model:PlainCNN",
            "config": self.config,
            "preprocessing": {"size": (_FACE, _FACE), "mean": (0.5,), "std": (0.25,)},
            "data_licence": "research only",
            "headline": f"{self.config['classes']} people, {self.figures['accuracy']:.1%} of held-out pictures right",
            "notes": "Faces in the five-point template with its margin (128x128), reduced to 64x64.",
        }


class Squares:
    """Squares of the training pictures, (3, side, side) float32 in [0, 1], scaled as the explained network sees
    them."""

    def __init__(self, kind: str, side: int, share: float, data: Path | None) -> None:
        self.side, self.share = side, share
        self.people = People(data, held_out=False) if kind == "faces" else None
        self.pack = self.people.pack if self.people is not None else photos(data)
        self.indices = self.people.indices if self.people is not None else self.pack.where(part="train")

    def __len__(self) -> int:
        return len(self.indices)

    def name(self, index: int) -> str:
        """File name of the picture."""
        return str(self.pack.names[self.indices[index]])

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Tensor]:
        """`picture` (3, side, side): a random part of a photograph, or a whole face; mirrored by chance."""
        samples = self.pack[int(self.indices[index])]
        if self.people is None:
            side = min(samples.shape[:2])
            side = min(side, max(8, int(side * self.share * rng.uniform(0.75, 1.35))))
            top, left = (int(rng.integers(extent - side + 1)) for extent in samples.shape[:2])
            samples = samples[top : top + side, left : left + side]
        picture = _planes(samples[:, ::-1] if rng.integers(2) else samples)
        return {"picture": _resized(picture[None], self.side)[0]}


class InvertOptions(Options):
    """Whose features are inverted, from which layer, by which decoder, on which pictures."""

    model: str = Field(description="a model's name or weight file")
    layer: str
    pictures: Literal["photos", "faces"] = "photos"
    side: int = Field(128, ge=16, description="side of a training picture; the features' grid must fit it")
    widths: list[int] = Field(description="the decoder's channels at each scale, the picture's half first")
    blocks: list[int]
    agreement: float = Field(0.0, ge=0, description="weight of the drawing's own features agreeing with the given ones")


class Invert(Task):
    """Train an `Inverter` to draw pictures from what one layer of a network says about them."""

    Options: ClassVar[type[Options]] = InvertOptions

    def __init__(self, options: InvertOptions, data: Path | None = None) -> None:
        super().__init__(options, data)
        self.subject = Subject(options.model)
        self.twin = shadow(self.subject.module)
        self.layer = find(self.twin, options.layer)[1]
        whole = self.subject.size or options.side
        self.pictures = Squares(options.pictures, options.side, _VIEW * options.side / whole, data)
        features = self.features(self._first())
        scales = len(options.widths)
        if features.shape[-1] * 2**scales != options.side:
            raise RecipeError(
                f"layer {options.layer!r} has {features.shape[-1]} columns for pictures of {options.side}: widths has "
                f"{scales} scales, which make {features.shape[-1] * 2**scales}; give one for each halving"
            )
        self.config: dict[str, Any] = {
            "features": features.shape[1],
            "widths": options.widths,
            "blocks": options.blocks,
        }
        inverter = Inverter(**self.config)
        inverter.standardise(features)
        self.networks = {"inverter": inverter}
        self.optimisers = {"inverter": ["inverter"]}
        self.figures: dict[str, float] = {}
        self._known: list[tuple[Tensor, Tensor, int]] = []

    def _first(self) -> Tensor:
        rng = np.random.default_rng(0)
        chosen = rng.permutation(len(self.pictures))[:_SAMPLE]
        return torch.stack([self.pictures.sample(int(i), rng)["picture"] for i in chosen])

    def features(self, pictures: Tensor, gradient: bool = False) -> Tensor:
        """What the layer says about pictures (N, 3, H, W) in [0, 1]; with its way back to them, if asked for."""
        self.twin.to(pictures.device)
        trace = forward(self.twin, self.subject.normalised(pictures), layer=self.layer, gradient=gradient, stop=True)
        assert trace.activation is not None
        return trace.activation

    def dataset(self) -> Squares:
        """Squares of the training pictures."""
        return self.pictures

    def losses(self, batch: dict[str, Tensor], step: int, generator: torch.Generator) -> Iterator[Loss]:
        """The distance of the drawn pictures from the true ones, and of what the layer says about both."""
        inverter = self.networks["inverter"]
        assert isinstance(inverter, Inverter)
        known = self.features(batch["picture"])
        drawn = inverter(known)
        loss = inversion_loss(drawn, batch["picture"])
        if self.options.agreement:
            again = self.features(drawn, gradient=True)
            loss = loss + self.options.agreement * ((again - known) / inverter.deviation[:, None, None]).square().mean()
        yield Loss("inverter", loss)

    def evaluate(self) -> dict[str, float]:
        """`psnr` (RGB) on held-out pictures, and `same_class`: the share whose drawing the network calls the same."""
        ratios, same = [], []
        for picture, features, original in self._held_out():
            drawn = self.networks["inverter"](features.to(self.device)).clamp(0, 1)
            ratios.append(float(psnr_rgb(drawn.cpu(), picture)))
            answer = forward(self.twin, self.subject.normalised(drawn), gradient=False).output
            same.append(int(first_tensor(answer).argmax()) == original)
        self.figures = {
            "psnr": float(np.mean(ratios)),
            "same_class": float(np.mean(same)),
            "held_out_pictures": float(len(same)),
        }
        return self.figures

    def _held_out(self) -> list[tuple[Tensor, Tensor, int]]:
        """Held-out pictures (1, 3, side, side) as the explained network gets them, their features and classes."""
        if not self._known:
            for picture in held_out_pictures(self.subject, self.options.pictures, self.data)[:_HELD_OUT]:
                x = self.subject.normalised(picture.to(self.device))
                trace = forward(self.twin, x, layer=self.layer, gradient=False)
                assert trace.activation is not None
                answer = int(first_tensor(trace.output).argmax())
                self._known.append((picture, trace.activation.cpu(), answer))
        return self._known

    def samples(self) -> dict[str, Tensor]:
        """Some held-out pictures above what was drawn of them."""
        some = self._held_out()[:6]
        features = torch.cat([features for _, features, _ in some]).to(self.device)
        drawn = self.networks["inverter"](features).clamp(0, 1).cpu()
        return {"drawn": torch.cat([torch.cat([picture for picture, _, _ in some]), drawn], dim=2)}

    def record(self) -> dict[str, Any]:
        """The record's fields that the loop does not know."""
        figures = self.figures
        return {
            "network": "unpool.explanation.model:Inverter",
            "config": self.config,
            "data_licence": "research only",
            "headline": f"{self.options.model} at {self.options.layer}: {figures['psnr']:.1f} dB, "
            f"same class {figures['same_class']:.0%}",
        }


def held_out_pictures(subject: Subject, kind: str, data: Path | None) -> list[Tensor]:
    """Held-out photographs or faces in [0, 1], (1, 3, side, side) each, as `subject` gets them."""
    if kind == "faces":
        people = People(data, held_out=True)
        step = max(1, len(people) // 200)
        return [people.plain(i)[None] for i in range(0, len(people), step)]
    pack = photos(data)
    inputs = (subject.inputs(np.asarray(pack[int(i)])) for i in pack.where(part="validation"))
    return [subject.pixels(x).cpu().float().clamp(0, 1).contiguous() for x in inputs]


def _planes(samples: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(samples.transpose(2, 0, 1))).float().div_(255)


def _centred(pictures: Tensor) -> Tensor:
    return (pictures - 0.5) / 0.25


def _resized(pictures: Tensor, side: int) -> Tensor:
    if pictures.shape[-1] == side:
        return pictures
    return F.interpolate(pictures, (side, side), mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
