"""The wheel and the sdist hold what an installed unpool needs, and no more than the package."""

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Wheel and sdist, built without a network from a copy, so that no earlier build leaks into them."""
    place = tmp_path_factory.mktemp("build")
    shutil.copytree(ROOT / "unpool", place / "unpool", ignore=shutil.ignore_patterns("__pycache__", "*.part"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, place)
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(place / "dist"), str(place)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    (wheel,), (sdist,) = (place / "dist").glob("*.whl"), (place / "dist").glob("*.tar.gz")
    return wheel, sdist


def package() -> set[str]:
    """Every file of the package that is not made by running it."""
    found = (path for path in (ROOT / "unpool").rglob("*") if path.is_file())
    return {path.relative_to(ROOT).as_posix() for path in found if path.suffix not in (".pyc", ".part")}


def test_the_wheel_holds_the_whole_package(built):
    with zipfile.ZipFile(built[0]) as wheel:
        names = set(wheel.namelist())
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        described = wheel.read(metadata).decode()
    assert {name for name in names if ".dist-info/" not in name} == package()
    for needed in ("py.typed", "studio/page/index.html", "recipes/restoration/sr-x4.yaml", "images/page.css"):
        assert f"unpool/{needed}" in names
    assert sum(name.endswith(".safetensors") for name in names) > 10
    assert "License-Expression: Apache-2.0" in described
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_sdist_builds_the_same_wheel(built):
    with tarfile.open(built[1]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert package() <= names
    assert {"pyproject.toml", "README.md", "LICENSE"} <= names


def test_extras_are_spelt_as_the_errors_say():
    """Every extra that a message tells people to install is one."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    extras = set(re.findall(r"^([\w-]+) = \[", text.split("[project.optional-dependencies]")[1], re.MULTILINE))
    asked = {
        extra
        for path in (ROOT / "unpool").rglob("*.py")
        for extra in re.findall(r'MissingExtraError\([^)]*?"([\w-]+)"\)', path.read_text(encoding="utf-8"))
    }
    assert asked
    assert asked <= extras
