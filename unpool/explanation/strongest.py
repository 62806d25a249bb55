"""The figure of Zeiler and Fergus (2014): the patches that excite each channel most, and what it saw in them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from unpool.errors import ModelError
from unpool.explanation.layers import find
from unpool.explanation.rendering import crop_around, montage, reach
from unpool.explanation.run import Run
from unpool.explanation.shadow import shadow
from unpool.explanation.subject import Subject
from unpool.explanation.targets import Neuron
from unpool.images.picture import Picture


@dataclass(frozen=True, eq=False)
class TopActivations:
    """The strongest places of every channel of a layer over many pictures, each picture giving a channel one at most.

    Attributes:
        layer: its name.
        values: (channels, k), strongest first; -inf where there were fewer than k pictures.
        numbers: (channels, k), which picture.
        rows, columns: (channels, k), where in the layer's activation.
        seen: how many pictures were looked at.
    """

    layer: str
    values: Tensor
    numbers: Tensor
    rows: Tensor
    columns: Tensor
    seen: int
    subject: Subject = field(repr=False)
    pictures: Sequence[Any] = field(repr=False)

    def strongest_channels(self, count: int | None = None) -> list[int]:
        """Channels by their strongest value."""
        return self.values[:, 0].argsort(descending=True)[:count].tolist()

    def maps(self, channel: int) -> Iterator[tuple[Tensor, Picture]]:
        """For each of the channel's places its projection by DeconvNet (C, H, W), and the picture it is from."""
        twin = shadow(self.subject.module)
        found = twin.get_submodule(self.layer)
        for value, number, row, column in zip(
            self.values[channel].tolist(),
            self.numbers[channel].tolist(),
            self.rows[channel].tolist(),
            self.columns[channel].tolist(),
        ):
            if value == float("-inf"):
                return
            x = self.subject.inputs(self.pictures[number])
            target = Neuron(channel, row, column) if self._spatial else Neuron(channel)
            (map_,) = Run(twin, x, [target], found).gradients(x, [target], rule="deconvnet")
            yield map_[0], self.subject.picture(x)

    @property
    def _spatial(self) -> bool:
        return int(self.rows.min()) >= 0

    def figure(self, channel: int) -> tuple[Picture, Picture]:
        """Two squares of the same patches: from the pictures, and projected."""
        found = list(self.maps(channel))
        side = max(reach(map_) for map_, _ in found)
        patches = montage([crop_around(map_, seen, side) for map_, seen in found])
        return patches, montage([crop_around(map_, side=side) for map_, _ in found])


def top_activations(
    model: Any, layer: str | None, pictures: Sequence[Any], *, k: int = 9, batch: int = 16
) -> TopActivations:
    """Find what excites each channel of a layer most, in one pass over the pictures.

    Memory does not grow with the number of pictures: k places a channel are kept, and pictures are read again to be
    shown.

    Args:
        model: as for `explain`.
        layer: a name from `model.named_modules()`; None is the last convolution.
        pictures: a sequence of anything `explain` takes for one picture: paths, arrays, PIL images.
        k: places a channel.
        batch: pictures at once, where they become inputs of one size.

    Raises:
        ModelError: no pictures, an unknown layer, or one whose activation is not (N, C) or (N, C, H, W).
    """
    if len(pictures) == 0:
        raise ModelError("there are no pictures to look at")
    if k < 1:
        raise ModelError(f"k is {k}: give at least 1")
    subject = Subject(model)
    twin = shadow(subject.module)
    name, found = find(twin, layer)
    best: tuple[Tensor, Tensor, Tensor] | None = None  # values, picture numbers, flat places: (C, k) each
    width = 1
    spatial = True
    for first, x in _batches(subject, pictures, batch):
        activation = Run(twin, x, [], found).activation()
        if activation.ndim not in (2, 4):
            raise ModelError(f"layer {name!r} gives {tuple(activation.shape)}: choose one with (N, C) or (N, C, H, W)")
        spatial = activation.ndim == 4
        width = activation.shape[-1] if spatial else 1
        values, places = activation.flatten(2).max(2) if spatial else (activation, torch.zeros_like(activation).long())
        numbers = torch.arange(first, first + len(x)).expand(values.shape[1], -1)
        best = _merged(best, (values.T.float().cpu(), numbers, _pair(places.T.cpu(), width)), k)
    assert best is not None
    values, numbers, places = best
    rows, columns = places >> 32, places & 0xFFFFFFFF
    if not spatial:
        rows = torch.full_like(rows, -1)
    return TopActivations(name, values, numbers, rows, columns, len(pictures), subject, pictures)


def _pair(places: Tensor, width: int) -> Tensor:
    """Row and column in one number, so that activations of different sizes may follow each other."""
    return ((places // width) << 32) | (places % width)


Places = tuple[Tensor, Tensor, Tensor]


def _merged(best: Places | None, new: Places, k: int) -> Places:
    """The k strongest of what is kept and what is new; the earlier picture first where they are equal."""
    joined = new if best is None else tuple(torch.cat(pair, dim=1) for pair in zip(best, new))
    values, numbers, places = joined
    missing = k - values.shape[1]
    if missing > 0:
        values = F.pad(values, (0, missing), value=float("-inf"))
        numbers, places = F.pad(numbers, (0, missing)), F.pad(places, (0, missing))
    order = values.argsort(dim=1, descending=True, stable=True)[:, :k]
    return values.gather(1, order), numbers.gather(1, order), places.gather(1, order)


def _batches(subject: Subject, pictures: Sequence[Any], size: int) -> Iterator[tuple[int, Tensor]]:
    """Inputs in batches of one shape, with the number of the first picture of each."""
    waiting: list[Tensor] = []
    for number, picture in enumerate(pictures):
        x = subject.inputs(picture)
        if len(x) != 1:
            raise ModelError("give pictures one by one, not in batches")
        if waiting and (len(waiting) == size or waiting[0].shape != x.shape):
            yield number - len(waiting), torch.cat(waiting)
            waiting = []
        waiting.append(x)
    yield len(pictures) - len(waiting), torch.cat(waiting)
