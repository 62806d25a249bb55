"""Mistakes are known before Ray starts; the pages' commands are ones that exist."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from unpool.batch import run as running
from unpool.cli import batch
from unpool.errors import UnpoolError

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(autouse=True)
def no_ray(monkeypatch):
    monkeypatch.setattr(running, "ray_here", None)


def said(*arguments):
    done = CliRunner().invoke(batch.app, [str(one) for one in arguments])
    assert isinstance(done.exception, UnpoolError)
    return str(done.exception)


def test_mistakes(folder, tmp_path):
    out = tmp_path / "out"
    assert "there is no" in said("embed", tmp_path / "gone", "-o", out)
    assert "gives no codes" in said("embed", folder, "-o", tmp_path / "other", "--model", "efficientnet-lite0")
    assert "holds something else" in said("embed", folder, "-o", folder)


def test_commands_of_the_pages():
    commands = [
        line.removeprefix("unpool batch ")
        for page in ("batch.md", "cluster.md")
        for line in re.sub(r"\\\n\s*", "", (DOCS / page).read_text(encoding="utf-8")).splitlines()
        if line.startswith("unpool batch ")
    ]
    assert len(commands) >= 5
    group = typer.main.get_command(batch.app)
    for line in commands:
        name, *arguments = shlex.split(line, comments=True)
        group.commands[name].make_context(name, arguments)
