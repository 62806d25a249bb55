"""dlib's face recogniser (King 2017, weights CC0) in torch: the teacher, and a peer of the bench.

Its file is read as it lies in the wheel `face-recognition-models`; dlib itself cuts its faces out.
"""

import hashlib
import importlib.util
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unpool.errors import MissingExtraError, ModelError

SIZE = 150  # height and width of its input
INSTALL = "pip install --no-deps face_recognition_models==0.3.0"
_SHA256 = "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30"
_NAME = "dlib_face_recognition_resnet_model_v1.dat"
_MEAN = (122.782, 117.001, 104.298)
_LAYER = re.compile(rb"con_4|affine_")
_LINEAR = b"\x01\x02\x02\x00\x01\x01\x80\x01\x01\x01\x01"  # a tensor's version 2 and its shape 256 x 128 x 1 x 1


def model_file(name: str = _NAME) -> Path:
    """A file of the wheel's; `ModelError` says how to get it."""
    package = importlib.util.find_spec("face_recognition_models")
    folders = list(package.submodule_search_locations or []) if package else []
    files = [path for path in (Path(folder) / "models" / name for folder in folders) if path.is_file()]
    if not files:
        raise ModelError(f"dlib's models are not installed: {INSTALL}")
    return files[0]


def _integer(data: bytes, at: int) -> tuple[int, int]:
    """dlib's integer: a byte with the count of bytes, then those, least first. Returns it and where it ends."""
    end = at + 1 + (data[at] & 15)
    return int.from_bytes(data[at + 1 : end], "little"), end


def _tensor(data: bytes, at: int) -> tuple[np.ndarray, int]:
    """dlib's tensor: version, four extents, float32 values. Returns the values in a row and where they end."""
    shape = []
    for _ in range(5):
        number, at = _integer(data, at)
        shape.append(number)
    count = int(np.prod(shape[1:]))
    return np.frombuffer(data, "<f4", count, at), at + 4 * count


@lru_cache(maxsize=1)
def weights() -> tuple[list[tuple[Tensor, Tensor, int]], Tensor]:
    """The network's 29 convolutions, each (weight, bias, stride) with its scaling worked in, and its last matrix."""
    path = model_file()
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != _SHA256:
        raise ModelError(f"{path}: not the file as published; install it again: {INSTALL}")
    blocks: list[tuple[np.ndarray, int]] = []
    at = 0
    while found := _LAYER.search(data, at):
        values, at = _tensor(data, found.end())
        fields = []  # of a convolution: filters, rows, columns, stride
        after = at
        for _ in range(4):
            number, after = _integer(data, after)
            fields.append(number)
        blocks.append((values, fields[3]))
    convolutions = []
    channels = 3
    for (kernel, stride), (scaling, _) in zip(blocks[::2], blocks[1::2]):
        filters = len(scaling) // 2
        side = round(((len(kernel) - filters) / filters / channels) ** 0.5)
        weight, bias, gain, offset = (
            torch.from_numpy(part.copy())
            for part in (kernel[:-filters], kernel[-filters:], scaling[:filters], scaling[filters:])
        )
        weight = weight.view(filters, channels, side, side) * gain.view(-1, 1, 1, 1)
        convolutions.append((weight, bias * gain + offset, stride))
        channels = filters
    at = data.rindex(_LINEAR) + len(_LINEAR)
    return convolutions, torch.from_numpy(np.frombuffer(data, "<f4", 256 * 128, at).reshape(256, 128).copy())


class DlibRecogniser(nn.Module):
    """A residual network of 29 convolutions, 5.6 M parameters: face (150x150) to 128 numbers, compared by distance."""

    def __init__(self) -> None:
        super().__init__()
        convolutions, last = weights()
        self.convs = nn.ModuleList()
        for weight, bias, stride in convolutions:
            layer = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2], stride, 1 if stride == 1 else 0)
            layer.weight, layer.bias = nn.Parameter(weight, False), nn.Parameter(bias, False)
            self.convs.append(layer)
        self.register_buffer("last", last)
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1))
        self.last: Tensor
        self.mean: Tensor

    def layers(self) -> list[nn.Conv2d]:
        """The convolutions, in the order they run."""
        return [layer for layer in self.convs if isinstance(layer, nn.Conv2d)]

    def forward(self, chip: Tensor) -> Tensor:
        """dlib's face chip (N, 3, 150, 150) in [0, 1] -> (N, 128); two of one person lie closer than about 0.6."""
        stem, *rest = self.layers()
        x = F.max_pool2d(F.relu(stem((chip * 255 - self.mean) / 256)), 3, 2)
        for first, second in zip(rest[::2], rest[1::2]):
            y, shortcut = second(F.relu(first(x))), x
            if first.stride[0] == 2:
                shortcut = F.avg_pool2d(x, 2, 2)
                side, channels = max(y.shape[3], shortcut.shape[3]), max(y.shape[1], shortcut.shape[1])
                y, shortcut = (
                    F.pad(z, (0, side - z.shape[3], 0, side - z.shape[2], 0, channels - z.shape[1]))
                    for z in (y, shortcut)
                )
            x = F.relu(y + shortcut)
        return x.mean((2, 3)) @ self.last


@lru_cache(maxsize=1)
def _landmarks() -> Any:
    try:
        import dlib
    except ImportError:
        raise MissingExtraError("dlib's alignment", "bench") from None
    return dlib.shape_predictor(str(model_file("shape_predictor_5_face_landmarks.dat")))


def dlib_chips(pictures: list[np.ndarray], shown: list[np.ndarray], box: tuple[int, int, int, int]) -> Tensor:
    """Faces cut out as dlib does it: its own five landmarks in `box` (left, top, right, bottom), its own framing.

    pictures: (H, W, 3) uint8, where the landmarks are found. shown: what is cut, the same pictures or worse ones.
    Returns (N, 3, 150, 150) in [0, 1].
    """
    predictor = _landmarks()
    import dlib

    where = dlib.rectangle(*box)
    found = (predictor(np.ascontiguousarray(picture), where) for picture in pictures)
    cut = [dlib.get_face_chip(np.ascontiguousarray(face), at, size=SIZE) for face, at in zip(shown, found)]
    return torch.from_numpy(np.stack(cut)).permute(0, 3, 1, 2).float() / 255
