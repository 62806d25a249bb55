"""The command line and Pillow: files in, files out, mistakes in one line."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import unpool.pillow  # noqa: F401 (registers the plugin)
from unpool.codec import api
from unpool.zoo.weights import shipped

needs_weights = pytest.mark.skipif(api.MODEL not in shipped(), reason="the codec's weights are not here")


def run(*arguments, status=0):
    done = subprocess.run(
        [sys.executable, "-m", "unpool", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == status, done.stderr
    return done.stdout if status == 0 else done.stderr


@pytest.fixture
def png(photo, tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(photo).save(path)
    return path


@needs_weights
def test_there_and_back_by_command(png, tmp_path):
    said = json.loads(run("compress", png, "--size", "1.5kB", "--json"))
    file = png.with_suffix(".unp")
    assert said["bytes"] == file.stat().st_size <= 1500
    told = json.loads(run("info", file, "--json"))
    assert (told["width"], told["height"], told["mode"], told["colour"]) == (112, 80, "lossy", "RGB")
    run("decompress", file, "-o", tmp_path / "part.png", "--region", "10,20,30,40")
    whole = api.decompress(file.read_bytes()).samples
    assert (np.asarray(Image.open(tmp_path / "part.png")) == whole[20:60, 10:40]).all()


def test_lossless_by_command_and_mistakes(png, photo, tmp_path):
    out = tmp_path / "exact.unp"
    run("compress", png, "--lossless", "-o", out)
    run("decompress", out, "-o", tmp_path / "back.png")
    assert (np.asarray(Image.open(tmp_path / "back.png")) == photo).all()
    for arguments in (("info", png), ("decompress", png, "-o", tmp_path / "x.png")):
        error = run(*arguments, status=2)
        assert error.count("\n") == 1
        assert f"{png}: not a .unp file" in error
    assert "region" in run("decompress", out, "-o", tmp_path / "x.png", "--region", "1,2", status=2)


def test_pillow_opens_and_saves(photo, tmp_path):
    path = tmp_path / "photo.unp"
    Image.fromarray(photo).save(path, lossless=True)
    with Image.open(path) as image:
        assert (image.format, image.size, image.mode) == ("UNP", (112, 80), "RGB")
        assert (np.asarray(image) == photo).all()
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(OSError, match="damaged"), Image.open(path) as image:
        image.load()


def test_a_folder_or_a_pictures_name_for_the_file_is_refused(png, tmp_path):
    assert "is a folder" in run("compress", tmp_path, status=2)
    before = png.read_bytes()
    for out in (png, tmp_path / "copy.jpg"):
        assert "under a picture's name" in run("compress", png, "-o", out, status=2)
    assert png.read_bytes() == before
    assert not (tmp_path / "copy.jpg").exists()
