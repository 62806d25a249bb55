"""What is wrong with a picture is found within bounds."""

import io
import struct

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from unpool.images.degradations import JPEG, GaussianBlur, GaussianNoise
from unpool.images.metrics import eight_bit
from unpool.images.picture import Picture
from unpool.restoration import plan
from unpool.restoration.estimate import blockiness, estimate, noise_level, sharpness, tables_quality


@pytest.fixture(scope="module")
def clean():
    return torch.from_numpy(data.astronaut()[:256, 100:356].copy()).permute(2, 0, 1)[None].float() / 255


class Named:
    """A step of a plan that does nothing."""

    def __init__(self, name):
        self.name = name


def seeded():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("sigma", [10, 25, 50])
def test_noise(clean, sigma):
    assert noise_level(GaussianNoise(sigma, clip=False)(clean, seeded())) == pytest.approx(sigma, rel=0.2)


@pytest.mark.parametrize("quality", [5, 30, 50, 75, 95])
def test_jpeg_tables(quality):
    file = io.BytesIO()
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(file, "JPEG", quality=quality)
    assert tables_quality(file.getvalue()) == quality
    for other in (b"no picture", b"\xff\xd8", b"\xff\xd8\xff\xe0junk", file.getvalue()[:60]):
        assert tables_quality(other) is None


@pytest.mark.filterwarnings("error")
def test_tables_of_large_files_are_read():
    file = io.BytesIO()
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(file, "JPEG", quality=60)
    size = struct.pack(">HH", 16, 16)
    assert file.getvalue().count(size) == 1
    assert tables_quality(file.getvalue().replace(size, struct.pack(">HH", 9500, 20000))) == 60


def test_blocks_and_sharpness(clean):
    assert blockiness(JPEG(20)(clean, seeded())) > 1.3 > 1.12 > blockiness(clean)
    assert sharpness(GaussianBlur(2.0)(clean, seeded())) < 0.085 < sharpness(clean)


@pytest.mark.parametrize(
    ("damage", "task"),
    [(None, None), (GaussianNoise(20), "denoise"), (JPEG(20), "jpeg"), (GaussianBlur(2.5), "deblur")],
)
def test_the_task_follows(clean, damage, task):
    found = estimate(clean if damage is None else damage(clean, seeded()))
    assert found.task == task
    assert "noise" in str(found)


@pytest.mark.parametrize(
    ("damage", "names"),
    [
        (None, ("sr-x4", "sr-x2")),
        (GaussianBlur(1.0), ("photo-x4", "sr-x2")),
        (GaussianNoise(8), ("photo-x4", "sr-x2")),
        (GaussianNoise(25), ("denoise", "sr-x4", "sr-x2")),
        (JPEG(60), ("photo-x4", "sr-x2")),
        (JPEG(20), ("jpeg", "sr-x4", "sr-x2")),
        (GaussianBlur(2.5), ("deblur", "sr-x4", "sr-x2")),
    ],
)
def test_what_enlarges_follows(clean, damage, names, monkeypatch):
    there = {
        f"restoration/{name}": "" for name in ("sr-x2", "sr-x4", "photo-x2", "photo-x4", "denoise", "jpeg", "deblur")
    }
    monkeypatch.setattr(plan, "shipped", lambda: there)
    monkeypatch.setattr(plan, "_enlarger", lambda kind, factor, device: Named(f"restoration/{kind}-x{factor}"))
    monkeypatch.setattr(plan, "_of_the_zoo", lambda name, device: Named(name))
    bad = eight_bit(clean if damage is None else damage(clean, seeded()))
    made = plan.make_plan(plan.Wish(scale=8), Picture.from_tensor(bad))
    assert made.names == tuple(f"restoration/{name}" for name in names)


def test_tiny_pictures_have_nothing_wrong():
    assert estimate(torch.zeros(1, 1, 1, 1)).task is None
