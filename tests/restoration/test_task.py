"""The task on a handful of photographs: its samples, its figures, a short training through the loop, the record."""

import numpy as np
import pytest
import torch
from skimage import data

from unpool.errors import ModelError
from unpool.images.metrics import psnr_rgb
from unpool.images.resampling import imresize
from unpool.restoration.api import restore
from unpool.restoration.loss import charbonnier
from unpool.restoration.task import Restore, RestoreOptions
from unpool.train import recipe as recipes
from unpool.train.loop import train
from unpool.zoo.weights import load_module, read_record

OPTIONS = {"channels": 8, "blocks": 1, "patch": 16}


@pytest.mark.parametrize("kind", ["sr", "photo", "denoise", "jpeg", "deblur"])
def test_samples(kind, folder):
    scale = 4 if kind in ("sr", "photo") else 1
    crops = Restore(RestoreOptions(kind=kind, scale=scale, **OPTIONS), folder).dataset()
    one, again = (crops.sample(3, np.random.default_rng(1)) for _ in range(2))
    assert one["input"].shape == (3, 16, 16)
    assert one["target"].shape == (3, 16 * scale, 16 * scale)
    assert torch.equal(one["input"], again["input"])
    assert crops.name(3).endswith(".png")


def test_enlarging_samples_are_imresize_of_the_whole(folder):
    """A crop's input is what shrinking the whole photograph gives there: no border of the crop shows in it."""
    task = Restore(RestoreOptions(kind="sr", scale=4, **OPTIONS), folder)
    sample = task.dataset().sample(0, np.random.default_rng(0))
    large = imresize(sample["target"][None], 0.25)[0]
    inside = np.s_[:, 3:-3, 3:-3]
    torch.testing.assert_close(sample["input"][inside], large[inside], atol=0.6 / 255, rtol=0)


def test_jpeg_samples_stay_on_the_picture(folder):
    crops = Restore(RestoreOptions(kind="jpeg", **OPTIONS), folder).dataset()
    figures = [
        float(psnr_rgb(sample["input"][None], sample["target"][None]))
        for sample in (crops.sample(i, np.random.default_rng(i)) for i in range(8))
    ]
    assert min(figures) > 15, "input and target are cut at the same place"


def test_charbonnier_is_nearly_the_absolute_error():
    a, b = torch.rand(100), torch.rand(100)
    assert float(charbonnier(a, b)) == pytest.approx(float((a - b).abs().mean()), abs=1e-3)


@pytest.mark.parametrize("loss", ["charbonnier", "squared"])
def test_a_short_training_makes_a_model_that_restores(folder, tmp_path, loss):
    small = ["channels=8", "blocks=1", "patch=16", "batch=4", "workers=0", "evaluate_every=20", "optimiser.warmup=0.1"]
    recipe = recipes.load("restoration/denoise", [*small, f"loss={loss}"])
    figures = train(recipe, tmp_path / "run", data=folder, steps=40, device="cpu")
    assert figures["psnr"] > figures["psnr_before"] + 0.2
    made = restore(data.astronaut()[:64, 200:264], model=tmp_path / "run" / "denoise.safetensors")
    assert made.steps == ("restoration/denoise",)
    with pytest.raises(Exception, match="1 times, not 4"):
        restore(data.astronaut()[:8, :8], model=tmp_path / "run" / "denoise.safetensors", scale=4)


@pytest.mark.parametrize("name", ["sr-x2", "sr-x3", "sr-x4", "photo-x2", "photo-x4", "denoise", "jpeg", "deblur"])
def test_recipes_build(name, folder):
    recipe = recipes.load(f"restoration/{name}")
    task = recipe.make_task(folder)
    assert sum(p.numel() for p in task.export().parameters()) <= 400_000
    with torch.no_grad():
        assert next(iter(task.samples())) == "photo0"
        assert recipe.best.metric in task.evaluate()


def test_a_run_can_go_on_from_trained_weights(folder):
    started = recipes.load("restoration/sr-x4", ["start=restoration/sr-x4"]).make_task(folder)
    trained, _ = load_module("restoration/sr-x4")
    picture = torch.rand(1, 3, 9, 8)
    assert torch.equal(started.networks["restorer"](picture), trained(picture))


def test_a_run_for_another_scale_begins_with_the_same_body(folder):
    started = recipes.load("restoration/sr-x2", ["start=restoration/sr-x4"]).make_task(folder).networks["restorer"]
    trained, _ = load_module("restoration/sr-x4")
    picture = torch.rand(1, 3, 9, 8)
    assert torch.equal(started.body(started.head(picture)), trained.body(trained.head(picture)))
    assert started(picture).shape == (1, 3, 18, 16)
    with pytest.raises(ModelError, match="another shape"):
        recipes.load("restoration/sr-x2", ["start=restoration/sr-x4", "channels=16"]).make_task(folder)


def test_a_deeper_run_begins_with_the_answer_of_the_shallower_one(folder):
    trained, _ = load_module("restoration/deblur")
    deeper = [f"blocks={len(trained.body) + 2}", "start=restoration/deblur"]
    started = recipes.load("restoration/deblur", deeper).make_task(folder).networks["restorer"]
    picture = torch.rand(1, 3, 16, 18)
    assert len(started.body) == len(trained.body) + 2
    assert torch.equal(started(picture), trained(picture))
    with pytest.raises(ModelError, match="another shape"):
        recipes.load("restoration/deblur", ["start=restoration/deblur", "blocks=2"]).make_task(folder)


def test_half_the_scale_with_a_wide_kernel_begins_at_the_trained_answer_shrunk(folder):
    settings = ["start=restoration/sr-x4", "kernel=8"]
    started = recipes.load("restoration/sr-x2", settings).make_task(folder).networks["restorer"]
    trained, _ = load_module("restoration/sr-x4")
    picture = torch.from_numpy(data.astronaut()[100:140, 200:240].copy()).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        shrunk, answer = imresize(trained(picture), 0.5), started(picture)
        plain = imresize(picture, 2)
    inside = (..., slice(16, -16), slice(16, -16))  # borders are extended in two different ways
    assert float((answer - shrunk)[inside].abs().max()) < 0.3 * float((plain - shrunk)[inside].abs().max())
    assert psnr_rgb(answer[inside], shrunk[inside]) > 45


def test_the_record_counts_what_the_beginning_had_cost(folder, tmp_path):
    small = ["channels=4", "blocks=1", "patch=16", "batch=4", "workers=0", "evaluate_every=20"]
    train(recipes.load("restoration/sr-x4", small), tmp_path / "first", data=folder, steps=3, device="cpu")
    begun = [*small, f"start={tmp_path / 'first' / 'sr-x4.safetensors'}"]
    train(recipes.load("restoration/sr-x4", begun), tmp_path / "second", data=folder, steps=2, device="cpu")
    first, second = (read_record(tmp_path / name / "sr-x4.safetensors").budget for name in ("first", "second"))
    assert (first.pictures, first.earlier_pictures) == (12, None)
    assert (second.pictures, second.earlier_pictures) == (8, 12)
