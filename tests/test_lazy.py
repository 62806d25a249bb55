"""What `import unpool` and `unpool --help` may load, by module names rather than by a clock."""

import subprocess
import sys

import pytest

_REPORT = """
import sys
before = set(sys.modules)
{action}
print("\\n".join(sorted(set(sys.modules) - before)), file=sys.stderr)
"""
# What typer is made of and brings along to print help; rich looks whether attrs is there.
_TYPER = {
    "attr",
    "typer",
    "click",
    "rich",
    "shellingham",
    "annotated_doc",
    "typing_extensions",
    "markdown_it",
    "mdurl",
    "pygments",
}


def loaded(action: str) -> set[str]:
    """Modules that some lines of Python load in a fresh interpreter, without those of the standard library."""
    done = subprocess.run(
        [sys.executable, "-c", _REPORT.format(action=action)], capture_output=True, text=True, check=True
    )
    modules = done.stderr.split()
    return {name for name in modules if name.partition(".")[0].lstrip("_") not in _STANDARD}


_STANDARD = {name.lstrip("_") for name in sys.stdlib_module_names}


def test_import_unpool_loads_nothing_else():
    assert loaded("import unpool") == {"unpool"}


def test_looking_at_names_loads_nothing():
    assert loaded("import unpool; dir(unpool); unpool.__all__; unpool.__version__") == {"unpool"}


@pytest.mark.parametrize("words", [["--help"], ["--version"], []])
def test_help_loads_the_door_alone(words):
    action = f"""
sys.argv = ["unpool", *{words!r}]
from unpool.cli import main
try:
    main()
except SystemExit:
    pass
"""
    modules = loaded(action)
    ours = {name for name in modules if name.partition(".")[0] == "unpool"}
    assert ours == {"unpool", "unpool.cli", "unpool.cli.main", "unpool.errors"}
    assert {name.partition(".")[0] for name in modules - ours} <= _TYPER


def test_help_of_a_command_loads_no_torch():
    from unpool.cli.main import COMMANDS

    imports = "; ".join(f"import {module}" for module, _ in COMMANDS.values())
    heavy = {name.partition(".")[0] for name in loaded(imports)}
    assert heavy <= {"unpool", *_TYPER}


def test_reading_a_picture_loads_no_torch():
    modules = loaded("import unpool; unpool.read(b'P5 1 1 255 x')")
    assert not {name for name in modules if name.partition(".")[0] in ("torch", "matplotlib", "skimage", "scipy")}
