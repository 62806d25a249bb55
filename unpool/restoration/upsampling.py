"""The same enlarger with each way of going up, trained alike for a moment: what the choice of the last layer costs."""

import math
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from unpool.images.metrics import eight_bit, psnr_y
from unpool.images.resampling import imresize
from unpool.nn.checkerboard import checkerboard_energy
from unpool.train import recipe as recipes
from unpool.train.loop import train
from unpool.zoo.measure import interleaved, parameters
from unpool.zoo.weights import load_module

_SCALE = 2
_FLAT = 96  # pixels a side of the flat grey pictures in which nothing but the network itself can make a pattern
WAYS = {
    "plain deconvolution": ("deconv-plain", 3),
    "our deconvolution": ("deconv", None),
    "resize-convolution": ("resize", None),
    "pixel shuffle": ("shuffle", None),
}


def trained_alike(data: Path | None, steps: int, report: Callable[[str], None]) -> dict[str, nn.Module]:
    """restoration/sr-x2 from nothing with each way of going up: the same pictures, order, steps and seed."""
    networks = {}
    for name, (kind, kernel) in WAYS.items():
        report(f"enlarging by {name}: {steps} steps")
        settings = [f"upsampler={kind}", f"kernel={kernel or 'null'}", "start=null", "best=null"]
        chosen = recipes.load("restoration/sr-x2", [*settings, "evaluate_every=1000000"])
        with tempfile.TemporaryDirectory() as folder:
            train(chosen, Path(folder), data=data, steps=steps, device="cpu")
            networks[name] = load_module(Path(folder) / "sr-x2.safetensors")[0]
    return networks


@torch.inference_mode()
def compared(networks: dict[str, nn.Module], pictures: dict[str, Tensor]) -> dict[str, dict[str, Any]]:
    """For each network: PSNR on Y of `pictures` (1, 3, H, W), checkerboards in flat grey, seconds a megapixel out.

    `checkerboard_db` is the power at the upsampling's frequencies over the median power around them, in the answer to
    flat pictures of different greys with a little noise: whatever stands out there the network has made up.
    """
    noise = torch.randn(4, 3, _FLAT, _FLAT, generator=torch.Generator().manual_seed(0)) / 255
    flat = torch.tensor([0.2, 0.4, 0.6, 0.8]).view(4, 1, 1, 1) + noise
    wide = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(0))
    times = interleaved({name: partial(network, wide) for name, network in networks.items()}, repeats=3)
    table: dict[str, dict[str, Any]] = {}
    enlarge: dict[str, Callable[[Tensor], Tensor]] = {"bicubic": partial(imresize, scale=_SCALE), **networks}
    for name, larger in enlarge.items():
        figures = []
        for clean in pictures.values():
            height, width = (side // _SCALE * _SCALE for side in clean.shape[-2:])
            clean = clean[..., :height, :width]
            small = eight_bit(imresize(clean, 1 / _SCALE))
            figures.append(float(psnr_y(eight_bit(larger(small)), clean, crop=_SCALE)))
        table[name] = {
            "psnr_y": round(float(np.mean(figures)), 3),
            "checkerboard_db": round(10 * math.log10(checkerboard_energy(larger(flat), _SCALE)), 1),
        }
        if name in networks:
            seconds = times[name]["median"] / (_SCALE**2 * wide.shape[-1] ** 2 / 1e6)
            table[name] |= {"parameters": parameters(networks[name]), "seconds_per_output_mp": round(seconds, 3)}
    return table


@torch.inference_mode()
def sheet(networks: dict[str, nn.Module], clean: Tensor) -> Tensor:
    """What each adds to the bicubic enlargement of `clean` (1, 3, H, W), ten times as strong around grey, in a row."""
    small = eight_bit(imresize(clean, 1 / _SCALE))
    plain = imresize(small, _SCALE)
    return torch.cat([(0.5 + 10 * (network(small) - plain)).clamp(0, 1) for network in networks.values()], -1)
