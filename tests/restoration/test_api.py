"""`restore`: any picture in, the same kind of picture out; refusal instead of garbage."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from unpool.errors import ModelError, UnpoolError
from unpool.images.picture import Picture
from unpool.images.reading import read
from unpool.images.writing import write
from unpool.restoration import plan
from unpool.restoration.api import restore, restore_file
from unpool.restoration.network import Shrunk, TiledNetwork

from .conftest import restorer


def test_grey_stays_grey_and_size_is_multiplied(photo, enlarger):
    grey = Picture(photo.samples[..., :1])
    result = restore(grey, model=enlarger).picture
    assert result.grey
    assert (result.height, result.width, result.bit_depth) == (grey.height * 4, grey.width * 4, 8)


def test_one_pixel(enlarger, cleaner):
    pixel = Picture(np.full((1, 1, 3), 90, np.uint8))
    assert restore(pixel, model=enlarger).picture.samples.shape == (4, 4, 3)
    assert restore(pixel, model=cleaner).picture.samples.shape == (1, 1, 3)


def test_sixteen_bits_and_alpha(deep, enlarger, cleaner, small_tiles):
    larger = restore(deep, model=enlarger).picture
    assert larger.bit_depth == 16
    assert larger.alpha is not None
    assert larger.alpha.shape == (deep.height * 4, deep.width * 4)
    cleaned = restore(deep, model=cleaner).picture
    assert np.array_equal(cleaned.alpha, deep.alpha), "alpha is left alone where the size stays"
    assert len(np.unique(cleaned.samples)) > 256


def test_in_bands_equals_at_once(photo, cleaner, monkeypatch):
    whole = restore(photo, model=cleaner, strength=0.7).picture
    monkeypatch.setattr("unpool.restoration.network.TILE", 32)
    calls = []
    banded = restore(photo, model=cleaner, strength=0.7, progress=lambda now, end: calls.append((now, end))).picture
    assert np.abs(whole.samples.astype(int) - banded.samples).max() <= 1
    assert calls == [(1, 2), (2, 2)]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("kind", ["photo", "deep", "grey"])
def test_files_written_row_by_row_are_read_back(kind, suffix, request, tmp_path, enlarger, small_tiles, monkeypatch):
    monkeypatch.setattr("unpool.restoration.stream.TIFF_FROM", 0)
    picture = (
        Picture(request.getfixturevalue("photo").samples[..., :1]) if kind == "grey" else request.getfixturevalue(kind)
    )
    write(picture, tmp_path / "in.png")
    plan = restore_file(tmp_path / "in.png", tmp_path / f"out{suffix}", model=enlarger)
    back, expected = read(tmp_path / f"out{suffix}"), restore(picture, model=enlarger).picture
    assert plan.scale == 4
    assert np.array_equal(back.samples, expected.samples)
    assert (back.alpha is None) == (expected.alpha is None)
    if back.alpha is not None:
        assert np.array_equal(back.alpha, expected.alpha)
    assert {path.name for path in tmp_path.iterdir()} == {"in.png", f"out{suffix}"}


@pytest.mark.parametrize("factor", [2, 3])
def test_a_smaller_factor_by_shrinking(factor, enlarger, small_tiles, float32):
    shrunk = Shrunk(enlarger, 4, factor)
    picture = torch.rand(1, 3, 41, 57, generator=torch.Generator().manual_seed(0))
    tiles = TiledNetwork(shrunk, torch.device("cpu"))
    assert tiles.scale == factor
    with torch.inference_mode():
        torch.testing.assert_close(tiles(picture), shrunk(picture), atol=1e-5, rtol=0)


def test_strength_makes_crisper(photo, enlarger):
    faithful, strong = (restore(photo, model=enlarger, strength=s).picture.tensor() for s in (0.0, 1.0))
    assert float(strong.diff(dim=-1).square().mean()) > float(faithful.diff(dim=-1).square().mean())


class Excited(nn.Module):
    def forward(self, x):
        return x * x.mean((2, 3), keepdim=True)


class Placed(nn.Module):
    def forward(self, x):
        return x + torch.linspace(0, 1, x.shape[-1])


class Broken(nn.Module):
    def forward(self, x):
        return x / torch.where(x > 0.99, 0.0, 1.0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": nn.Conv2d(3, 5, 3, padding=1)}, "not to 3 channels"),
        ({"model": nn.Conv2d(1, 3, 3, padding=1)}, "cannot restore"),
        ({"model": nn.Conv2d(3, 3, 3, stride=2)}, "not to 3 channels"),
        ({"model": Excited()}, "global operation"),
        ({"model": Placed()}, "depends on where"),
        ({"model": "nothing/here"}, "no model"),
        ({"model": "efficientnet-lite0"}, "not for restoration"),
        ({"model": restorer(scale=4), "scale": 2}, "4 times, not 2"),
        ({"scale": 5}, "no models enlarge 5 times"),
        ({"scale": 2.5}, "no models enlarge 2.5 times"),
        ({"scale": 0.5}, "give 1 to 16"),
        ({"task": "beautify"}, "no task"),
        ({"strength": 2.0}, "strength"),
        ({"method": "magic"}, "no method"),
        ({"method": "bicubic"}, "give a scale"),
        ({"method": "nlm", "scale": 2}, "leave the scale out"),
        ({"method": "nlm"}, "--sigma"),
        ({"method": "wiener"}, "--blur"),
    ],
)
def test_what_cannot_be_done_is_refused(photo, options, words):
    with pytest.raises(UnpoolError, match=words):
        restore(photo, **options)


def test_a_task_without_weights_says_what_there_is(photo, monkeypatch):
    there = {name: path for name, path in plan.shipped().items() if name != "restoration/deblur"}
    monkeypatch.setattr(plan, "shipped", lambda: there)
    with pytest.raises(ModelError, match="no model restoration/deblur yet; there are: restoration/denoise"):
        restore(photo, task="deblur")


def test_answers_that_are_not_finite_are_refused(cleaner):
    white = Picture(np.full((40, 40, 3), 255, np.uint8))
    with pytest.raises(ModelError, match="not finite"):
        restore(white, model=Broken())


def test_a_result_that_cannot_be_written_is_refused_first(tmp_path, deep, enlarger):
    write(deep, tmp_path / "in.png")
    with pytest.raises(UnpoolError, match="transparency"):
        restore_file(tmp_path / "in.png", tmp_path / "out.jpg", model=enlarger)
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("tiff_from", [0, 10**9])
def test_exif_data_stay(suffix, tiff_from, photo, tmp_path, enlarger, monkeypatch):
    monkeypatch.setattr("unpool.restoration.stream.TIFF_FROM", tiff_from)
    described = Image.Exif()
    described[272] = "a camera"
    small = Picture(photo.samples[:8, :9].copy(), exif=described.tobytes())
    write(small, tmp_path / "in.png")
    restore_file(tmp_path / "in.png", tmp_path / f"out{suffix}", model=enlarger)
    assert Image.open(tmp_path / f"out{suffix}").getexif()[272] == "a camera"
