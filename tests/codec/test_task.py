"""Both tasks on a handful of photographs: a few steps through the loop, and what they ship."""

import pytest
from PIL import Image
from skimage import data

from tests.codec.conftest import CONFIG
from unpool.codec import task as photo_task
from unpool.codec.api import load_codec
from unpool.errors import ModelError
from unpool.images.picture import Picture
from unpool.train import recipe as recipes
from unpool.train.loop import train


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data folder with small photographs, named so that some are held out."""
    root = tmp_path_factory.mktemp("data")
    (root / "packs").mkdir()
    place = root / "photos" / "train" / "few"
    place.mkdir(parents=True)
    source = data.astronaut()
    for number in range(40):
        top, left = (number * 37) % 400, (number * 91) % 400
        Image.fromarray(source[top : top + 80, left : left + 80]).save(place / f"{number:03}.png")
    return root


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(photo_task, "_VALIDATION_SIZE", 64)


def trained(name, options, folder, out):
    settings = [f"{key}={value}" for key, value in {"batch": 2, "workers": 0, "crop": 64, **options}.items()]
    recipe = recipes.load(name, [*settings, "validation_pictures=2"])
    train(recipe, out, data=folder, steps=3, device="cpu")
    return out / f"{name.split('/')[1]}.safetensors"


def test_a_short_training_ships_a_codec_whose_files_decode(small, folder, tmp_path, photo):
    codec = load_codec(trained("codec/photo", CONFIG, folder, tmp_path / "run"))
    picture = Picture(photo)
    assert codec.decompress(codec.compress(picture, 60)).samples.shape == photo.shape


def test_a_second_synthesis_reads_the_same_files(small, folder, weights, codec, tmp_path, photo):
    both = load_codec(trained("codec/look", {"start": weights, "width": 4}, folder, tmp_path / "run"))
    assert both.identity == codec.identity
    file = codec.compress(Picture(photo), 60)
    faithful, looked = both.decompress(file), both.decompress(file, look=True)
    assert (faithful.samples == codec.decompress(file).samples).all()
    assert (looked.samples != faithful.samples).any()
    with pytest.raises(ModelError, match="no second synthesis"):
        codec.decompress(file, look=True)
