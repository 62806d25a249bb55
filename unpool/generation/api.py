"""What a user calls: `generate`, and a `Generation` that holds a generator for many calls."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from unpool.errors import ModelError, UnpoolError
from unpool.generation.model import Generator
from unpool.generation.seeds import drawn
from unpool.images.picture import Picture
from unpool.images.reading import as_picture
from unpool.zoo.loading import load
from unpool.zoo.record import Record
from unpool.zoo.runtime import inference
from unpool.zoo.weights import read_record, shipped

if TYPE_CHECKING:
    from unpool.generation.pictures import Pictures

_BATCH = 64


def generate(
    model: str = "faces",
    n: int = 1,
    *,
    seed: int = 0,
    label: int | None = None,
    truncation: float = 1.0,
    device: str = "auto",
) -> list[Picture]:
    """Generate `n` pictures, those of seeds `seed`, `seed + 1`, ...; the same seed gives the same picture.

    Args:
        model: "faces", "fashion", or the name or path of a generator's weights.
        n: how many.
        seed: the first seed.
        label: the class of all of them, where the generator has classes; by default classes take turns.
        truncation: the latent's scale, 0 to 1: smaller is more typical and less varied.
        device: "auto", "cpu" or "cuda".

    Raises:
        UnpoolError: an unknown model, class or truncation.
    """
    made = load_generation(model, device)
    latents, labels = made.latents(n, seed=seed, label=label, truncation=truncation)
    return made.pictures(latents, labels)


def load_generation(model: str, device: str = "auto") -> "Generation":
    """The generator of pictures `model` ("faces" means "generation/faces"; a path is taken too) for many calls."""
    loaded = opened(model, device)
    if not isinstance(loaded, Generation):
        raise UnpoolError(f"{model} makes no pictures; `unpool.load` gives what it does make")
    return loaded


def opened(model: str, device: str = "auto") -> Any:
    """What answers a user's calls of a model of this wing, of pictures or not."""
    plain = "/" not in model and not model.endswith(".safetensors")
    return load(f"generation/{model}" if plain else model, device)


def predictor(module: Any, record: Record, device: torch.device) -> Any:
    """The answering object that fits a record's network."""
    from unpool.generation.digits import Denoiser, DigitJudge, Judge, MaskAutoencoder, Voices
    from unpool.generation.sentences import SentenceCoder, Writer

    if isinstance(module, Generator):
        return Generation(module, record, device) if len(module.size) == 2 else Voices(module, record, device)
    kinds: dict[type, Any] = {DigitJudge: Judge, MaskAutoencoder: Denoiser, SentenceCoder: Writer}
    if type(module) not in kinds:
        raise ModelError(f"{record.name}: {record.network} is no network that generates")
    return kinds[type(module)](module, record, device)


def pictured() -> list[str]:
    """Names of the shipped generators of pictures, the wing's name left out."""
    ours = [name for name in shipped() if name.startswith("generation/")]
    return [name.rpartition("/")[2] for name in ours if len(read_record(name).config.get("size", ())) == 2]


@dataclass(frozen=True)
class Projection:
    """Where a picture lies in latent space: its latent (latent,), its class, and the mean squared error in [0, 1]."""

    latent: Tensor
    label: int | None
    error: float


class Generation:
    """A generator of pictures: latents in, pictures out, and what lies between.

    Latents are float32 tensors (N, latent), standard normal; labels int64 (N,), or None where there are no classes.
    """

    def __init__(self, module: Generator, record: Record, device: torch.device) -> None:
        self.module, self.record, self.device = module, record, device

    @property
    def classes(self) -> int:
        """How many classes there are, 0 for none."""
        return self.module.classes

    def latents(
        self, n: int, *, seed: int = 0, label: int | None = None, truncation: float = 1.0
    ) -> tuple[Tensor, Tensor | None]:
        """Latents (n, latent) and labels (n,) of the seeds `seed` to `seed + n - 1`, one seed a picture."""
        if not 0 <= truncation <= 1:
            raise UnpoolError(f"truncation lies between 0 and 1, not at {truncation:g}")
        return drawn(self.module.latent, n, seed) * truncation, self.labels(n, label, first=seed)

    def labels(self, n: int, label: int | None = None, first: int = 0) -> Tensor | None:
        """Labels (n,): all `label`, or taking turns from `first`; None where there are no classes."""
        if not self.classes:
            if label is not None:
                raise UnpoolError(f"{self.record.name} has no classes: leave the class out")
            return None
        if label is None:
            return torch.arange(first, first + n) % self.classes
        if not 0 <= label < self.classes:
            raise UnpoolError(f"{self.record.name} has classes 0 to {self.classes - 1}, not {label}")
        return torch.full((n,), label)

    def tensor(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Pictures as (N, channels, height, width) in [0, 1] on the CPU."""
        parts = []
        with inference(self.device):
            for start in range(0, len(latents), _BATCH):
                chosen = slice(start, start + _BATCH)
                label = None if labels is None else labels[chosen].to(self.device)
                made = self.module(latents[chosen].to(self.device), label)
                parts.append(made.float().clamp(0, 1).cpu())
        return torch.cat(parts)

    def pictures(self, latents: Tensor, labels: Tensor | None = None) -> list[Picture]:
        """Pictures of latents (N, latent)."""
        return [Picture.from_tensor(one) for one in self.tensor(latents, labels).split(1)]

    def between(self, first: Tensor, second: Tensor, steps: int) -> Tensor:
        """Latents (steps, latent) on the way from one latent (latent,) to another, both included.

        The way is along the sphere, so that every latent on it is as typical as the two (White 2016).
        """
        if steps < 2:
            raise UnpoolError(f"a way has at least 2 steps, not {steps}")
        share = torch.linspace(0, 1, steps)[:, None]
        angle = torch.acos(F.cosine_similarity(first, second, dim=0).clamp(-1, 1))
        if float(angle.sin()) < 1e-4:
            return torch.lerp(first[None], second[None], share)
        way = (torch.sin((1 - share) * angle) * first + torch.sin(share * angle) * second) / angle.sin()
        return torch.cat([first[None], way[1:-1], second[None]])  # the ends exactly, without rounding

    def mix(self, first: Tensor, second: Tensor, share: float = 0.5) -> Tensor:
        """The latent (latent,) at `share` of the way from `first` to `second`."""
        return self.between(first, second, 101)[round(100 * share)]

    def directions(self, count: int = 8, *, samples: int = 2000, seed: int = 0) -> Tensor:
        """The `count` directions in latent space that change the picture's beginnings most, (count, latent), length 1.

        Principal components of the first layer's responses to random latents, carried back to the latent by
        regression (Harkonen et al. 2020, "GANSpace"). No labels are used. A component has no sign of its own: the
        largest number of each direction is positive.
        """
        if not 1 <= count <= self.module.latent:
            raise UnpoolError(f"there are 1 to {self.module.latent} directions, not {count}")
        latents = torch.randn(samples, self.module.latent, generator=torch.Generator().manual_seed(seed))
        label = None if not self.classes else torch.zeros(samples, dtype=torch.int64, device=self.device)
        with inference(self.device, exact=True):
            responses = self.module.responses(latents.to(self.device), label).flatten(1).cpu()
        # In float64, so that what is left after rounding is the same every time.
        coordinates = _principal(responses.double() - responses.double().mean(0), count)
        solved = torch.linalg.lstsq(coordinates, latents.double()).solution
        largest = solved.gather(1, solved.abs().argmax(1, keepdim=True))
        return F.normalize(solved * largest.sign(), dim=1).float()

    def along(self, latent: Tensor, direction: Tensor, reach: float = 3.0, steps: int = 7) -> Tensor:
        """Latents (steps, latent) from `-reach` to `reach` along a direction (latent,), through `latent`."""
        return latent + torch.linspace(-reach, reach, steps)[:, None] * direction

    def project(
        self, picture: Any, *, label: int | None = None, steps: int = 200, starts: int = 4, seed: int = 0
    ) -> "Projection":
        """The latent whose picture is nearest to a given one.

        The picture (anything `unpool.read` takes) is cropped to its central square and resized. Gradient descent on the
        latent from several starts, with a pull towards typical latents; for a class-conditional generator without
        `label`, every class is tried and the best kept.
        """
        target = self._target(picture).to(self.device)
        if self.classes and label is None:
            labels = torch.arange(self.classes).repeat_interleave(max(1, starts // 2))
        else:
            given = self.labels(starts, label)
            labels = given if given is not None else torch.zeros(starts, dtype=torch.int64)
        best, error = self.invert(target.expand(len(labels), -1, -1, -1), labels, steps=steps, seed=seed)
        nearest = int(error.argmin())
        own_label = int(labels[nearest]) if self.classes else None
        return Projection(best[nearest], own_label, float(error[nearest]))

    def invert(
        self, pictures: Tensor, labels: Tensor | None = None, *, steps: int = 200, seed: int = 0
    ) -> tuple[Tensor, Tensor]:
        """Latents (N, latent) whose pictures come near to `pictures`, and the mean squared errors (N,) that remain.

        Gradient descent on all latents at once, one start each, with a pull towards typical ones. `pictures` are
        (N, channels, height, width) in [0, 1] at the generator's size; `labels` (N,) their classes, if there are any.
        """
        generator = torch.Generator().manual_seed(seed)
        latents = (0.5 * torch.randn(len(pictures), self.module.latent, generator=generator)).to(self.device)
        latents.requires_grad_()
        targets = pictures.to(self.device)
        own = None if not self.classes or labels is None else labels.to(self.device)
        optimiser = torch.optim.Adam([latents], lr=0.1)
        for step in range(steps):
            optimiser.param_groups[0]["lr"] = 0.1 * (1 - step / steps)
            optimiser.zero_grad()
            error = (self.module(latents, own) - targets).square().mean((1, 2, 3))
            (error + 1e-3 * latents.square().mean(1)).sum().backward()
            optimiser.step()
        return latents.detach().cpu(), error.detach().cpu()

    def _target(self, picture: Any) -> Tensor:
        rgb = as_picture(picture).rgb()
        side = min(rgb.shape[2:])
        top, left = (rgb.shape[2] - side) // 2, (rgb.shape[3] - side) // 2
        square = rgb[..., top : top + side, left : left + side]
        target = F.interpolate(square, self.module.size, mode="bicubic", antialias=True, align_corners=False).clamp(
            0, 1
        )
        weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
        return (target * weights).sum(1, keepdim=True) if self._channels == 1 else target

    @property
    def _channels(self) -> int:
        return int(self.record.config.get("channels", 3))


def _principal(centred: Tensor, count: int) -> Tensor:
    """Coordinates (N, count) of centred rows (N, D) along their `count` principal directions, each to some scale."""
    wide = centred.shape[1] > centred.shape[0]
    vectors = torch.linalg.eigh(centred @ centred.T if wide else centred.T @ centred).eigenvectors
    leading = vectors[:, -count:].flip(1)  # eigenvalues ascend
    return leading if wide else centred @ leading


def grid(pictures: Sequence[Picture], columns: int | None = None) -> Picture:
    """Pictures of one size side by side, row by row; by default about as many columns as rows."""
    if not pictures:
        raise UnpoolError("a grid needs at least one picture")
    columns = columns or int(np.ceil(np.sqrt(len(pictures))))
    height, width, channels = pictures[0].samples.shape
    rows = -(-len(pictures) // columns)
    sheet = np.zeros((rows * height, columns * width, channels), np.uint8)
    for i, picture in enumerate(pictures):
        top, left = i // columns * height, i % columns * width
        sheet[top : top + height, left : left + width] = picture.samples
    return Picture(sheet)


def copies(made: Generation, pictures: Sequence[Any], data: Path | None = None) -> list[tuple[Picture, float]]:
    """For each picture the nearest one that the generator was trained on, and their distance.

    Both are compared by their features (see `unpool.generation.features`); the distance is Euclidean.
    Raises `DataError` where the training pictures are not on this machine.
    """
    from unpool.generation.features import features, nearest
    from unpool.generation.pictures import pictures as training

    name = made.record.name.rpartition("/")[2]
    known = training(name, "train", data)
    asked = torch.cat([features(as_picture(one).rgb(), name) for one in pictures])
    distance, index = nearest(asked, all_features(known, name))
    return [(Picture(known.pictures[i].copy()), float(d)) for d, i in zip(distance, index.tolist())]


def all_features(known: "Pictures", name: str) -> Tensor:
    """The features (N, F) of all pictures of a set, made in parts; `name` as `unpool.generation.features` takes it."""
    from unpool.generation.features import features

    every = np.array_split(np.arange(len(known)), -(-len(known) // 500))
    return torch.cat([features(known.tensor(part), name) for part in every])
