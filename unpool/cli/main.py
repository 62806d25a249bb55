"""The door itself: which commands exist, and how a mistake reaches the user."""

import importlib
import io
import os
import sys
import warnings
from typing import Any

import typer
from typer.core import TyperGroup

from unpool import __version__
from unpool.errors import UnpoolError

# typer >= 0.29 carries its own copy of click, earlier ones import it: ask typer for the base class, naming neither.
ClickException: Any = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")

# Command -> (module with a typer `app`, help line). The module is imported only when its command runs.
COMMANDS = {
    "demo": ("unpool.cli.demo", "Run every wing on real photographs and write one page."),
    "explain": ("unpool.cli.explain", "Show what a network saw in a picture."),
    "restore": ("unpool.cli.restore", "Make pictures larger, cleaner or sharper."),
    "compress": ("unpool.cli.compress", "Compress a picture into a .unp file."),
    "decompress": ("unpool.cli.decompress", "Give the picture in a .unp file back."),
    "info": ("unpool.cli.info", "Tell what a .unp file holds, without decoding it."),
    "generate": ("unpool.cli.generate", "Generate pictures from seeds, between them, or like a photograph."),
    "faces": ("unpool.cli.faces", "Find, compare, describe and restore faces; known people."),
    "embed": ("unpool.cli.embed", "Write the codes of pictures as a table."),
    "batch": ("unpool.cli.batch", "Do it to millions of pictures, here or on a cluster."),
    "train": ("unpool.cli.train", "Train a model from a recipe."),
    "data": ("unpool.cli.data", "List, fetch and pack data sets."),
    "models": ("unpool.cli.models", "List the models, their licence, size and headline figure."),
    "export": ("unpool.cli.export", "Export a model to ONNX."),
    "bench": ("unpool.cli.bench", "Measure a wing beside its peers."),
    "studio": ("unpool.cli.studio", "Open a web page for all of this, on this machine."),
    "serve": ("unpool.cli.serve", "Serve the wings over HTTP."),
    "keys": ("unpool.cli.keys", "Make, list and revoke keys of the service."),
    "doctor": ("unpool.cli.doctor", "Print versions, device, weights and what is missing."),
}


class LazyGroup(TyperGroup):
    """A command group that imports a command's module only when that command runs."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module, summary = COMMANDS[cmd_name]
        if getattr(self, "_listing", False):
            return typer.core.TyperCommand(cmd_name, help=summary)
        command = typer.main.get_command(importlib.import_module(module).app)
        command.name = cmd_name
        return command

    def format_help(self, ctx: Any, formatter: Any) -> None:
        self._listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False


app = typer.Typer(cls=LazyGroup, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


def _version(value: bool) -> None:
    if value:
        print(f"unpool {__version__}")
        raise typer.Exit


@app.callback()
def _unpool(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Pictures into codes, and codes back into pictures."""


def _fail(message: object, status: int = 2) -> int:
    print("unpool: " + " ".join(str(message).split()), file=sys.stderr)
    return status


def _run() -> int:
    try:
        return int(typer.main.get_command(app)(prog_name="unpool", standalone_mode=False) or 0)
    except UnpoolError as error:
        return _fail(error)
    except ClickException as error:
        message = error.format_message()
        return _fail(message) if message else 2  # an empty message: the help was the answer
    except (typer.Abort, KeyboardInterrupt):
        return _fail("stopped", 130)
    except BrokenPipeError:
        # The reader went away (`unpool ... | head`): there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        return _fail(f"{error.strerror or error}: {error.filename}" if error.filename else error)


def main() -> None:
    """Entry point of the `unpool` command: a user's mistake is one line on stderr and exit status 2."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names are bytes, and need not be text
    warnings.filterwarnings("ignore", category=UserWarning, module="PIL")  # of damage in a picture, which is one error
    sys.exit(_run())
