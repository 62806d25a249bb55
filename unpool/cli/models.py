"""`unpool models`: what there is to load."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)

_LABELLED = "photos/train/everyday"  # one photograph a class, its synset in the file's name


class Licence(StrEnum):
    commercial = "commercial"
    research = "research"


@app.command()
def models(
    licence: Annotated[
        Licence | None,
        typer.Option(help="commercial: data and weights allow it; research: the data's licence does not."),
    ] = None,
    task: Annotated[str | None, typer.Option(help="A wing, or classification.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Load each one, its hash checked; classify labelled photographs.")
    ] = False,
    data: Annotated[Path | None, typer.Option(help="Folder to look for data sets in.")] = None,
    cards: Annotated[
        Path | None, typer.Option("--cards", metavar="FILE", help="Write a card of each as Markdown.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """List the models: name, task, size, licence, data, headline figure."""
    import json

    from unpool.zoo.catalogue import catalogue

    entries = catalogue()
    if licence is not None:
        entries = [e for e in entries if e.record.commercial == (licence is Licence.commercial)]
    if task is not None:
        tasks = sorted({e.record.task for e in entries})
        entries = [e for e in entries if e.record.task == task]
        if not entries:
            raise typer.BadParameter(
                f"no model for {task!r} here; there are models for: {', '.join(tasks) or 'nothing'}"
            )
    if cards is not None:
        from unpool.zoo.cards import write_cards

        write_cards(entries, cards)
        if as_json:
            print(json.dumps({"cards": str(cards), "models": [e.record.name for e in entries]}))
        return
    checked = _checked([e.record.name for e in entries], data) if check else {}
    if as_json:
        listed = [e.record.model_dump(mode="json") | {"bytes": e.size} for e in entries]
        print(json.dumps({"models": listed, "checked": checked} if check else {"models": listed}))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("name", no_wrap=True)
    table.add_column("task", no_wrap=True)
    table.add_column("MB", justify="right")
    for column in ("licence", "data", "headline"):
        table.add_column(column, overflow="fold")
    for entry in entries:
        record = entry.record
        trained_on = f"{', '.join(record.trained_on) or '-'} ({record.data_licence})"
        table.add_row(record.name, record.task, f"{entry.size / 1e6:.2f}", record.licence, trained_on, record.headline)
    # A pipe has no width of its own: one line a model there.
    console = Console()
    (console if console.is_terminal else Console(width=240)).print(table)
    for name, figures in checked.items():
        print(f"{name}: " + ", ".join(f"{key} {value:g}" for key, value in figures.items()))


def _checked(names: list[str], data: Path | None) -> dict[str, dict[str, float]]:
    """Load every model (a damaged one raises), and measure what can be measured at once."""
    import contextlib

    from unpool.errors import DataError
    from unpool.train.data.find import find
    from unpool.zoo.imagenet import Classifier, accuracy
    from unpool.zoo.loading import load
    from unpool.zoo.measure import parameters

    figures: dict[str, dict[str, float]] = {}
    for name in names:
        predictor = load(name, device="cpu")
        figures[name] = {"parameters": float(parameters(predictor.module))}
        if isinstance(predictor, Classifier):
            with contextlib.suppress(DataError):  # no photographs here: the model was still loaded and checked
                figures[name] |= accuracy(predictor, find(_LABELLED, data))
    return figures
