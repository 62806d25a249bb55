"""`unpool train`: a model from a recipe."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="A recipe's name (see --list) or a YAML file.")] = "",
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Folder for checkpoint, curve and weights.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder to look for data sets in.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Budget in steps.")] = None,
    minutes: Annotated[float | None, typer.Option(min=0.01, help="Budget in minutes; the schedule stretches.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    devices: Annotated[int, typer.Option(min=1, help="Processes (GPUs) on this machine.")] = 1,
    nodes: Annotated[int, typer.Option(min=1, help="Machines, each started by torchrun.")] = 1,
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in OUT.")] = False,
    show_list: Annotated[bool, typer.Option("--list", help="List the recipes and stop.")] = False,
) -> None:
    """Train a model from a recipe.

    Writes OUT/checkpoint (resumable), OUT/curve.csv, OUT/samples and, at the end, OUT/NAME.safetensors with its record.
    """
    from unpool.errors import RecipeError
    from unpool.train import recipe as recipes

    if show_list:
        for name, path in recipes.shipped().items():
            about = recipes.load(str(path)).about
            print(f"{name:36} {' '.join(about.split())}")
        return
    if not recipe:
        raise RecipeError("name a recipe: unpool train --list shows them")
    if out is None:
        raise RecipeError("say where the run goes: -o FOLDER")
    if steps and minutes:
        raise RecipeError("give --steps or --minutes, not both")
    if precision not in ("auto", "fp32", "bf16"):
        raise RecipeError(f"precision {precision!r} is none of auto, fp32, bf16")
    chosen = recipes.load(recipe, settings or [])

    import torch
    from lightning_fabric.utilities import rank_zero_only

    from unpool.train.loop import train as run

    if threads:
        torch.set_num_threads(threads)
    figures = run(
        chosen,
        out,
        data=data,
        steps=steps,
        minutes=minutes,
        device=device,
        devices=devices,
        nodes=nodes,
        precision=precision,
        resume=resume,
    )
    if getattr(rank_zero_only, "rank", 0):
        return  # the first process tells
    print("  ".join(f"{name} {value:.4g}" for name, value in figures.items()))
    print(out / f"{chosen.name.split('/')[-1]}.safetensors")
