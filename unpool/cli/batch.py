"""`unpool batch restore|compress|embed|explain`: millions of pictures, on this machine or a cluster."""

from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Millions of pictures, here or on a cluster (Ray).")

Inputs = Annotated[list[str], typer.Argument(help="Folders, globs, lists (.txt, one path a line), Parquet, pictures.")]
Out = Annotated[Path, typer.Option("-o", "--out", help="A folder, or a name that ends in .parquet.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes; by default as many as the cores allow.")]
Threads = Annotated[int, typer.Option(min=1, help="Of each worker.")]
Gpus = Annotated[float, typer.Option(min=0, help="GPUs of each worker, or a share of one; 0: on the CPU.")]
Address = Annotated[str | None, typer.Option(help="Of a Ray cluster; auto: the one this machine belongs to.")]
Part = Annotated[int, typer.Option(min=1, help="Pictures a part: what a kill can cost each worker.")]
MaxPixels = Annotated[int, typer.Option(min=1, help="Larger pictures are rows with an error.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object.")]
Format = Annotated[str, typer.Option("--format", help="Of the results: png, webp, jpg, tiff, ...")]


@app.command()
def restore(
    inputs: Inputs,
    out: Out,
    scale: Annotated[float | None, typer.Option(help="How many times as large.")] = None,
    task: Annotated[str, typer.Option(help="auto, sr, photo, denoise, jpeg or deblur.")] = "auto",
    model: Annotated[str | None, typer.Option(help="A model's name or weight file, instead of a task.")] = None,
    strength: Annotated[float, typer.Option(min=0, max=1, help="From 0, faithful, to 1, strong.")] = 0.0,
    form: Format = "png",
    workers: Workers = None,
    threads: Threads = 1,
    gpus: Gpus = 0.0,
    address: Address = None,
    part: Part = 256,
    max_pixels: MaxPixels = 200_000_000,
    as_json: AsJson = False,
) -> None:
    """Make pictures larger, cleaner or sharper."""
    options = {"scale": scale, "task": task, "model": model, "strength": strength, "format": f".{form}"}
    _run("restore", inputs, out, options, workers, threads, gpus, address, part, max_pixels, as_json)


@app.command()
def compress(
    inputs: Inputs,
    out: Out,
    quality: Annotated[float, typer.Option("-q", "--quality", min=1, max=100, help="1 (small) to 100 (fine).")] = 50,
    lossless: Annotated[bool, typer.Option("--lossless", help="Keep every bit.")] = False,
    effort: Annotated[int, typer.Option(min=1, max=3, help="1 is fastest, 3 refines each picture.")] = 2,
    workers: Workers = None,
    threads: Threads = 1,
    gpus: Gpus = 0.0,
    address: Address = None,
    part: Part = 256,
    max_pixels: MaxPixels = 200_000_000,
    as_json: AsJson = False,
) -> None:
    """Compress pictures into .unp files."""
    options = {"quality": quality, "lossless": lossless, "effort": effort}
    _run("compress", inputs, out, options, workers, threads, gpus, address, part, max_pixels, as_json)


@app.command()
def embed(
    inputs: Inputs,
    out: Out,
    model: Annotated[str, typer.Option(help="An autoencoder, or faces/recogniser.")] = "autoencoders/faces",
    align: Annotated[bool, typer.Option("--align", help="Autoencoders: align the largest face first.")] = False,
    workers: Workers = None,
    threads: Threads = 1,
    gpus: Gpus = 0.0,
    address: Address = None,
    part: Part = 256,
    max_pixels: MaxPixels = 200_000_000,
    as_json: AsJson = False,
) -> None:
    """Write the codes of pictures into a table."""
    options = {"model": model, "align": align}
    _run("embed", inputs, out, options, workers, threads, gpus, address, part, max_pixels, as_json)


@app.command()
def explain(
    inputs: Inputs,
    out: Out,
    model: Annotated[str, typer.Option(help="A model's name or weight file.")] = "efficientnet-lite0",
    method: Annotated[str, typer.Option(help="guided, deconvnet, gradient, grad-cam, ...")] = "guided",
    target: Annotated[str | None, typer.Option(help="A class by number or name, channel:K, ...")] = None,
    layer: Annotated[str | None, typer.Option(help="Of the target, or Grad-CAM's.")] = None,
    form: Format = "png",
    workers: Workers = None,
    threads: Threads = 1,
    gpus: Gpus = 0.0,
    address: Address = None,
    part: Part = 256,
    max_pixels: MaxPixels = 200_000_000,
    as_json: AsJson = False,
) -> None:
    """Show what a network saw in pictures."""
    options = {"model": model, "method": method, "target": target, "layer": layer, "format": f".{form}"}
    _run("explain", inputs, out, options, workers, threads, gpus, address, part, max_pixels, as_json)


def _run(
    operation: str, inputs: list[str], out: Path, options: dict[str, Any], workers: int | None, threads: int,
    gpus: float, address: str | None, part: int, max_pixels: int, as_json: bool,
) -> None:  # fmt: skip
    import json
    from dataclasses import asdict

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from unpool.batch.run import run

    console = Console(stderr=True)
    columns = (BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn(), TextColumn("left"))
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        work = bar.add_task("starting workers", total=None)

        def report(at: Any, _part: Any) -> None:
            said = f"{at.before + at.now:,} of {at.pictures:,}, {at.per_second:.1f} pictures/s, {at.failed:,} errors"
            bar.update(work, description=said, completed=at.before + at.now, total=at.pictures)

        done = run(
            operation, inputs, out, options={**options, "max_pixels": max_pixels}, workers=workers, threads=threads,
            gpus=gpus, address=address, part=part, report=report,
        )  # fmt: skip
    if as_json:
        print(json.dumps({"out": str(out), **asdict(done)}))
        return
    earlier = f", {done.before:,} were done before" if done.before else ""
    print(f"{out}: {done.now:,} pictures, {done.failed:,} with an error, {done.per_second:.1f} a second{earlier}")
