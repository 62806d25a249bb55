"""A floor imports only floors below it; a wing reaches another wing only through its api. Found in the syntax trees."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "unpool"
LEVELS = {
    "errors": 0,
    "images": 1,
    "nn": 1,
    "zoo": 2,
    "train": 3,
    "explanation": 4,
    "autoencoders": 4,
    "generation": 4,
    "restoration": 4,
    "codec": 4,
    "faces": 4,
    "pillow": 5,
    "server": 5,
    "studio": 5,
    "batch": 5,
    "questions": 5,
    "cli": 6,  # the command opens the other doors
    "__main__": 7,
}
WINGS = {name for name, level in LEVELS.items() if level == 4}
FILES = sorted(ROOT.rglob("*.py"))


def imports(path: Path) -> set[tuple[str, ...]]:
    """The dotted names that a file imports, in functions and for types too, as parts after `unpool`; others whole."""
    package = path.relative_to(ROOT.parent).with_suffix("").parts[:-1]
    found: set[tuple[str, ...]] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {tuple(alias.name.split(".")) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            home = package[: len(package) - node.level + 1] if node.level else ()
            module = (*home, *(node.module.split(".") if node.module else ()))
            found |= {(*module, alias.name) for alias in node.names}
    return found


def complaints(path: Path, wanted: set[tuple[str, ...]]) -> list[str]:
    """What is wrong with a file that imports these names."""
    own = path.relative_to(ROOT).with_suffix("").parts[0]
    wrong = []
    for name in sorted(wanted):
        if own == "nn" and name[0] != "unpool" and name[0] != "torch" and name[0] not in sys.stdlib_module_names:
            wrong.append(f"nn imports torch alone, not {'.'.join(name)}")
        if name[0] != "unpool" or len(name) == 1 or name[1] in (own, "__version__"):
            continue
        there = name[1]
        if there not in LEVELS:
            wrong.append(f"{'.'.join(name)} stands on no floor")
        elif own == "nn":
            wrong.append(f"nn imports torch alone, not {'.'.join(name)}")
        elif own in WINGS and there in WINGS:
            if name[2:3] != ("api",):
                wrong.append(f"{own} reaches {'.'.join(name)} past its api")
        elif LEVELS[there] >= LEVELS[own]:
            wrong.append(f"{own} climbs to {'.'.join(name)}")
    return wrong


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_import_climbs(path):
    if path == ROOT / "__init__.py":
        return  # the public API: it hands on names from everywhere, and loads nothing by itself
    assert complaints(path, imports(path)) == []


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("images/a.py", "from unpool.zoo.table import resolve"),
        ("images/a.py", "def f():\n    import unpool.nn.conv"),
        ("nn/a.py", "import numpy"),
        ("nn/a.py", "from unpool.errors import UnpoolError"),
        ("zoo/a.py", "from ..train import loop"),
        ("codec/a.py", "from unpool.restoration.model import Restorer"),
        ("codec/a.py", "from unpool.cli import main"),
        ("server/a.py", "from unpool.cli.main import app"),
    ],
)
def test_the_test_sees_what_climbs(tmp_path, monkeypatch, file, text):
    monkeypatch.setitem(globals(), "ROOT", tmp_path / "unpool")
    path = tmp_path / "unpool" / file
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert complaints(path, imports(path))


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (
            "images/a.py",
            "import numpy\nfrom unpool.errors import UnpoolError\nfrom unpool.images.picture import Picture",
        ),
        ("nn/a.py", "import math\nfrom torch import nn\nfrom unpool.nn.conv import Conv"),
        ("codec/a.py", "from unpool.restoration.api import restore\nfrom unpool import __version__"),
        ("cli/a.py", "from unpool.server.app import app"),
    ],
)
def test_the_test_lets_the_rest_pass(tmp_path, monkeypatch, file, text):
    monkeypatch.setitem(globals(), "ROOT", tmp_path / "unpool")
    path = tmp_path / "unpool" / file
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert complaints(path, imports(path)) == []


def test_every_package_stands_on_a_floor():
    assert {path.relative_to(ROOT).with_suffix("").parts[0] for path in FILES} <= {*LEVELS, "__init__"}
