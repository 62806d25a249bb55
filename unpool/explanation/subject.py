"""The network to be explained, however it was given: its module, its classes' names, and how a picture becomes its
input."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unpool.errors import ModelError
from unpool.explanation.shadow import parameter_kind, refuse_closed
from unpool.images.picture import Picture
from unpool.images.reading import as_picture


class Subject:
    """A model's name, a predictor from `unpool.load`, any `nn.Module`, or another subject, seen as one thing.

    Attributes:
        module: the network itself, never written to.
        names: the names of its classes, or None.
        device, dtype: of its parameters; pictures are brought there.
    """

    def __init__(self, model: Any) -> None:
        if isinstance(model, Subject):
            self.__dict__.update(model.__dict__)
            return
        if isinstance(model, str | Path):
            from unpool.zoo.loading import load

            model = load(model)
        self._predictor = None if isinstance(model, nn.Module) else model
        self.module: nn.Module = model if self._predictor is None else getattr(model, "module", model)
        refuse_closed(self.module)
        self.names: Sequence[str] | None = getattr(self._predictor, "names", None)
        self.device, self.dtype = parameter_kind(self.module)

    @property
    def _preprocessing(self) -> Any:
        return getattr(getattr(self._predictor, "record", None), "preprocessing", None)

    @property
    def size(self) -> int | None:
        """The side of the network's input in pixels where it wants a certain one."""
        how = self._preprocessing
        return None if how is None or how.size is None else how.size[0]

    def inputs(self, picture: Any) -> Tensor:
        """The network's input (N, C, H, W) from a picture or a list of them.

        A float tensor (N, C, H, W) is taken as the input itself. Anything else is read as a picture and prepared as the
        predictor prepares it; for a plain module it becomes RGB in [0, 1] at its own size, grey where the network's
        first convolution takes one channel.
        """
        if isinstance(picture, Tensor) and picture.ndim == 4:
            if not picture.is_floating_point():
                raise ModelError(
                    f"a tensor of four dimensions is the network's input itself: give floats, not {picture.dtype}"
                )
            x = picture
        elif isinstance(picture, list | tuple):
            if not picture:
                raise ModelError("no pictures were given")
            rows = [self.inputs(one) for one in picture]
            if len({row.shape[1:] for row in rows}) > 1:
                raise ModelError("the pictures become inputs of different sizes: give them one by one")
            x = torch.cat(rows)
        else:
            x = self._prepared(picture)
        return x.detach().to(self.device, self.dtype)

    def _prepared(self, picture: Any) -> Tensor:
        if hasattr(self._predictor, "prepare"):
            return self._predictor.prepare(picture)  # type: ignore[union-attr]
        read = as_picture(picture)
        x = read.rgb()
        first = next((m for m in self.module.modules() if isinstance(m, nn.Conv2d)), None)
        if first is not None and first.in_channels == 1:
            x = x.mean(1, keepdim=True)
        how = self._preprocessing
        if how is not None and how.size is not None:
            x = F.interpolate(x, how.size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
        return self.normalised(x)

    def normalised(self, x: Tensor) -> Tensor:
        """Pictures (N, C, H, W) in [0, 1], already of the right size, in the units of the network's input."""
        how = self._preprocessing
        if how is None:
            return x
        low, high = how.range
        return (x * (high - low) + low - _column(how.mean, x)) / _column(how.std, x)

    def pixels(self, x: Tensor) -> Tensor:
        """The way back: inputs of the network as pictures in [0, 1]."""
        how = self._preprocessing
        if how is None:
            return x
        low, high = how.range
        return (x * _column(how.std, x) + _column(how.mean, x) - low) / (high - low)

    def picture(self, x: Tensor) -> Picture:
        """An input (1, C, H, W) as the picture that a person sees; stretched where nobody knows how it was prepared."""
        x = self.pixels(x.detach().float().cpu())
        if self._preprocessing is None and (x.amin() < -0.01 or x.amax() > 1.01):
            x = (x - x.amin()) / (x.amax() - x.amin()).clamp(min=1e-12)
        return Picture.from_tensor(x if x.shape[1] in (1, 3) else x.mean(1, keepdim=True))


def _column(values: Sequence[float], like: Tensor) -> Tensor:
    return torch.tensor(values, dtype=like.dtype, device=like.device).view(1, -1, 1, 1)
