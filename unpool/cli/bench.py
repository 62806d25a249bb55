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
    wing: Annotated[str, typer.Argument(help="The wing to measure.")],
    quick: Annotated[bool, typer.Option("--quick", help="At most 90 seconds, on a fixed subset.")] = False,
    to: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Also write the figures as JSON.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder to look for data sets in.")] = None,
) -> None:
    """Measure a wing beside its peers, in one run on two threads."""
    if wing not in benches():
        raise typer.BadParameter(f"there is no bench for {wing!r}; there are: {', '.join(benches()) or 'none'}")
    import importlib
    import json
    import sys
    import time

    import torch
    from rich.console import Console

    from unpool.errors import UnpoolError
    from unpool.images.atomic import atomic
    from unpool.zoo.measure import hardware

    if to is not None and not to.absolute().parent.is_dir():
        raise UnpoolError(f"there is no folder {to.parent}: make it first")
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


def _show(console: Any, answer: dict[str, Any]) -> None:
    """Top-level figures as one table, then each table of the bench."""
    from rich.table import Table

    top = Table("figure", "value", title=f"unpool bench {answer['wing']}", title_justify="left", box=None)
    tables = []
    for key, value in answer.items():
        if isinstance(value, dict | list):
            tables.append((key, value))
        else:
            top.add_row(key, _text(value))
    console.print(top)
    for key, value in tables:
        rows = _rows(value)
        columns = list(dict.fromkeys(column for row in rows for column in row))
        table = Table(*columns, title=key, title_justify="left", box=None)
        for row in rows:
            table.add_row(*(_text(row.get(column, "")) for column in columns))
        console.print(table)


def _rows(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict) and value and all(isinstance(v, dict) for v in value.values()):
        return [{"": name, **row} for name, row in value.items()]
    if isinstance(value, dict):
        return [{"": name, "value": v} for name, v in value.items()]
    return [row if isinstance(row, dict) else {"value": row} for row in value]


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, float):
        return str(value)
    return f"{value:.4g}"
