"""`unpool demo`: every wing on real photographs, on one page."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from unpool.images.page import Page
    from unpool.images.picture import Picture

app = typer.Typer(add_completion=False)

# The wings in the order of the page. A wing joins with its demo.py, where `sections(page, pictures)` adds to the page
# what the wing makes of the pictures: a dict of names and `Picture`s.
WINGS = ("explanation", "restoration", "codec", "generation", "autoencoders", "faces")

# Photographs that scikit-image ships: its function's name -> what to call it.
PHOTOGRAPHS = {"chelsea": "chelsea", "coffee": "coffee", "rocket": "rocket", "astronaut": "astronaut"}


@app.command()
def demo(
    pictures: Annotated[
        list[Path] | None, typer.Argument(help="Your photographs; else four of scikit-image's.")
    ] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="The page to write.")] = Path("unpool-demo.html"),
) -> None:
    """Run every wing on real photographs and write one page that holds everything it shows.

    The last line printed is the path of the page.
    """
    import importlib.util
    import time

    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from unpool.errors import PictureError
    from unpool.images.page import Page

    if out.is_dir() or not out.absolute().parent.is_dir():
        raise PictureError(f"the page cannot be written to {out}: name a file in a folder that exists")
    shown = _read(pictures) if pictures else _photographs()
    page = Page(
        "What small networks see and make",
        "Every picture below was computed on this machine, from the photographs shown first, by networks that are part "
        "of unpool or of a package it installs.",
    )
    page.figure([(picture, f"{name}\n{picture.width}×{picture.height}") for name, picture in shown.items()])
    seconds: list[tuple[str, str]] = []
    console = Console(stderr=True)
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        for wing in WINGS:
            if importlib.util.find_spec(f"unpool.{wing}.demo") is None:
                continue
            task = progress.add_task(wing, total=1, start=False)
            start = time.perf_counter()
            progress.start_task(task)
            left_out = _run(wing, page, shown)
            progress.update(task, completed=1, description=f"{wing}: {left_out}" if left_out else wing)
            seconds.append((wing, f"left out: {left_out}" if left_out else f"{time.perf_counter() - start:.1f} s"))
    _closing(page, seconds)
    print(page.write(out))


def _read(paths: list[Path]) -> "dict[str, Picture]":
    """The user's pictures by file name; by path where two have the same name."""
    from unpool.images.reading import read

    names = [path.name for path in paths]
    return {path.name if names.count(path.name) == 1 else str(path): read(path) for path in paths}


def _photographs() -> "dict[str, Picture]":
    import skimage.data

    from unpool.images.reading import read

    return {name: read(getattr(skimage.data, function)()) for function, name in PHOTOGRAPHS.items()}


def _run(wing: str, page: "Page", pictures: "dict[str, Picture]") -> str:
    """Let a wing add its sections; the reason where it cannot."""
    import importlib
    import sys

    from unpool.errors import MissingExtraError, UnpoolError
    from unpool.zoo.weights import shipped

    packaged = wing == "explanation"  # it explains networks that come with packages
    if not packaged and not any(name.startswith(f"{wing}/") for name in shipped()):
        return "its weights are not here"
    try:
        importlib.import_module(f"unpool.{wing}.demo").sections(page, pictures)
    except MissingExtraError as error:
        return str(error)
    except UnpoolError as error:  # the other wings still have something to show
        print(f"unpool: {wing} is left out: {error}", file=sys.stderr)
        return str(error)
    return ""


def _closing(page: "Page", seconds: list[tuple[str, str]]) -> None:
    """How long it took, and where: the last section."""
    import platform

    import torch

    from unpool.zoo.measure import hardware

    machine = hardware()
    page.section("How this page was made")
    rows = [("processor", machine["cpu"]), ("threads", torch.get_num_threads())]
    rows += [("Python", platform.python_version()), ("PyTorch", torch.__version__)]
    page.table([*seconds, *rows])
    page.code("unpool demo YOUR_PHOTOGRAPH.jpg -o page.html\nunpool doctor")
