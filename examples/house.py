"""The picture of which package imports which, drawn from the code into docs/pictures/house.svg (or the path given).

Needs the extra `plots`.
"""

import ast
import sys
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

ROOT = Path(__file__).parents[1]
FLOORS = (
    ("errors", "images", "nn"),
    ("zoo",),
    ("train",),
    ("explanation", "autoencoders", "generation", "restoration", "codec", "faces"),
    ("pillow", "server", "studio", "batch"),
    ("cli",),
)


def imports() -> set[tuple[str, str]]:
    """(importer, imported) for the packages and modules right below `unpool`; everybody imports `errors`."""
    rooms = {room for floor in FLOORS for room in floor}
    found = set()
    for path in (ROOT / "unpool").rglob("*.py"):
        room = path.relative_to(ROOT / "unpool").with_suffix("").parts[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            found |= {(room, name.split(".")[1]) for name in names if name.startswith("unpool.")}
    return {(one, other) for one, other in found if one != other and {one, other} <= rooms and other != "errors"}


def main(path: Path) -> None:
    """Floors from below, a line for every import, those between wings in red; each line's id is IMPORTER-IMPORTED."""
    matplotlib.rcParams |= {"svg.hashsalt": "unpool", "svg.fonttype": "none"}
    figure = Figure(figsize=(8, 4.8), layout="constrained")
    axes = figure.subplots()
    places = {}
    for height, rooms in enumerate(FLOORS):
        for number, room in enumerate(rooms):
            places[room] = ((number + 0.5) / len(rooms), height)
            box = {"boxstyle": "round,pad=0.4", "facecolor": "white", "edgecolor": "black"}
            axes.text(*places[room], room, ha="center", va="center", fontsize=9, bbox=box, zorder=2)
    for one, other in sorted(imports()):
        (x, y), (u, v) = places[one], places[other]
        bend = "arc3,rad=0.35" if y == v else "arc3,rad=0.0"
        colour = "tab:red" if y == v == 3 else "0.6"
        arrow = {"arrowstyle": "-", "color": colour, "connectionstyle": bend, "linewidth": 0.8}
        drawn = axes.annotate("", (u, v), (x, y), arrowprops=arrow, zorder=1)
        drawn.arrow_patch.set_gid(f"{one}-{other}")
    axes.set(xlim=(0, 1), ylim=(-0.5, len(FLOORS) - 0.5))
    axes.axis("off")
    figure.savefig(path, format="svg", metadata={"Date": None})


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "pictures" / "house.svg")
