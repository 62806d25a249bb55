"""Does a network learn its pictures by heart? A small autoencoder on a thousand of them, held back in several ways."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from unpool.questions.portion import SMALL, Some, decibels, garments, plan, trained
from unpool.train.data.fashion import FashionSamples
from unpool.zoo.measure import parameters


class Way(NamedTuple):
    """What is done about learning by heart: settings of the recipe."""

    code: int = 32
    shift: int = 0
    decay: float = 0.0
    network: str = ""

    def settings(self) -> list[str]:
        """As a recipe takes them. The dense member is the one that has room for pictures."""
        network = self.network or f"code: {self.code}, widths: [256]"
        return [
            f"kind={'convolutional' if self.network else 'dense'}",
            f"network={{{network}}}",
            f"shift={self.shift}",
            f"optimiser.weight_decay={self.decay}",
        ]


WAYS = {
    "as it is": Way(),
    "moved by up to 2 pixels and mirrored": Way(shift=2),
    "weight decay 0.3": Way(decay=0.3),
    "moved, mirrored and weight decay": Way(shift=2, decay=0.3),
    "bottleneck of 8": Way(code=8),
    "bottleneck of 128": Way(code=128),
    "convolutional": Way(network=SMALL),
}
PLAIN, AUGMENTED, DECAYED = list(WAYS)[:3]


def overfitting(
    data: Path | None,
    report: Callable[[str], None],
    *,
    steps: int,
    pictures: int = 1000,
    ways: tuple[str, ...] = tuple(WAYS),
    most: int | None = None,
) -> dict[str, Any]:
    """A row for each way: PSNR on the pictures that trained and on the test pictures, and their difference."""
    samples = FashionSamples("train", data)
    share = pictures / len(samples)
    own = garments("train", data)[Some(samples, share).indices]
    test = garments("test", data, most)
    rows = []
    for name in ways:
        report(f"an autoencoder of {pictures} pictures: {name}")
        way = WAYS[name]
        network = trained(plan("autoencoders/fashion", way.settings(), share=share), data, steps=steps).network
        inside, outside = float(decibels(network, own).mean()), float(decibels(network, test).mean())
        rows.append(
            {
                "way": name,
                "code": way.code,
                "parameters": parameters(network),
                "training": inside,
                "held_out": outside,
                "gap": inside - outside,
            }
        )
    gaps = {row["way"]: row["gap"] for row in rows}
    return {
        "thousand_pictures_steps": steps,
        "thousand_pictures_gap_db": gaps.get(PLAIN),
        "thousand_pictures_gap_augmented_db": gaps.get(AUGMENTED),
        "thousand_pictures_gap_weight_decay_db": gaps.get(DECAYED),
        "thousand_pictures": rows,
    }
