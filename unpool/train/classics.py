"""The shipped classic networks measured on their test data, beside the plain method that each one has to beat."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unpool.errors import DataError
from unpool.images.metrics import psnr_rgb
from unpool.nn.pooling import max_pool, unpool
from unpool.train.data.faces import faces
from unpool.train.data.fashion import FashionSamples
from unpool.train.data.find import find
from unpool.train.data.folders import pictures, rgb8
from unpool.zoo.weights import load_module, shipped

Figures = dict[str, float]


@torch.inference_mode()
def figures(data: Path | None, report: Callable[[str], None] = lambda _: None) -> dict[str, Figures]:
    """Name -> figures of every shipped classic; one whose data is not here is reported and left out."""
    measured: dict[str, Figures] = {}
    for name, measure in _MEASURES.items():
        if name in shipped():
            try:
                measured[name] = measure(load_module(name)[0], data)
            except DataError as error:
                report(f"{name}: {error}")
    return measured


def _fashion(data: Path | None) -> tuple[Tensor, Tensor]:
    test = FashionSamples("test", data)
    return torch.from_numpy(test.batch(0, len(test))), torch.from_numpy(test.labels)


def _in_pieces(network: Callable[[Tensor], Tensor], pictures_: Tensor) -> Tensor:
    return torch.cat([network(piece) for piece in pictures_.split(500)])


def _apart(again: Tensor, pictures_: Tensor, unit: str = "grey") -> Figures:
    again = again.clamp(0, 1)
    error = float((again - pictures_).square().mean())
    return {"mse": error, f"psnr_{unit}": float(psnr_rgb(again, pictures_).mean())}


def _classifier(network: Any, data: Path | None) -> Figures:
    test, labels = _fashion(data)
    return {"accuracy": float((_in_pieces(network, test).argmax(1) == labels).float().mean())}


def _generator(network: Any, data: Path | None) -> Figures:
    """Reconstruction from test features; and how many generated pictures the classifier takes for their class."""
    classifier: Any = load_module("classic/cnn-classifier")[0]
    test, _ = _fashion(data)
    again = _in_pieces(lambda piece: network(classifier.features(piece)), test)
    wanted = torch.arange(10).repeat_interleave(100)
    drawn = network.generate(wanted, torch.Generator().manual_seed(0))
    recognised = float((classifier(drawn).argmax(1) == wanted).float().mean())
    return {**_apart(again, test), "generated_recognised": recognised}


def _dense(network: Any, data: Path | None) -> Figures:
    """Beside the best linear code of the same length: principal components of the training pictures."""
    test, _ = _fashion(data)
    train = FashionSamples("train", data)
    flat = torch.from_numpy(train.batch(0, len(train))).flatten(1)
    mean = flat.mean(0)
    length = network.encode(test[:1]).shape[1]
    directions = torch.linalg.eigh(torch.cov(flat.T))[1][:, -length:]
    linear = (mean + (test.flatten(1) - mean) @ directions @ directions.T).view_as(test)
    peer = {f"pca_{name}": value for name, value in _apart(linear, test).items()}
    return {**_apart(_in_pieces(network, test), test), **peer, "numbers": float(length)}


def _deconvnet(network: Any, data: Path | None) -> Figures:
    """Beside the picture itself, pooled and put back by its switches."""
    test, _ = _fashion(data)
    values, switches = max_pool(test, 2)
    peer = {f"pooled_{name}": value for name, value in _apart(unpool(values, switches, (28, 28)), test).items()}
    return {**_apart(_in_pieces(network, test), test), **peer}


def _conv_deconv(network: Any, data: Path | None) -> Figures:
    decibels = []
    for listed in pictures(find("kodak", data)):
        picture = _tensor(rgb8(listed.path))
        decibels.append(psnr_rgb(network(picture).clamp(0, 1), picture))
    return {"kodak_psnr_rgb": float(torch.cat(decibels).mean())}


def _faces(network: Any, data: Path | None) -> Figures:
    pack = faces(64, data)
    unseen = pack.where(part="held-out", source="celeba_aligned")
    whole = torch.cat([_tensor(pack[int(i)]) for i in unseen])
    return _apart(torch.cat([network(piece) for piece in whole.split(32)]), whole, "rgb")


def _tensor(samples: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(samples.transpose(2, 0, 1)))[None].float() / 255


_MEASURES: dict[str, Callable[[Any, Path | None], Figures]] = {
    "classic/cnn-classifier": _classifier,
    "classic/deconv-generator": _generator,
    "classic/dense-autoencoder": _dense,
    "classic/deconvnet": _deconvnet,
    "classic/conv-deconv": _conv_deconv,
    "classic/face-deconv": _faces,
}
