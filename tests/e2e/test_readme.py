"""The README's Python and commands run as they stand, in a folder that holds a photograph."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import skimage.data

from unpool.images.reading import read
from unpool.images.writing import write

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
PYTHON = [text for language, text in BLOCKS if language == "python"]
COMMANDS = [
    line.partition("#")[0].strip()
    for language, text in BLOCKS
    if language == "sh"
    for line in text.splitlines()
    if line.partition("#")[0].strip()
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where a reader follows the README: a photograph of theirs lies there."""
    place = tmp_path_factory.mktemp("reader")
    write(read(skimage.data.coffee()[100:340, 120:420]), place / "photo.jpg")
    return place


def test_there_is_python_to_run_and_commands():
    assert PYTHON
    assert {command.split()[0] for command in COMMANDS} <= {"make", "unpool"}


@pytest.mark.parametrize("text", PYTHON, ids=range(len(PYTHON)))
def test_the_python_runs(text, folder):
    done = subprocess.run([sys.executable, "-c", text], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in re.findall(r'(?:save|write)\([^)]*?"([^"]+)"\)', text):
        assert read(folder / name).width > 0


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("unpool ")])
def test_the_commands_run(command, folder):
    words = shlex.split(command)[1:]
    done = subprocess.run(
        [sys.executable, "-m", "unpool", *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    if "-o" in words:
        assert (folder / words[words.index("-o") + 1]).stat().st_size > 0
    assert not list(folder.glob("*.part"))


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("make ")])
@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_the_make_targets_exist(command):
    done = subprocess.run([*command.split(), "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_it_points_to_is_there():
    for target in re.findall(r"\]\(([^)#]+)", README):
        assert target.startswith("https://") or (ROOT / target).exists(), target
