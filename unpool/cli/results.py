"""What benches wrote, as a page, as plots, and one run against another."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from unpool.cli.contests import label, results
from unpool.errors import MissingExtraError, UnpoolError
from unpool.images.atomic import atomic

Answer = dict[str, Any]
_ABOUT = ("wing", "quick", "hardware", "seconds", "covers", "subset", "notes", "left_out")
Series = dict[str, list[tuple[float, float]]]


def read(path: Path) -> Answer:
    """A bench's JSON file."""
    try:
        answer = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(answer["wing"], str) and isinstance(answer["quick"], bool) and answer["hardware"]["date"]:
            return answer
    except FileNotFoundError:
        raise UnpoolError(f"there is no file {path}") from None
    except (ValueError, KeyError, TypeError):
        pass
    raise UnpoolError(f"{path} is not what `unpool bench WING --json FILE` writes")


def newest(folder: Path) -> dict[str, Answer]:
    """The latest answer of every wing in a folder; a full run before any quick one."""
    latest: dict[str, Answer] = {}
    for path in sorted(folder.glob("*.json")):
        answer = read(path) | {"file": path.name}
        known = latest.get(answer["wing"])
        if known is None or _rank(answer) > _rank(known):
            latest[answer["wing"]] = answer
    if not latest:
        raise UnpoolError(f"there is no JSON file in {folder}: `unpool bench all --json-folder {folder}` writes them")
    return dict(sorted(latest.items()))


def _rank(answer: Answer) -> tuple[bool, str]:
    return not answer["quick"], answer["hardware"]["date"]


def write_page(folder: Path, page: Path) -> None:
    """The page of the newest answers in a folder, and its plots in `pictures/results` beside it."""
    answers = newest(folder)
    pictures = page.parent / "pictures" / "results"
    pictures.mkdir(parents=True, exist_ok=True)
    plots = {wing: plot(answer, pictures / f"{wing}.svg") for wing, answer in answers.items()}
    with atomic(page) as beside:
        beside.write_text("\n".join(_page(answers, plots)), encoding="utf-8")


def _page(answers: dict[str, Answer], plots: dict[str, str | None]) -> Iterator[str]:
    yield "# Results\n"
    yield "Written by `unpool bench results` from the newest JSON files in `benchmarks/`, full runs before quick ones;"
    yield "`unpool bench all` measures everything again. Accuracies are fractions.\n"
    yield "## Beside peers\n"
    yield "Peers ran in the same run, but for those with a year: theirs are as published. Even is within 0.1 %.\n"
    contests = list(results(answers))
    for verdict, title in (("behind", "Where unpool loses"), ("even", "Even"), ("ahead", "Where unpool wins")):
        rows = [
            {"wing": one.wing, "what": one.what, "unpool": ours, "peer": one.peer_name, "its figure": peer}
            for one, ours, peer, found in contests
            if found == verdict
        ]
        if rows:
            yield f"### {title}\n"
            yield from table(rows)
    for wing, answer in answers.items():
        yield from _wing(wing, answer, plots[wing])


def _wing(wing: str, answer: Answer, plotted: str | None) -> Iterator[str]:
    machine = answer["hardware"]
    yield f"## {wing}\n"
    run = "A quick run" if answer["quick"] else "A full run"
    versions = ", ".join(f"{name} {version}" for name, version in machine.get("versions", {}).items() if version)
    yield f"{run} of {machine['date'][:10]} in {answer.get('seconds', 0):.0f} seconds (`{answer['file']}`):"
    yield f"{machine.get('cpu')}, {machine.get('threads')} threads; {versions}.\n"
    for key in ("covers", "subset", "left_out", "notes"):
        if answer.get(key):
            yield f"{key.replace('_', ' ').capitalize()}: {text(answer[key])}.\n"
    figures = {key: value for key, value in answer.items() if key not in (*_ABOUT, "file")}
    tables = {key: value for key, value in figures.items() if isinstance(value, dict | list)}
    yield from table([{"figure": key, "value": value} for key, value in figures.items() if key not in tables])
    if plotted:
        yield f"![{plotted}](pictures/results/{wing}.svg)\n"
    for key, value in tables.items():
        if value:
            yield f"### {wing}: {key.replace('_', ' ')}\n"
            yield from table(rows_of(value))


def rows_of(value: dict[str, Any] | list[Any]) -> list[dict[str, Any]]:
    """A table of an answer as rows: of dictionaries by name, of names and values, or a list's own."""
    if isinstance(value, dict) and value and all(isinstance(one, dict) for one in value.values()):
        return [{"": name, **row} for name, row in value.items()]
    if isinstance(value, dict):
        return [{"": name, "value": one} for name, one in value.items()]
    return [row if isinstance(row, dict) else {"value": row} for row in value]


def table(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Rows as Markdown."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    yield "| " + " | ".join(column.replace("_", " ") for column in columns) + " |"
    yield "|" + "---|" * len(columns)
    for row in rows:
        yield "| " + " | ".join(text(row.get(column, "")).replace("|", "\\|") for column in columns) + " |"
    yield ""


def text(value: Any) -> str:
    """A value in a cell or a sentence."""
    if value is None:
        return "not measured"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
    if isinstance(value, dict):
        return "; ".join(f"{key}: {text(one)}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(text, value))
    return str(value)


def _curves(answer: Answer) -> tuple[str, str, str, Series]:
    """What a wing's tables hold that is a curve: its axes' names and scale, and its lines."""
    lines: Series = {}
    if answer["wing"] == "codec":
        for name, row in (answer.get("points") or {}).items():
            lines.setdefault(name.rsplit(" ", 1)[0], []).append((row["bits_per_pixel"], row["psnr_rgb"]))
        return "bits per pixel", "PSNR of RGB, dB", "log", lines
    if answer["wing"] == "autoencoders":
        for name, row in (answer.get("code_size") or {}).items():
            kind, numbers = name.rsplit(" ", 1)
            lines.setdefault(kind, []).append((int(numbers), row["psnr_rgb"]))
        return "numbers in a code", "PSNR of RGB, dB", "log", lines
    if answer["wing"] == "gallery":
        for row in answer.get("search") or []:
            lines.setdefault(row["store"], []).append((row["templates"], row["search_ms"]))
        return "templates", "milliseconds a search", "log", lines
    return "", "", "", lines


def plot(answer: Answer, path: Path) -> str | None:
    """A wing's curves as SVG, and what they show; None where its answer holds no curve."""
    across, up, scale, lines = _curves(answer)
    if not lines:
        return None
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("a page of results with plots", "plots") from None
    with matplotlib.rc_context({"svg.hashsalt": "unpool", "svg.fonttype": "none"}):
        figure = Figure(figsize=(6, 3.6), layout="constrained")
        axes = figure.subplots()
        for name, points in lines.items():
            axes.plot(*zip(*sorted(points)), ".-", label=name, linewidth=2.5 if name in ("unpool", "conv") else 1.2)
        axes.set(xscale=scale, xlabel=across, ylabel=up)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
        with atomic(path) as beside:
            figure.savefig(beside, format="svg", metadata={"Date": None})
    return f"{up} over {across}"


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every figure of an answer with its path; the machine and the time are none."""
    if isinstance(value, dict):
        for key, one in value.items():
            if path or key not in ("hardware", "seconds"):
                yield from flat(one, f"{path}/{key}" if path else key)
    elif isinstance(value, list) and all(isinstance(row, dict) for row in value):
        for row in value:
            yield from flat(row, f"{path}/{label(row)}")
    else:
        yield path, value


def compared(first: Path, second: Path) -> list[dict[str, Any]]:
    """What differs from one file to another: figure, both values, and percent where both are numbers."""
    before, after = (dict(flat(read(path))) for path in (first, second))
    rows = []
    for key in dict.fromkeys([*before, *after]):
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in (old, new))
        change = f"{100 * (new - old) / abs(old):+.1f} %" if numbers and old else ""
        rows.append({"figure": key, "before": old, "after": new, "change": change})
    return rows
