"""Model cards: the records of models as a page for people (Mitchell et al. 2019)."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from unpool.images.atomic import atomic
from unpool.zoo.catalogue import Entry


def write_cards(entries: Iterable[Entry], path: Path) -> None:
    """One Markdown page with a card for each model."""
    lines = ["# Model cards\n", "Written by `unpool models --cards FILE` from the records inside the weight files.\n"]
    for entry in entries:
        lines += card(entry)
    with atomic(path) as beside:
        beside.write_text("\n".join(lines), encoding="utf-8")


def card(entry: Entry) -> Iterator[str]:
    """What a record says of use, licence, data, training and figures; nothing is left out because it is bad."""
    record = entry.record
    rows = {
        "wing": record.task,
        "network": f"`{record.network}`",
        "size": f"{entry.size / 1e6:.2f} MB",
        "licence of code and weights": record.licence,
        "use that the data allow": "also commercial" if record.commercial else "research only",
        "trained on": ", ".join(record.trained_on) or "not recorded",
    }
    budget = record.budget
    spent = {
        "steps": budget.steps,
        "pictures": budget.pictures,
        "minutes": None if budget.minutes is None else round(budget.minutes, 1),
        "pictures before it": budget.earlier_pictures,
        "minutes before it": None if budget.earlier_minutes is None else round(budget.earlier_minutes, 1),
    }
    known = [f"{value:,} {name}" for name, value in spent.items() if value is not None]
    where = [budget.hardware, f"{budget.threads} threads" if budget.threads else None, budget.precision]
    rows["training spent"] = ", ".join([*known, *(one for one in where if one)]) or "not recorded"
    size = record.preprocessing.size
    rows["input"] = f"{size[0]}x{size[1]} pixels" if size else "any size"
    rows["hash of the tensors"] = f"`{record.sha256[:16]}`" if record.sha256 else "of the package's file"
    yield f"## {record.name}\n"
    yield f"{record.headline or record.name}.\n"
    if record.notes:
        yield f"{record.notes}\n"
    yield "| | |\n|---|---|"
    for key, value in rows.items():
        yield f"| {key} | {value} |"
    if record.figures:
        yield "\n| figure on held-out data | value |\n|---|---|"
        for key, figure in record.figures.items():
            yield f"| {key} | {figure:.4g} |"
    yield ""
