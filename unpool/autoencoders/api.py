"""What a user calls: pictures to codes, codes to pictures. The model is loaded once and serves many calls."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from unpool.autoencoders.family import KSparse
from unpool.autoencoders.model import Autoencoder
from unpool.autoencoders.quantised import VectorQuantised
from unpool.autoencoders.refining import refined
from unpool.errors import ModelError
from unpool.images.picture import Picture
from unpool.images.reading import Source, read
from unpool.train.data.faces import MARGIN
from unpool.zoo.record import Record
from unpool.zoo.runtime import inference

_BATCH = 64


class Coder:
    """An autoencoder at work: `unpool.load("autoencoders/faces")`.

    Pictures are cut to their central part of the network's shape and resized to it. For the models of faces they are
    aligned faces: `face_of` finds and aligns one in any picture. One picture, or many at once: a path, PIL image,
    array, tensor (C, H, W), `Picture`, or a sequence of these.

    module: the network. record: its weight file's record. size: (height, width) of its pictures.
    """

    def __init__(self, module: torch.nn.Module, record: Record, device: torch.device) -> None:
        if not isinstance(module, Autoencoder):
            raise ModelError(f"{record.name}: {type(module).__name__} is not an autoencoder of this package's family")
        self.module = module
        self.record = record
        self.device = device

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the pictures that go in and come out."""
        return self.module.size

    def prepare(self, picture: Source) -> Tensor:
        """One picture as the network takes it: (1, channels, height, width) float32 in [0, 1]."""
        found = read(picture)
        values = found.rgb() if self.module.channels == 3 else found.tensor()
        if values.shape[1] != self.module.channels:
            weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
            values = (values * weights).sum(1, keepdim=True)
        height, width = values.shape[-2:]
        wanted_height, wanted_width = self.size
        rows = min(height, round(width * wanted_height / wanted_width))
        columns = min(width, round(height * wanted_width / wanted_height))
        top, left = (height - rows) // 2, (width - columns) // 2
        values = values[..., top : top + max(rows, 1), left : left + max(columns, 1)]
        if values.shape[-2:] != self.size:
            values = F.interpolate(values, self.size, mode="bicubic", antialias=True, align_corners=False)
        return values.clamp(0, 1)

    def face_of(self, picture: Source) -> Picture:
        """The largest face of a picture, found and aligned as the training faces were, at the network's size.

        Raises PictureError where there is no face, ModelError where the detector is not installed.
        """
        from unpool.faces.api import align

        return align(picture, size=self.size[0], margin=MARGIN)

    def encode(self, pictures: "Source | Sequence[Source]", refine: int = 0) -> np.ndarray:
        """Codes of pictures, (N, code): float32, or int64 of a vector-quantised model. N is 1 for a single picture.

        refine: steps by which each code is moved to make its own reconstruction better; 8 get most of what there is,
            for some ten times the time. Not for models whose codes are entries of a book or mostly zero.

        Raises PictureError for what is no picture, ModelError where codes cannot be refined.
        """
        if refine < 0 or (refine and isinstance(self.module, VectorQuantised | KSparse)):
            raise ModelError(f"refine is {refine}: give 0, or more for a model whose codes are free numbers")
        codes = []
        for batch in _batches(self.prepare(one) for one in _several(pictures)):
            with inference(self.device, exact=True):
                code = self.module.encode(batch.to(self.device))
                if refine:
                    code = refined(self.module, batch.to(self.device), code, refine)
            codes.append(code.float().cpu() if code.is_floating_point() else code.cpu())
        return torch.cat(codes).numpy()

    def decode(self, codes: np.ndarray) -> list[Picture]:
        """Pictures of codes (N, code), or of one code (code,)."""
        return [Picture.from_tensor(one) for one in self.decode_tensor(codes)]

    def decode_tensor(self, codes: np.ndarray) -> Tensor:
        """Pictures of codes (N, code) as float32 (N, channels, height, width) in [0, 1]."""
        rows = np.atleast_2d(np.asarray(codes))
        if rows.ndim != 2 or rows.shape[1] != self.module.code:
            raise ModelError(f"codes of {self.record.name} are (N, {self.module.code}), not {np.shape(codes)}")
        numbers = torch.from_numpy(np.ascontiguousarray(rows))
        numbers = numbers.float() if numbers.is_floating_point() else numbers.long()
        made = []
        for batch in numbers.split(_BATCH):
            with inference(self.device, exact=True):
                made.append(self.module.decode(batch.to(self.device)).float().cpu().clamp(0, 1))
        return torch.cat(made).clone()

    def reconstruct(self, pictures: "Source | Sequence[Source]") -> list[Picture]:
        """Each picture as its code remembers it, at the network's size."""
        return self.decode(self.encode(pictures))

    def error(self, pictures: "Source | Sequence[Source]") -> np.ndarray:
        """Mean squared difference (N,) between each picture, at the network's size, and its reconstruction.

        Small for what the model was trained on, large for anything else: a score for anomalies.
        """
        errors = []
        for batch in _batches(self.prepare(one) for one in _several(pictures)):
            with inference(self.device, exact=True):
                again = self.module.decode(self.module.encode(batch.to(self.device))).cpu().clamp(0, 1)
            errors.append((again - batch).square().flatten(1).mean(1))
        return torch.cat(errors).numpy()

    def between(self, first: np.ndarray, second: np.ndarray, steps: int = 5) -> list[Picture]:
        """Pictures of `steps` codes on the straight line from one code (code,) to another, both ends included."""
        share = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
        return self.decode((1 - share) * np.asarray(first) + share * np.asarray(second))


def to_8_bit(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes (N, D) in one byte a number: uint8 (N, D), and the lowest value and step of each number, (D,) float32.

    `low + step * bytes` gives the codes back, within half a step.
    """
    low, high = codes.min(0), codes.max(0)
    step = np.maximum((high - low) / 255, 1e-12).astype(np.float32)
    return np.round((codes - low) / step).astype(np.uint8), low.astype(np.float32), step


def _several(pictures: Any) -> list[Source]:
    if isinstance(pictures, list | tuple):
        return list(pictures)
    if isinstance(pictures, Tensor | np.ndarray) and pictures.ndim == 4:
        return [cast(Source, one) for one in pictures]
    return [pictures]


def _batches(tensors: Iterable[Tensor]) -> Iterable[Tensor]:
    waiting: list[Tensor] = []
    for tensor in tensors:
        waiting.append(tensor)
        if len(waiting) == _BATCH:
            yield torch.cat(waiting)
            waiting = []
    if waiting:
        yield torch.cat(waiting)
