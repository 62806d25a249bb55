"""How much data does it take? Four small systems on 1 to 100 percent of the training pictures, at equal steps."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from unpool.questions.portion import FASHION, SMALL, plan, trained
from unpool.zoo.measure import parameters

SHARES = (0.01, 0.03, 0.1, 0.3, 1.0)


class System(NamedTuple):
    """What is trained, by which recipe and settings, and the held-out figure it is judged by."""

    what: str
    recipe: str
    settings: tuple[str, ...]
    figure: str


SYSTEMS = {
    "garments": System("recogniser of garments", "classic/cnn-classifier", ("batch=32",), "accuracy"),
    "faces": System(
        "recogniser of faces",
        "autoencoders/faces-supervised",
        ("batch=32", "network.grid=0", "likeness=0", "sources=celeba"),
        "verification",
    ),
    "enlarger": System(
        "super-resolution x2",
        "restoration/sr-x2",
        ("start=null", "channels=16", "blocks=4", "patch=24", "batch=8"),
        "psnr",
    ),
    "autoencoder": System(
        "autoencoder of garments",
        "autoencoders/fashion",
        ("batch=32", f"network={{{SMALL}}}"),
        "psnr",
    ),
}


def amount(
    data: Path | None,
    garments: Path | None,
    report: Callable[[str], None],
    *,
    steps: int,
    shares: Sequence[float] = SHARES,
    systems: Sequence[str] = tuple(SYSTEMS),
) -> dict[str, Any]:
    """A row for each system and share; and the results at the least and the largest share as figures.

    garments: the data folder of the systems that see nothing but Fashion-MNIST.
    """
    rows: list[dict[str, Any]] = []
    ends: dict[str, float] = {}
    for key in systems:
        system = SYSTEMS[key]
        results = []
        for share in shares:
            report(f"{system.what}, {share:.0%} of the pictures")
            recipe = plan(system.recipe, system.settings, share=share)
            run = trained(recipe, garments if recipe.data == [FASHION] else data, steps=steps)
            results.append(run.figures[system.figure])
            rows.append(
                {
                    "system": system.what,
                    "share": share,
                    "pictures": int(run.figures["pictures"]),
                    "figure": system.figure,
                    "result": results[-1],
                    "parameters": parameters(run.network),
                }
            )
        ends |= {f"data_{key}_least": results[0], f"data_{key}_most": results[-1]}
    return {"data_steps": steps, "data_share_least": min(shares), "data_share_most": max(shares), **ends, "data": rows}
