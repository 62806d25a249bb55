"""`unpool bench`: a wing measured beside its peers."""

from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(add_completion=False)


def benches() -> dict[str, str]:
    """What can be measured: the name of every package of unpool that has a `bench.py` (the server's is its command's),
    and that module."""
    import unpool

    folder = Path(unpool.__file__).parent
    found = [path for path in folder.rglob("bench.py") if path.parent.name != "cli"]
    names = {"server": "serve"}
    return {
        names.get(p.parent.name, p.parent.name): ".".join(("unpool", *p.relative_to(folder).with_suffix("").parts))
        for p in sorted(found)
    }


@app.command()
def bench(
    wing: Annotated[
        str, typer.Argument(help="The wing to measure; or all, results (write the page anew), compare A B.")
    ],
    files: Annotated[list[Path] | None, typer.Argument(help="Of compare: two JSON files.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="At most 90 seconds a wing, on a fixed subset.")] = False,
    to: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Also write the figures as JSON.")] = None,
    folder: Annotated[
        Path, typer.Option("--json-folder", help="Of all and results: the folder of the JSON files.")
    ] = Path("benchmarks"),
    page: Annotated[Path, typer.Option(help="Of all and results: the page.")] = Path("docs/results.md"),
    data: Annotated[Path | None, typer.Option(help="Folder to look for data sets in.")] = None,
) -> None:
    """Measure a wing beside its peers, in one run on two threads."""
    if len(files or []) != (2 if wing == "compare" else 0):
        raise typer.BadParameter("compare takes two JSON files, and nothing else takes any")
    if wing == "compare":
        return _compare(*(files or []))
    if wing in ("all", "results"):
        return _all(folder, page, quick, data, measure=wing == "all")
    if wing not in benches():
        there = ", ".join(("all", "results", "compare", *benches()))
        raise typer.BadParameter(f"there is no bench for {wing!r}; there are: {there}")
    import importlib
    import json
    import sys
    import time

    import torch
    from rich.console import Console

    from unpool.errors import UnpoolError
    from unpool.images.atomic import atomic
    from unpool.zoo.measure import hardware

    if to is not None and (to.is_dir() or not to.absolute().parent.is_dir()):
        raise UnpoolError(f"{to} cannot be written: give the name of a file in a folder that exists")
    torch.set_num_threads(2)
    progress = Console(stderr=True)
    report = progress.log if sys.stderr.isatty() else lambda _line: None
    start = time.perf_counter()
    figures = importlib.import_module(benches()[wing]).bench(quick=quick, data=data, report=report)
    answer = {"wing": wing, "quick": quick, **figures}
    answer |= {"seconds": round(time.perf_counter() - start, 1), "hardware": hardware()}
    if to is not None:
        with atomic(to) as beside:
            beside.write_text(json.dumps(answer, indent=1) + "\n", encoding="utf-8")
    _show(Console(), answer)


def _all(folder: Path, page: Path, quick: bool, data: Path | None, *, measure: bool) -> None:
    """Every bench in a process of its own, so that none ends or slows the others, and the page of all results."""
    import datetime
    import subprocess
    import sys

    from unpool.cli.results import write_page
    from unpool.errors import UnpoolError

    for needed in (folder, page.absolute().parent):
        if not needed.is_dir():
            raise UnpoolError(f"there is no folder {needed}: make it first, or name one by --json-folder and --page")
    failed = []
    for wing in benches() if measure else ():
        name = f"{wing}{'-quick' if quick else ''}-{datetime.date.today()}.json"
        print(f"bench {wing} -> {folder / name}", file=sys.stderr, flush=True)
        options = ["--quick"] * quick + (["--data", str(data)] if data else [])
        command = [sys.executable, "-m", "unpool", "bench", wing, "--json", str(folder / name), *options]
        if subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode:
            failed.append(wing)
    write_page(folder, page)
    print(page)
    if failed:
        raise UnpoolError(f"these benches failed, the others are on the page: {', '.join(failed)}")


def _compare(first: Path, second: Path) -> None:
    """What changed between two files, a line a figure."""
    from rich.console import Console

    from unpool.cli.results import compared

    rows = compared(first, second)
    _table(Console(), f"{first.name} and {second.name}", rows) if rows else print("nothing changed")


def _show(console: Any, answer: dict[str, Any]) -> None:
    """Top-level figures as one table, then each table of the bench."""
    from unpool.cli.results import rows_of

    tables = {key: value for key, value in answer.items() if isinstance(value, dict | list)}
    top = [{"figure": key, "value": value} for key, value in answer.items() if key not in tables]
    for title, rows in ((f"unpool bench {answer['wing']}", top), *((k, rows_of(v)) for k, v in tables.items())):
        _table(console, title, rows)


def _table(console: Any, title: str, rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    columns = list(dict.fromkeys(column for row in rows for column in row))
    table = Table(*columns, title=title, title_justify="left", box=None)
    for row in rows:
        table.add_row(*(_text(row.get(column, "")) for column in columns))
    console.print(table)


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, float):
        return str(value)
    return f"{value:.4g}"
