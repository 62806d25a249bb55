"""Which ways of varying a face while a recogniser learns pay? Each left out in turn, at equal steps."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unpool.errors import DataError, MissingExtraError, ModelError
from unpool.faces.damage import reduced
from unpool.faces.model import SIZE, FaceNetwork
from unpool.faces.samples import cut_out
from unpool.faces.verification import best_accuracy, draw_pairs
from unpool.questions.portion import plan, trained
from unpool.train.data.faces import faces, halves

_SETTINGS = ("batch=32", "variants=0", "sources=[celeba_aligned]")
WAYS: dict[str, tuple[str, ...]] = {
    "nothing": (),
    "turning": ("rotation=0",),
    "scaling": ("scaling=0",),
    "shifting": ("shift=0",),
    "mirroring": ("mirror=false",),
    "turning, scaling, shifting, mirroring": ("rotation=0", "scaling=0", "shift=0", "mirror=false"),
    "poor pictures": ("poor=0",),
}
_POOR = 16  # pixels
_FACES = 350
# Standard deviations of how far a face lies from where it should: a detector's errors on poor pictures.
_TURNED, _SCALED, _SHIFTED = 8.0, 0.1, 4.0  # degrees, share, pixels of 112


def variation(
    data: Path | None, report: Callable[[str], None], *, steps: int, ways: Sequence[str] = tuple(WAYS)
) -> dict[str, Any]:
    """A row for each way left out: pairs of people held out told right, faces sharp and poor, in place and misplaced.

    Where there are no faces or no teacher, the reason stands instead of the table.
    """
    rows = []
    try:
        shown = _shown(data)
        for name in ways:
            report(f"a recogniser of faces without {name}")
            run = trained(plan("faces/recogniser", [*_SETTINGS, *WAYS[name]]), data, steps=steps)
            rows.append({"left_out": name} | _asked(run.network, *shown))
    except (DataError, MissingExtraError, ModelError) as error:
        return {"variation_not_asked": str(error)}
    return {"variation_steps": steps, "variation": rows}


def _shown(data: Path | None) -> tuple[dict[str, Tensor], np.ndarray]:
    """Faces of people who neither train nor choose weights: (N, 3, 112, 112) in place and misplaced; their people."""
    pack = faces(128, data)
    held = halves(pack, "celeba_aligned")[1]
    held = held[:: max(1, len(held) // _FACES)]
    pictures = torch.stack([torch.from_numpy(pack[int(i)].transpose(2, 0, 1).copy()) for i in held])
    rng = np.random.default_rng(0)
    angle = np.radians(rng.normal(0, _TURNED, len(held)))
    reach = SIZE / 128 * np.exp(rng.normal(0, _SCALED, len(held)))
    turns = reach * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shifts = rng.normal(0, _SHIFTED / 64, (len(held), 2, 1))
    misplaced = torch.from_numpy(np.concatenate([turns.transpose(2, 0, 1), shifts], axis=2).astype(np.float32))
    plain = SIZE / 128 * torch.eye(2, 3).expand(len(held), 2, 3)
    return {"in_place": cut_out(pictures, plain), "misplaced": cut_out(pictures, misplaced)}, pack.labels[held]


@torch.inference_mode()
def _asked(network: torch.nn.Module, shown: dict[str, Tensor], people: np.ndarray) -> dict[str, float]:
    """Share of pairs told right at the best threshold; both faces are placed and spoilt alike."""
    assert isinstance(network, FaceNetwork)
    same, other = draw_pairs(people, np.random.default_rng(0))
    row = {}
    for size in (SIZE, _POOR):
        for name, pictures in shown.items():
            given = pictures if size == SIZE else reduced(pictures, size)
            found = torch.cat([network(part)[0] for part in given.split(64)])
            row[f"{name}_{size}"] = best_accuracy(found, same, other)
    return row
