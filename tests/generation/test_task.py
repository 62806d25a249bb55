import numpy as np
import pytest
import torch

from unpool.errors import DataError
from unpool.generation import task as rooms
from unpool.generation.pictures import Pictures, pictures
from unpool.train import recipe as recipes
from unpool.train.loop import train
from unpool.zoo.loading import load
from unpool.zoo.weights import read_record


@pytest.fixture
def small(monkeypatch):
    """Eight flat grey pictures in place of Fashion-MNIST, and their mean values in place of a network's features."""
    values = np.linspace(60, 200, 8).astype(np.uint8)
    shown = np.broadcast_to(values[:, None, None, None], (8, 28, 28, 1)).copy()
    made = Pictures(shown, np.arange(8) % 2, names=[str(i) for i in range(8)], mirror=True)
    monkeypatch.setattr(rooms, "pictures", lambda *_: made)
    monkeypatch.setattr(rooms, "features", lambda x, of: x.flatten(1)[:, :4])
    return ["widths=[4, 8]", "latent=4", "batch=8", "workers=0"]


def test_the_variational_start_overfits_a_handful_of_pictures(small):
    recipe = recipes.load("generation/fashion", [*small, "start=1000", "sigma=0.05"])
    torch.manual_seed(0)
    task = recipe.make_task()
    optimiser = torch.optim.Adam([p for n in task.networks.values() for p in n.parameters()], lr=5e-3)
    samples = [task.dataset().sample(i, np.random.default_rng(0)) for i in range(8)]
    batch = {key: torch.as_tensor(np.stack([s[key] for s in samples])) for key in ("picture", "label")}
    errors = []
    for step in range(60):
        (loss,) = task.losses(batch, step, torch.Generator().manual_seed(step))
        optimiser.zero_grad()
        loss.value.backward()
        optimiser.step()
        errors.append(float(loss.log["start/mse"]))
    assert errors[-1] < 0.1 * errors[0]


def test_trained_weights_answer_with_pictures(small, tmp_path):
    recipe = recipes.load("generation/fashion", [*small, "start=3", "augment=0.5", "evaluate_every=3"])
    figures = train(recipe, tmp_path / "run", steps=8, device="cpu")
    assert np.isfinite(figures["kid"])
    curve = (tmp_path / "run" / "curve.csv").read_text()
    assert "kid" in curve
    path = tmp_path / "run" / "fashion.safetensors"
    record = read_record(path)
    assert record.task == "generation"
    assert record.data_licence == "commercial"
    made = load(path, device="cpu")
    assert made.pictures(*made.latents(3))[0].samples.shape == (28, 28, 1)


def test_the_critic_steps_before_the_generator_and_is_penalised_now_and_then(small):
    task = recipes.load("generation/fashion", [*small, "start=0", "penalty_every=2"]).make_task()
    assert set(task.networks) == {"generator", "critic"}
    batch = {"picture": torch.rand(4, 1, 28, 28), "label": torch.tensor([0, 1, 2, 3])}
    for step, penalised in ((0, True), (1, False)):
        losses = list(task.losses(batch, step, torch.Generator().manual_seed(0)))
        assert [loss.optimiser for loss in losses] == ["critic", "generator"]
        assert ("critic/penalty" in losses[0].log) is penalised
        for loss in losses:
            loss.value.backward()


def test_every_recipe_of_the_wing_makes_its_task():
    for name in recipes.shipped():
        if name.startswith("generation/"):
            recipe = recipes.load(name)
            try:
                task = recipe.make_task()
            except DataError:  # sentences need their text to know its words, and it is not everywhere
                continue
            assert task.record()["network"].startswith("unpool.generation")


def test_unknown_pictures():
    with pytest.raises(DataError, match="fashion or faces"):
        pictures("cars", "train")
