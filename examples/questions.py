"""The tables and plots of docs/questions.md, from the newest JSON of `unpool bench questions`, full before quick.

`python examples/questions.py [--write] [benchmarks/questions-*.json]`; the plots need `unpool[plots]`.
"""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unpool.cli.results import read, table

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "questions.md"
PICTURES = PAGE.parent / "pictures" / "questions"
Rows = list[dict[str, Any]]


def stability(axes: tuple[Axes, Axes], answer: dict[str, Any]) -> None:
    """PSNR with its spread for each activation and loss, and how many runs diverged."""
    rows: Rows = answer["stability"]
    losses = list(dict.fromkeys(row["loss"] for row in rows))
    activations = list(dict.fromkeys(row["activation"] for row in rows))
    for number, loss in enumerate(losses):
        mine = {row["activation"]: row for row in rows if row["loss"] == loss}
        places = [place + 0.8 * (number - (len(losses) - 1) / 2) / len(losses) for place in range(len(activations))]
        wide = 0.8 / len(losses)
        heights = [mine[name]["psnr"] or 0 for name in activations]
        spreads = [(mine[name]["spread"] or 0) / 2 for name in activations]
        axes[0].bar(places, heights, wide, yerr=spreads, label=loss, capsize=2)
        axes[1].bar(places, [mine[name]["diverged"] for name in activations], wide, label=loss)
    axes[0].axhline(answer["stability_psnr_of_the_mean_picture"], color="grey", linestyle=":", label="mean picture")
    axes[0].set_ylabel("PSNR of runs that held, dB")
    axes[0].set_ylim(bottom=answer["stability_psnr_of_the_mean_picture"] - 1)
    axes[1].set(ylabel="share of runs that diverged", ylim=(0, 1))
    for panel in axes:
        panel.set_xticks(range(len(activations)), activations)
    axes[0].legend(fontsize=7)


def overfitting(axes: tuple[Axes, Axes], answer: dict[str, Any]) -> None:
    """Training and held-out PSNR of the thousand pictures, and the shipped models' gaps with their errors."""
    ways: Rows = answer["thousand_pictures"]
    places = range(len(ways))
    axes[0].plot([row["training"] for row in ways], places, "o", label="training")
    axes[0].plot([row["held_out"] for row in ways], places, "s", label="held out")
    axes[0].set_yticks(places, [row["way"] for row in ways], fontsize=7)
    axes[0].invert_yaxis()
    axes[0].set_xlabel("PSNR, dB, of 1,000 garments")
    axes[0].legend(fontsize=7)
    shipped = [row for row in answer["shipped"] if "psnr" in row["figure"] or "dB" in row["figure"]]
    gaps, errors = ([row[key] for row in shipped] for key in ("gap", "standard_error"))
    axes[1].errorbar(gaps, range(len(shipped)), xerr=errors, fmt="o", capsize=2)
    axes[1].set_yticks(range(len(shipped)), [row["model"] for row in shipped], fontsize=7)
    axes[1].axvline(0, color="grey", linestyle=":")
    axes[1].invert_yaxis()
    axes[1].set_xlabel("gap of shipped models, dB")


def data(axes: tuple[Axes, Axes], answer: dict[str, Any]) -> None:
    """Held-out results over the share of the pictures, recognisers on the left, pictures on the right."""
    for row in {row["system"]: row for row in answer["data"]}.values():
        mine = [one for one in answer["data"] if one["system"] == row["system"]]
        panel = axes[1 if row["figure"] == "psnr" else 0]
        panel.plot([100 * one["share"] for one in mine], [one["result"] for one in mine], ".-", label=row["system"])
    for panel, label in zip(axes, ("share told right", "PSNR, dB")):
        panel.set(xscale="log", xlabel="training pictures, %", ylabel=label)
        panel.legend(fontsize=7)


def variation(axes: tuple[Axes, Axes], answer: dict[str, Any]) -> None:
    """Pairs of faces told right without each way of varying them, in place and misplaced: sharp left, poor right."""
    rows: Rows = answer["variation"]
    places = range(len(rows))
    for panel, size in zip(axes, (112, 16)):
        panel.plot([row[f"in_place_{size}"] for row in rows], places, "o", label="in place")
        panel.plot([row[f"misplaced_{size}"] for row in rows], places, "s", label="misplaced")
        panel.set_yticks(places, [row["left_out"] for row in rows], fontsize=7)
        panel.invert_yaxis()
        panel.set_xlabel(f"pairs told right at {size} pixels")
        panel.legend(fontsize=7)


def resolution(axes: tuple[Axes, Axes], answer: dict[str, Any]) -> None:
    """Milliseconds and parameters over the size of the face."""
    for name in dict.fromkeys(row["network"] for row in answer["resolution"]):
        mine = [row for row in answer["resolution"] if row["network"] == name]
        for panel, key in zip(axes, ("milliseconds", "parameters")):
            panel.plot([row["size"] for row in mine], [row[key] for row in mine], ".-", label=name)
    for panel, label in zip(axes, ("milliseconds a face", "parameters")):
        panel.set(xlabel="pixels a side", ylabel=label, yscale="log")
        panel.set_xscale("log", base=2)
        panel.xaxis.set_major_formatter(lambda size, _: f"{size:.0f}")
    axes[0].legend(fontsize=7)


def classics(axes: tuple[Axes, Axes], answer: dict[str, Any]) -> None:
    """PSNR at equal steps and at equal seconds: whole networks, and ways of enlarging inside one."""
    for panel, key, name in zip(axes, ("against_classics", "enlarging"), ("network", "enlarging")):
        rows: Rows = answer[key]
        places = range(len(rows))
        panel.plot([row["psnr_at_equal_steps"] for row in rows], places, "o", label="equal steps")
        panel.plot([row["psnr_at_equal_seconds"] for row in rows], places, "s", label="equal seconds")
        panel.set_yticks(places, [row[name] for row in rows], fontsize=7)
        panel.set_ylim(len(rows) - 0.5, -0.5)
        panel.set_xlabel("PSNR of test pictures, dB")
        panel.legend(fontsize=7)


# Mark on the page -> the tables that stand there, and their plot.
SECTIONS: dict[str, tuple[tuple[str, ...], Callable[[tuple[Axes, Axes], dict[str, Any]], None]]] = {
    "stability": (("stability",), stability),
    "overfitting": (("thousand_pictures", "shipped", "shipped_not_asked"), overfitting),
    "data": (("data",), data),
    "variation": (("variation",), variation),
    "resolution": (("resolution",), resolution),
    "classics": (("against_classics", "enlarging"), classics),
}


def chosen(paths: list[Path]) -> dict[str, Any]:
    """The latest run among these files, a full one before any quick one."""
    answers = [answer | {"file": path.name} for path in paths if (answer := read(path))["wing"] == "questions"]
    return max(answers, key=lambda answer: (not answer["quick"], answer["hardware"]["date"]))


def blocks(answer: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each mark of the page and what stands there."""
    machine = answer["hardware"]
    run = (
        "a quick run (fewer steps, seeds and kinds than a full one, its timings rough)"
        if answer["quick"]
        else "a full run"
    )
    yield (
        "run",
        f"These figures are from {run}: {machine['date'][:10]}, {machine['cpu']}, {machine['threads']} threads, "
        f"{answer['seconds']:.0f} seconds (`{answer['file']}`).\n",
    )
    for name, (tables, _) in SECTIONS.items():
        asked = [key for key in tables if answer.get(key)]  # no faces, no answer
        lines = [f"![{name}](pictures/questions/{name}.svg)\n" if asked else "That run did not ask.\n"]
        for key in asked:
            lines += table(answer[key])
        yield name, "\n".join(lines)


def written(page: str, answer: dict[str, Any]) -> str:
    """The page with these figures in their places."""
    for name, text in blocks(answer):
        mark = f"<!-- {name} -->\n"
        page = re.sub(
            f"{mark}.*?<!-- end -->", lambda _, whole=f"{mark}{text}<!-- end -->": whole, page, flags=re.DOTALL
        )
    return page


def draw(answer: dict[str, Any], folder: Path) -> None:
    """Every plot that has something to show, two panels each; an earlier run's plot goes where this run did not ask."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (tables, panels) in SECTIONS.items():
        if not any(answer.get(key) for key in tables):
            (folder / f"{name}.svg").unlink(missing_ok=True)
            continue
        with rc_context({"svg.hashsalt": "unpool", "svg.fonttype": "none"}):
            figure = Figure(figsize=(9, 3.4), layout="constrained")
            axes = figure.subplots(1, 2)
            panels(axes, answer)
            for panel in axes:
                panel.grid(alpha=0.3)
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None})


if __name__ == "__main__":
    files = [Path(one) for one in sys.argv[1:] if one != "--write"]
    best = chosen(files or sorted((ROOT / "benchmarks").glob("*.json")))
    if "--write" in sys.argv:
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), best), encoding="utf-8")
        draw(best, PICTURES)
        print(PAGE)
    else:
        print("\n".join(text for _, text in blocks(best)))
