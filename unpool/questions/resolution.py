"""What does resolution cost? The shipped networks' shapes at faces of 16 to 512 pixels."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from unpool.zoo.measure import interleaved, macs, parameters, peak_memory
from unpool.zoo.runtime import prepare
from unpool.zoo.weights import build, read_record

SIZES = (16, 32, 64, 128, 256, 512)
_SMALLEST_GRID = 4


def _autoencoder(size: int) -> tuple[nn.Module, Tensor]:
    """The shipped tower as it is: the dense layer to the code grows with the picture."""
    return _shaped("autoencoders/faces", size=[size, size]), torch.rand(1, 3, size, size)


def _deeper(size: int) -> tuple[nn.Module, Tensor]:
    """One stage more for each doubling: the last map, and with it the dense layer, stays at 4x4."""
    stages = max(1, (size // _SMALLEST_GRID).bit_length() - 1)
    widths = [min(64, 16 * 2**level) for level in range(stages)]
    tower = {"widths": widths, "strides": [2] * stages, "blocks": [0] + [1] * (stages - 1)}
    return _shaped("autoencoders/faces", size=[size, size], **tower), torch.rand(1, 3, size, size)


def _dense(size: int) -> tuple[nn.Module, Tensor]:
    """The documents' dense autoencoder, at the picture's size."""
    return _shaped("classic/dense-autoencoder", side=size), torch.rand(1, 1, size, size)


def _enlarger(size: int) -> tuple[nn.Module, Tensor]:
    """The shipped enlarger, from a quarter of the size."""
    return _shaped("restoration/sr-x4"), torch.rand(1, 3, size // 4, size // 4)


NETWORKS: dict[str, Callable[[int], tuple[nn.Module, Tensor]]] = {
    "autoencoder, its tower as shipped": _autoencoder,
    "autoencoder, a stage more for each doubling": _deeper,
    "dense autoencoder": _dense,
    "enlarger x4, to this size": _enlarger,
}


def _shaped(name: str, **changes: Any) -> nn.Module:
    """A shipped model's network with its configuration changed, untrained: cost does not depend on the weights."""
    record = read_record(name)
    module = build(record.model_copy(update={"config": record.config | changes}), name)
    return prepare(module.eval(), torch.device("cpu"))


def run_once(name: str, size: int) -> None:
    """Build a network and run it: what a fresh process does to have its memory measured."""
    network, picture = NETWORKS[name](size)
    with torch.inference_mode():
        network(picture)


def resolution(
    report: Callable[[str], None],
    *,
    sizes: Sequence[int] = SIZES,
    names: Sequence[str] = tuple(NETWORKS),
    repeats: int = 7,
    memory: Sequence[int] = SIZES,
) -> dict[str, Any]:
    """A row for each network and size: parameters, MACs, milliseconds a picture, and memory above an idle process.

    memory: the sizes at which it is measured, each in a process of its own.
    """
    rows = []
    for size in sizes:
        report(f"{size} pixels")
        made = {name: NETWORKS[name](size) for name in names}
        with torch.inference_mode():
            seconds = interleaved({n: partial(network, picture) for n, (network, picture) in made.items()}, repeats)
        for name, (network, picture) in made.items():
            used = peak_memory(f"{__name__}:run_once", name, size) if size in memory else None
            rows.append(
                {
                    "network": name,
                    "size": size,
                    "parameters": parameters(network),
                    "macs": macs(network, picture),
                    "milliseconds": 1000 * seconds[name]["median"],
                    "memory_mb": (used["peak"] - used["before"]) / 1e6 if used else None,
                }
            )
    tower = [row for row in rows if row["network"] == next(iter(NETWORKS))]
    return {
        "cost_ms_smallest": tower[0]["milliseconds"] if tower else None,
        "cost_ms_largest": tower[-1]["milliseconds"] if tower else None,
        "cost_size_smallest": min(sizes),
        "cost_size_largest": max(sizes),
        "resolution": rows,
    }
