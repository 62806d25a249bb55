"""The tasks on a handful of pictures: samples, held-out parts, a short training, and what loads afterwards."""

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

import unpool
from unpool.errors import RecipeError
from unpool.explanation.loss import inversion_loss
from unpool.explanation.model import DeconvNet, Inverter, PlainCNN
from unpool.explanation.predictors import FeatureInverter
from unpool.explanation.task import Identify, Invert, InvertOptions, People
from unpool.train import recipe as recipes
from unpool.train.loop import train


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data folder with three people of twelve pictures each and some photographs; no other data is in reach."""
    root = tmp_path_factory.mktemp("data")
    (root / "packs").mkdir()
    source = data.astronaut()
    for person in ("00002", "00007", "00019"):
        place = root / "faces" / "celeba_aligned" / person
        place.mkdir(parents=True)
        for number in range(12):
            top, left = int(person) * 3 + number, 150 + number
            Image.fromarray(source[top : top + 128, left : left + 128]).save(place / f"{person}{number}.png")
    photos = root / "photos" / "train" / "few"
    photos.mkdir(parents=True)
    for number in range(40):
        top, left = (number * 37) % 400, (number * 91) % 400
        Image.fromarray(source[top : top + 112, left : left + 112]).save(photos / f"{number:03}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.delenv("UNPOOL_DATA", raising=False)
        yield root


@pytest.fixture(scope="module")
def classifier(folder, tmp_path_factory):
    """A trained faces-vgg in miniature: its weight file."""
    out = tmp_path_factory.mktemp("vgg")
    settings = ["options.widths=[[4],[8]]", "batch=8", "workers=0"]
    figures = train(recipes.load("explanation/faces-vgg", settings), out, data=folder, steps=3)
    assert 0 <= figures["accuracy"] <= figures["top_5"] <= 1
    return out / "faces-vgg.safetensors"


def test_every_person_trains_and_no_picture_is_on_both_sides(folder) -> None:
    training, held_out = People(folder, held_out=False), People(folder, held_out=True)
    names = [{people.name(i) for i in range(len(people))} for people in (training, held_out)]
    assert not names[0] & names[1]
    assert len(names[0] | names[1]) == 36
    assert set(training.numbers) == {0, 1, 2}
    one, again = (training.sample(1, np.random.default_rng(5)) for _ in range(2))
    assert one["picture"].shape == (3, 64, 64)
    assert torch.equal(one["picture"], again["picture"])


def test_what_is_trained_can_be_explained_and_inverted(classifier, folder) -> None:
    network = unpool.load(classifier)
    face = data.astronaut()[10:138, 160:288]
    assert len(network.classify(face, top=2)) == 2
    found = unpool.explain(network, face, method="deconvnet")
    assert found.maps.shape == (1, 3, 64, 64)
    assert found.rectifiers == 2
    explicit = DeconvNet(network.module.layers)
    seed = torch.zeros_like(explicit(found.inputs))
    seed[0, found.target.index[0]] = 1
    projected = explicit.project(seed)
    assert float((found.maps - projected).abs().max() / projected.abs().max()) < 1e-5


def test_inversion_of_a_plain_network(classifier, folder, tmp_path) -> None:
    settings = [
        f"model={classifier}",
        "layer=layers.pool2",
        "pictures=faces",
        "side=64",
        "widths=[4,6]",
        "blocks=[0,1]",
        "batch=4",
        "workers=0",
    ]
    figures = train(recipes.load("explanation/invert", settings), tmp_path, data=folder, steps=2)
    assert figures["psnr"] > 5
    assert 0 <= figures["same_class"] <= 1
    inverter = unpool.load(tmp_path / "invert.safetensors")
    assert isinstance(inverter, FeatureInverter)
    drawn = inverter.invert(data.astronaut()[10:138, 160:288])
    assert (drawn.height, drawn.width) == (64, 64)
    assert inverter.layer == "layers.pool2"


def test_the_number_of_scales_must_fit(classifier, folder) -> None:
    options = InvertOptions(
        model=str(classifier), layer="layers.pool2", pictures="faces", side=64, widths=[4], blocks=[0]
    )
    with pytest.raises(RecipeError, match="one for each halving"):
        Invert(options, folder)


@pytest.mark.parametrize("agreement", [0.0, 0.1])
def test_inversion_of_the_classifier_learns(folder, agreement) -> None:
    """On one batch the distance falls: features, decoder and loss belong together."""
    torch.manual_seed(0)
    options = InvertOptions(
        model="efficientnet-lite0",
        layer="_blocks.0",
        pictures="photos",
        side=64,
        widths=[8],
        blocks=[1],
        agreement=agreement,
    )
    task = Invert(options, folder)
    rng = np.random.default_rng(0)
    batch = {"picture": torch.stack([task.dataset().sample(i, rng)["picture"] for i in range(4)])}
    optimiser = torch.optim.AdamW(task.networks["inverter"].parameters(), 5e-3)
    values = []
    for step in range(12):
        (loss,) = task.losses(batch, step, torch.Generator())
        optimiser.zero_grad()
        loss.value.backward()
        optimiser.step()
        values.append(loss.value.item())
    assert values[-1] < 0.7 * values[0]


def test_loss_and_networks() -> None:
    a = torch.rand(2, 3, 8, 8)
    assert float(inversion_loss(a, a)) < float(inversion_loss(a, a.flip(3)))
    assert PlainCNN(widths=[[4], [6, 6]], classes=5)(torch.rand(2, 3, 13, 9)).shape == (2, 5)
    inverter = Inverter(features=7, widths=[4, 6], blocks=[0, 1])
    features = torch.randn(3, 7, 5, 4) * 9 + 2
    inverter.standardise(features)
    assert inverter(features).shape == (3, 3, 20, 16)


def test_the_shipped_recipes_name_what_exists() -> None:
    for name in recipes.shipped():
        if name.startswith("explanation/"):
            task = recipes.load(name).task
            assert task in ("unpool.explanation.task:Identify", "unpool.explanation.task:Invert")
    assert Identify.Options is not Invert.Options
