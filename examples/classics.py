"""The classic networks at work: one picture a network, into the folder given (default: classics)."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from skimage.data import astronaut
from torch import Tensor

from unpool.explanation.classic import DeconvNet
from unpool.images.picture import Picture
from unpool.images.resampling import imresize
from unpool.images.writing import write
from unpool.train.data.fashion import fashion
from unpool.zoo.weights import load_module, shipped


def rows(*pictures: Tensor, zoom: int = 2) -> Picture:
    """Batches (N, C, H, W) as rows of one picture."""
    sheet = torch.cat([torch.cat(list(batch), 2) for batch in pictures], 1)[None]
    return Picture.from_tensor(sheet.repeat_interleave(zoom, 2).repeat_interleave(zoom, 3))


def signed(projections: Tensor) -> Tensor:
    """Projections as pictures: zero is mid grey, each stretched to its own largest value."""
    return 0.5 + 0.5 * projections / projections.abs().amax((1, 2, 3), keepdim=True).clamp(min=1e-9)


def dense_autoencoder(clothes: Tensor) -> Picture:
    """Pictures over their reconstructions from 32 numbers."""
    network, _ = load_module("classic/dense-autoencoder")
    return rows(clothes, network(clothes))


def deconv_generator(clothes: Tensor) -> Picture:
    """Pictures, their reconstructions from the classifier's features, and three generated rows."""
    classifier: Any = load_module("classic/cnn-classifier")[0]
    generator: Any = load_module("classic/deconv-generator")[0]
    made = [generator.generate(torch.arange(10), torch.Generator().manual_seed(seed)) for seed in range(3)]
    return rows(clothes, generator(classifier.features(clothes)), *made)


def deconvnet(clothes: Tensor) -> Picture:
    """Pictures, what one stage gives back, and the strongest activation of each of the classifier's three stages."""
    network, _ = load_module("classic/deconvnet")
    inverted = DeconvNet.of(load_module("classic/cnn-classifier")[0])
    shown = []
    for stage in (1, 2, 3):
        strongest = inverted.encode(clothes, stage)[0].amax((2, 3)).argmax(1)
        found = [inverted.project(one[None], stage, int(channel)) for one, channel in zip(clothes, strongest)]
        shown.append(signed(torch.cat(found)))
    return rows(clothes, network(clothes).clamp(0, 1), *shown)


def restored(name: str) -> Picture:
    """A face of 64 pixels beside its reconstruction."""
    network, _ = load_module(name)
    face = torch.from_numpy(astronaut()[0:220, 110:330]).permute(2, 0, 1)[None].float() / 255
    small = imresize(face, size=(64, 64)).clamp(0, 1)
    return rows(torch.cat([small, network(small).clamp(0, 1)]), zoom=3)


@torch.inference_mode()
def main(folder: Path) -> None:
    """Write a picture for every classic that ships."""
    folder.mkdir(parents=True, exist_ok=True)
    test = fashion("test")
    first = [int(np.flatnonzero(test.labels == label)[0]) for label in range(10)]
    clothes = torch.from_numpy(test.pictures[first])[:, None].float() / 255
    draw: dict[str, Callable[[], Picture]] = {
        "dense-autoencoder": lambda: dense_autoencoder(clothes),
        "deconv-generator": lambda: deconv_generator(clothes),
        "deconvnet": lambda: deconvnet(clothes),
        "conv-deconv": lambda: restored("classic/conv-deconv"),
        "face-deconv": lambda: restored("classic/face-deconv"),
    }
    for name, picture in draw.items():
        if f"classic/{name}" in shipped():
            write(picture(), folder / f"{name}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "classics"))
