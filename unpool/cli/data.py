"""`unpool data`: list, fetch and pack data sets."""

from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(add_completion=False, no_args_is_help=True, help="List, fetch and pack data sets.")

Data = Annotated[Path | None, typer.Option(help="Folder to look for data sets in.")]


@app.command("list")
def list_sets(
    data: Data = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """List the public sets unpool knows: licence, official address, and where they lie on this machine."""
    import json
    from dataclasses import asdict

    from unpool.errors import DataError
    from unpool.train.data.find import find, roots
    from unpool.train.data.sets import SETS

    roots(data)  # a --data folder that is not there is a mistake, not twelve missing sets
    places: dict[str, Path | None] = {}
    for name in SETS:
        try:
            places[name] = find(name, data)
        except DataError:
            places[name] = None
    if as_json:
        rows = [asdict(known) | {"here": str(places[name]) if places[name] else None} for name, known in SETS.items()]
        print(json.dumps({"sets": rows}))
        return
    for name, known in SETS.items():
        print(f"{name:16} {known.title}")
        print(f"{'':16} {known.use}; {known.licence}; {places[name] or 'not here'}")
        print(f"{'':16} {known.page or known.placing()}")


@app.command()
def get(
    name: Annotated[str, typer.Argument(help="A set's name; `unpool data list` shows them.")],
    data: Annotated[Path, typer.Option(help="Folder to put the set in.")] = Path("data"),
) -> None:
    """Fetch a public set from its official address, check it and unpack it."""
    import difflib

    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from unpool.errors import DataError
    from unpool.train.data import fetch
    from unpool.train.data.sets import SETS

    if name not in SETS:
        near = difflib.get_close_matches(name, SETS, n=1)
        raise DataError(f"there is no set {name!r}; " + (f"did you mean {near[0]}?" if near else ", ".join(SETS)))
    known = SETS[name]
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        tasks: dict[str, Any] = {}

        def progress(file: str, done: int, total: int | None) -> None:
            if file not in tasks:
                tasks[file] = bar.add_task(file)
            bar.update(tasks[file], completed=done, total=total)

        place = fetch.get(known, data, progress)
    print(place)


@app.command()
def pack(
    folder: Annotated[Path, typer.Argument(help="Pictures, or one folder of them per class or person.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="X.pack", help="The pack to write.")],
    size: Annotated[int | None, typer.Option(min=1, help="Cut to the central square and resample to N pixels.")] = None,
    max_mb: Annotated[float | None, typer.Option(min=0.001, help="Begin a new file after so many megabytes.")] = None,
    grey: Annotated[bool, typer.Option("--grey", help="Store one channel instead of three.")] = False,
) -> None:
    """Decode pictures once and store them so that training reads them without waiting."""
    from rich.console import Console
    from rich.progress import track

    from unpool.errors import DataError
    from unpool.train.data.folders import entries, pictures
    from unpool.train.data.pack import Pack, write_pack

    if out.suffix != ".pack":
        raise DataError(f"{out}: a pack's name ends in .pack")
    console = Console(stderr=True)
    number = len(pictures(folder))
    work = track(
        entries(folder, size=size, grey=grey),
        total=number,
        description="packing",
        console=console,
        disable=not console.is_terminal,
    )
    made = Pack(write_pack(out, work, max_mb=max_mb))
    labels = f", {len(made.label_names)} labels" if made.label_names else ""
    print(f"{out}: {len(made)} pictures{labels}, {made.files} file{'s' * (made.files > 1)}, {made.nbytes / 1e6:.1f} MB")
