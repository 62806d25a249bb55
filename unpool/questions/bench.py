"""`unpool bench questions`: the worries before training, as experiments small enough to be run again by anyone."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from unpool.questions.against_classics import against_classics
from unpool.questions.amount import amount
from unpool.questions.held_out import held_out
from unpool.questions.overfitting import overfitting
from unpool.questions.portion import unpacked
from unpool.questions.resolution import resolution
from unpool.questions.stability import RATE, stability
from unpool.questions.variation import variation

FULL: dict[str, dict[str, Any]] = {
    "stability": {"steps": 200, "seeds": 3},
    "against_classics": {"steps": 600, "seconds": 10.0},
    "resolution": {"memory": (16, 64, 256, 512)},
    "amount": {"steps": 250},
    "held_out": {},
    "overfitting": {"steps": 1500},
    "variation": {"steps": 300},
}
QUICK: dict[str, dict[str, Any]] = {
    "stability": {"steps": 50, "seeds": 2, "activations": ("sigmoid", "relu"), "losses": ("mse", "cross-entropy")},
    "against_classics": {
        "steps": 50, "seconds": 1.0, "ours": ("convolutional",), "kinds": ("deconv-plain", "deconv"), "most": 1000,
    },
    "resolution": {
        "sizes": (16, 64, 256), "repeats": 3, "memory": (256,),
        "names": ("autoencoder, its tower as shipped", "enlarger x4, to this size"),
    },
    "amount": {"steps": 30, "shares": (0.01, 1.0), "systems": ("garments", "enlarger", "autoencoder")},
    "held_out": {"share": 0.08},
    "overfitting": {"steps": 300, "ways": ("as it is", "moved by up to 2 pixels and mirrored"), "most": 1000},
}  # fmt: skip
NOTES = {
    "stability": f"one small autoencoder of Fashion-MNIST at equal steps, AdamW at a rate of {RATE} that falls as a "
    "cosine, no clipping, other weights and another order for each seed. A run has diverged where a loss or weight was "
    "not finite, or where the network is at last no better on held-out pictures than the mean training picture, so a "
    "run that is stuck counts. Spread is the largest less the least PSNR of the other runs",
    "shipped": "the weights as they are, on pictures that trained them and on held-out ones. Held-out photographs "
    "chose weights, faces and garments did not. The gap stands beside its standard error (for pairs of "
    "faces, which share people, it is larger than said), and is no proof for other pictures",
    "thousand pictures": "a small autoencoder trained here, judged on those pictures and on Fashion-MNIST's test part",
    "data": "equal steps, not trained to the end: of fewer pictures each is seen more often. A smaller share is part "
    "of a larger one, one seed",
    "resolution": "untrained networks of the shipped shapes, one picture a call, memory above a process that only "
    "imported",
    "variation": "the shipped recogniser's recipe from its beginning, dlib's layers, for a moment, one seed; pairs of "
    "people who trained nothing and chose nothing, at the threshold that suits them best",
    "against classics": "each by its own recipe's optimiser with the same batch. The seconds hold reading the data and "
    "a first evaluation. Generators of garments are compared in generation's bench, not here",
}


def bench(*, quick: bool, data: Path | None, report: Callable[[str], None]) -> dict[str, Any]:
    """Every experiment; `quick` takes fewer steps, seeds and kinds, which the answer names."""
    plan = QUICK if quick else FULL
    with tempfile.TemporaryDirectory() as folder:
        garments = unpacked(data, Path(folder))
        answer: dict[str, Any] = {"notes": NOTES}
        if quick:
            answer["subset"] = {
                name: ", ".join(f"{key} {_said(value)}" for key, value in options.items())
                for name, options in plan.items()
            } | {"variation": "not asked"}
        answer |= stability(garments, report, **plan["stability"])
        answer |= against_classics(garments, report, **plan["against_classics"])
        answer |= resolution(report, **plan["resolution"])
        answer |= held_out(data, garments, report, **plan["held_out"])
        answer |= overfitting(garments, report, **plan["overfitting"])
        answer |= amount(data, garments, report, **plan["amount"])
        if "variation" in plan:  # its teacher takes many minutes where it was never asked
            answer |= variation(data, report, **plan["variation"])
    return answer


def _said(value: Any) -> str:
    return " and ".join(map(str, value)) if isinstance(value, tuple) else str(value)
