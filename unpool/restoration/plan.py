"""What is asked of a restoration, and which networks or classical methods answer it, in which order."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from unpool.errors import ModelError, UnpoolError
from unpool.images.picture import Picture
from unpool.images.reading import Source, read
from unpool.restoration import classical
from unpool.restoration.estimate import Estimate, estimate
from unpool.restoration.network import Progress, Shrunk, TiledNetwork
from unpool.zoo.record import Record
from unpool.zoo.runtime import choose_device
from unpool.zoo.weights import load_module, shipped

_LARGEST_BLUR = 100  # pixels; kernels grow with its square
TASKS = ("auto", "sr", "photo", "denoise", "jpeg", "deblur")
_ENLARGING = ("sr", "photo")
_ENLARGING_METHODS = ("bicubic", "lanczos")
_LOOKED_AT = 1024  # the estimate looks at the central part of a picture, at most this many pixels a side


class Predictor:
    """A restorer of the zoo, ready to answer: `predictor.restore(picture)`; `.module` and `.record` as loaded."""

    def __init__(self, module: nn.Module, record: Record | None, device: torch.device) -> None:
        self.module, self.record, self.device = module, record, device
        self.network = TiledNetwork(module, device)
        self.scale = self.network.scale
        self.name = record.name if record else type(module).__name__

    def restore(self, picture: Source, *, strength: float = 0.0, progress: Progress | None = None) -> Picture:
        """The picture restored: `scale` times as large, in its own bit depth, alpha enlarged on its own."""
        known = read(picture)
        return assembled(self.bands(known, strength, progress), known, self.scale)

    def bands(self, picture: Picture, strength: float = 0.0, progress: Progress | None = None) -> Iterator[np.ndarray]:
        """The restored picture from top to bottom; see `TiledNetwork.bands`."""
        return self.network.bands(picture, strength=strength, progress=progress)

    def tensor(self, planes: Tensor, strength: float = 0.0) -> Tensor:
        """(N, 1 or 3, H, W) in [0, 1] restored, not clipped, in memory."""
        return self.network(planes, strength)


class Classical:
    """A classical method in the place of a network; it sees the whole picture at once."""

    def __init__(self, method: str, settings: classical.Settings) -> None:
        self.name, self.settings = method, settings
        self.scale = settings.scale if method in _ENLARGING_METHODS else 1

    def bands(self, picture: Picture, strength: float = 0.0, progress: Progress | None = None) -> Iterator[np.ndarray]:
        """The whole picture as one band."""
        planes = [self.tensor(picture.tensor())]
        if picture.alpha is not None:
            alpha = Picture(picture.alpha[:, :, None]).tensor()
            planes.append(self.tensor(alpha) if self.scale != 1 else alpha)
        levels = np.iinfo(picture.samples.dtype).max
        band = torch.cat(planes, 1)[0].clamp_(0, 1).mul_(levels).round_()
        yield band.permute(1, 2, 0).numpy().astype(picture.samples.dtype)
        if progress is not None:
            progress(1, 1)

    def tensor(self, planes: Tensor, strength: float = 0.0) -> Tensor:
        """(N, C, H, W) in [0, 1] restored, not clipped."""
        mended = classical.run(self.name, planes, self.settings)
        if not bool(mended.isfinite().all()):
            raise UnpoolError(f"{self.name} did not find an answer for this picture (values are not finite)")
        return mended


Step = Predictor | Classical


@dataclass(frozen=True)
class Wish:
    """What is asked for; fields as the arguments of `unpool.restore`.

    Raises:
        UnpoolError: a field is out of range, or two do not go together.
    """

    scale: float | None = None
    task: str = "auto"
    model: "str | Path | nn.Module | Predictor | None" = None
    method: str = "network"
    strength: float = 0.0
    sigma: float | None = None
    blur: float | None = None
    motion: tuple[float, float] | None = None
    iterations: int = 30
    device: "str | torch.device" = "auto"

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise UnpoolError(f"there is no task {self.task!r}; there are: {', '.join(TASKS)}")
        if not 0 <= self.strength <= 1:
            raise UnpoolError(f"strength is {self.strength}: give 0 (faithful) to 1 (strong)")
        if self.scale is not None and not 1 <= self.scale <= 16:
            raise UnpoolError(f"scale is {self.scale}: give 1 to 16")
        length, angle = self.motion or (0.0, 0.0)
        if not all(0 <= pixels <= _LARGEST_BLUR for pixels in (self.blur or 0.0, length)) or not math.isfinite(angle):
            raise UnpoolError(f"a known blur has 0 to {_LARGEST_BLUR} pixels, and motion a finite angle")
        if self.blur is not None and self.motion is not None:
            raise UnpoolError("give the blur or the motion that is known, not both")
        if self.method == "network":
            if any(known is not None for known in (self.sigma, self.blur, self.motion)):
                raise UnpoolError("a network finds noise and blur itself: leave them out, or choose a classical method")
            return
        if self.model is not None or self.task != "auto" or self.strength:
            raise UnpoolError(f"{self.method} is no network: leave out task, model and strength")
        if self.method not in classical.METHODS:
            raise UnpoolError(f"there is no method {self.method!r}; there are: network, {', '.join(classical.METHODS)}")
        enlarges = self.method in _ENLARGING_METHODS
        if enlarges != (self.scale not in (None, 1)):
            raise UnpoolError(
                f"{self.method} enlarges: give a scale above 1"
                if enlarges
                else f"{self.method} does not enlarge: leave the scale out"
            )


@dataclass(frozen=True)
class Plan:
    """Which steps a picture needs: `steps` run one after the other; `found` is what `auto` saw."""

    steps: tuple[Step, ...]
    found: Estimate | None

    @property
    def names(self) -> tuple[str, ...]:
        """The steps' models and methods."""
        return tuple(step.name for step in self.steps)

    @property
    def scale(self) -> float:
        """Of all steps together."""
        return float(np.prod([step.scale for step in self.steps])) if self.steps else 1.0

    def size(self, picture: Picture) -> tuple[int, int]:
        """Height and width of the result."""
        return int(np.ceil(picture.height * self.scale - 1e-9)), int(np.ceil(picture.width * self.scale - 1e-9))


def make_plan(wish: Wish, picture: Picture, source: object = None) -> Plan:
    """What to do with a picture. `source`: the path or bytes it came from, whose JPEG tables `auto` looks at.

    Raises:
        ModelError: there is no such model, or it does not fit what is asked.
    """
    if wish.method != "network":
        settings = classical.Settings(wish.scale or 1.0, wish.sigma, wish.blur, wish.motion, wish.iterations)
        return Plan((Classical(wish.method, settings),), None)
    device, scale, found = choose_device(wish.device), wish.scale, None
    if wish.model is not None:
        return Plan((_fitting(_chosen(wish.model, device), scale),), None)
    if wish.task in _ENLARGING:
        return Plan(enlargers(wish.task, scale or 4, device), None)
    if wish.task == "auto":
        found = estimate(_centre(picture), source)
        if scale not in (None, 1) and found.like_a_photograph and "restoration/photo-x4" in shipped():
            return Plan(enlargers("photo", scale, device)[:1] + enlargers("sr", scale, device)[1:], found)
        kinds = [found.task] if found.task and f"restoration/{found.task}" in shipped() else []
    else:
        kinds = [wish.task]
    steps = tuple(_of_the_zoo(f"restoration/{kind}", device) for kind in kinds)
    return Plan(steps + (enlargers("sr", scale, device) if scale not in (None, 1) else ()), found)


def enlargers(kind: str, scale: float, device: torch.device) -> tuple[Predictor, ...]:
    """Models that together enlarge by `scale`, a product of 2, 3 and 4, the largest factor first.

    Where there is no model for a factor, the next larger one's answer is shrunk.
    """
    left, factors = round(scale), []
    for factor in (4, 3, 2):
        while left % factor == 0:
            left //= factor
            factors.append(factor)
    if left != 1 or not float(scale).is_integer():
        raise ModelError(f"no models enlarge {scale:g} times: give 2, 3, 4, 6, 8, 9, 12 or 16, or --method bicubic")
    return tuple(_enlarger(kind, factor, device) for factor in factors)


@lru_cache(maxsize=8)
def _enlarger(kind: str, factor: int, device: torch.device) -> Predictor:
    known = [larger for larger in range(factor, 5) if f"restoration/{kind}-x{larger}" in shipped()]
    if not known or known[0] == factor:
        return _of_the_zoo(f"restoration/{kind}-x{factor}", device)
    larger = _of_the_zoo(f"restoration/{kind}-x{known[0]}", device)
    shrunk = Predictor(Shrunk(larger.module, known[0], factor), larger.record, device)
    shrunk.name = f"{larger.name}, shrunk to x{factor}"
    return shrunk


def _of_the_zoo(name: str, device: torch.device) -> Predictor:
    known = [one for one in shipped() if one.startswith("restoration/")]
    if name not in known:
        raise ModelError(
            f"there is no model {name} yet; there are: {', '.join(known) or 'none'} (`unpool train` makes more, "
            "`--model FILE` runs them, `--method` has classical ones)"
        )
    return _loaded(name, device)


def _opened(name: str, device: torch.device) -> Predictor:
    module, record = load_module(name)
    if record.task != "restoration":
        raise ModelError(f"{name} is a model for {record.task}, not for restoration")
    return Predictor(module, record, device)


_loaded = lru_cache(maxsize=8)(_opened)  # of the package's own models, which do not change


def _chosen(model: "str | Path | nn.Module | Predictor", device: torch.device) -> Predictor:
    if isinstance(model, Predictor):
        return model
    if isinstance(model, nn.Module):
        return Predictor(model, None, device)
    return _loaded(str(model), device) if str(model) in shipped() else _opened(str(model), device)


def _fitting(predictor: Predictor, scale: float | None) -> Predictor:
    if scale is not None and scale != predictor.scale:
        raise ModelError(f"{predictor.name} enlarges {predictor.scale} times, not {scale:g} times")
    return predictor


def _centre(picture: Picture) -> Tensor:
    """The middle of a picture from a multiple of 8 on, where its JPEG blocks begin."""
    top = max(0, (picture.height - _LOOKED_AT) // 2) // 8 * 8
    left = max(0, (picture.width - _LOOKED_AT) // 2) // 8 * 8
    return picture.tensor((top, left, min(picture.height, _LOOKED_AT), min(picture.width, _LOOKED_AT)))


def assembled(bands: Iterator[np.ndarray], like: Picture, scale: float) -> Picture:
    """One picture of all bands, written into one array as they come."""
    height, width = (int(np.ceil(side * scale - 1e-9)) for side in (like.height, like.width))
    channels = like.samples.shape[2]
    samples = np.empty((height, width, channels), like.samples.dtype)
    alpha = None if like.alpha is None else np.empty((height, width), like.samples.dtype)
    row = 0
    for band in bands:
        samples[row : row + len(band)] = band[..., :channels]
        if alpha is not None:
            alpha[row : row + len(band)] = band[..., channels]
        row += len(band)
    return Picture(samples, alpha, like.exif, like.icc)
