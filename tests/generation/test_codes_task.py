import numpy as np
import pytest
import torch
from torch import nn

from unpool.errors import ModelError
from unpool.generation import codes_task as rooms
from unpool.generation import task as base
from unpool.generation.loss import log_spectrum
from unpool.generation.perception import MapCritic, Perception, unlikeness
from unpool.generation.pictures import Pictures
from unpool.generation.prior import fit
from unpool.train import recipe as recipes
from unpool.train.loop import train
from unpool.zoo.loading import load
from unpool.zoo.weights import load_module, read_record

SMALL = ["widths=[4, 4, 8, 8]", "latent=4", "prior=0", "batch=8", "workers=0", "side=32", "stages=1"]


class Averages(nn.Module):
    """An autoencoder whose codes are the averages of a picture's quarters."""

    def encode(self, picture):
        return nn.functional.adaptive_avg_pool2d(picture.mean(1, keepdim=True), 2).flatten(1)


@pytest.fixture
def blobs(monkeypatch):
    """Twelve pictures of one bright quarter or two, and codes that say which."""
    rng = np.random.default_rng(0)
    shown = np.repeat(np.repeat(rng.integers(0, 255, (12, 2, 2, 3)), 32, 1), 32, 2).astype(np.uint8)
    made = Pictures(shown, np.zeros(12, np.int64), names=[str(i) for i in range(12)], mirror=True)
    monkeypatch.setattr(base, "pictures", lambda *_: made)
    monkeypatch.setattr(base, "features", lambda x, of: x[:, :, ::32, ::32].flatten(1))
    monkeypatch.setattr(rooms, "load_module", lambda _: (Averages(), None))
    return made


def test_codes_are_made_white_and_go_with_their_pictures(blobs):
    task = recipes.load("generation/faces", SMALL).make_task()
    kept = task.dataset()
    flat = torch.from_numpy(kept.codes).flatten(0, 1).double()
    assert torch.allclose(flat.mean(0), torch.zeros(4).double(), atol=1e-5)
    assert torch.allclose(torch.cov(flat.T), torch.eye(4).double(), atol=1e-4)
    seen = {}
    for seed in range(12):
        sample = kept.sample(3, np.random.default_rng(seed))
        mirrored = not np.array_equal(sample["picture"].transpose(1, 2, 0) * 255, blobs.pictures[3])
        seen[mirrored] = sample["latent"]
        assert np.array_equal(sample["latent"], kept.codes[int(mirrored), 3])
    assert set(seen) == {False, True}


def test_it_learns_to_give_its_pictures_back_before_a_critic_comes(blobs):
    task = recipes.load("generation/faces", [*SMALL, "start=1000"]).make_task()
    torch.manual_seed(0)
    samples = [task.dataset().sample(i, np.random.default_rng(0)) for i in range(8)]
    batch = {key: torch.as_tensor(np.stack([s[key] for s in samples])) for key in ("picture", "latent")}
    optimiser = torch.optim.Adam(task.networks["generator"].parameters(), lr=1e-2)
    errors = []
    for step in range(120):
        (loss,) = task.losses(batch, step, torch.Generator().manual_seed(step))
        optimiser.zero_grad()
        loss.value.backward()
        optimiser.step()
        errors.append(float(loss.log["pixels"]))
    assert min(errors[-10:]) < 0.6 * errors[0], errors


def test_the_critics_step_first_and_are_penalised_now_and_then(blobs):
    task = recipes.load("generation/faces", [*SMALL, "start=0", "penalty_every=2"]).make_task()
    batch = {"picture": torch.rand(4, 3, 64, 64), "latent": torch.randn(4, 4)}
    for step, penalised in ((0, True), (1, False)):
        task.networks["generator"].zero_grad()
        losses = task.losses(batch, step, torch.Generator().manual_seed(0))
        critic = next(losses)
        assert critic.optimiser == "critic"
        assert ("penalty" in critic.log) is penalised
        critic.value.backward()
        assert all(p.grad is None for p in task.networks["generator"].parameters())
        assert any(p.grad.abs().sum() > 0 for p in task.networks["critics"].parameters())
        generator = next(losses)
        assert generator.optimiser == "generator"
        generator.value.backward(inputs=list(task.networks["generator"].parameters()))
        assert next(losses, None) is None


def test_trained_weights_answer_with_faces_and_say_whose_codes_they_know(blobs, tmp_path):
    recipe = recipes.load("generation/faces", [*SMALL, "start=2", "evaluate_every=4"])
    figures = train(recipe, tmp_path / "run", steps=5, device="cpu")
    assert np.isfinite(figures["kid"])
    path = tmp_path / "run" / "faces.safetensors"
    assert "autoencoders/faces" in read_record(path).notes
    made = load(path, device="cpu")
    assert made.pictures(*made.latents(2))[0].samples.shape == (64, 64, 3)


def test_a_run_goes_on_from_trained_weights_and_knows_real_spectra(blobs, tmp_path):
    train(recipes.load("generation/faces", [*SMALL, "evaluate_every=4"]), tmp_path / "run", steps=2, device="cpu")
    path = tmp_path / "run" / "faces.safetensors"
    task = recipes.load("generation/faces", [*SMALL, f"begin={path}"]).make_task()
    assert task.went_on_from == read_record(path)
    latent = torch.randn(2, 4)
    assert torch.equal(task.networks["generator"](latent), load_module(path)[0](latent))
    task.dataset()
    torch.testing.assert_close(task.spectrum, log_spectrum(blobs.tensor(np.arange(12))))


def test_perception_scales_its_maps_and_knows_its_kind():
    examples = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    eyes = Perception("faces/recogniser", stages=2, side=64)
    eyes.even_out(examples)
    maps = eyes(examples)
    assert [tuple(one.shape[2:]) for one in maps] == [(32, 32), (16, 16), (8, 8)]
    assert all(abs(float(one.std(dim=(0, 2, 3)).mean()) - 1) < 1e-4 for one in maps)
    assert float(unlikeness(maps, maps)) == 0
    assert float(unlikeness(eyes(examples.flip(0)), maps)) > 0.1
    assert MapCritic(channels=32)(maps[0]).shape == (4, 64)
    with pytest.raises(ModelError, match="no maps"):
        Perception("classic/cnn-classifier", stages=2, side=64)


def test_a_prior_is_fitted_once_and_kept(blobs, tmp_path, monkeypatch):
    fits = []
    monkeypatch.setattr(rooms, "fit", lambda prior, codes: fits.append(fit(prior, codes, steps=20)))
    plain, flown = (recipes.load("generation/faces", [*SMALL, "evaluate_every=4", f"prior={n}"]) for n in (0, 2))
    train(plain, tmp_path / "plain", steps=2, device="cpu")
    begun = recipes.load(flown.name, [*SMALL, "prior=2", f"begin={tmp_path / 'plain' / 'faces.safetensors'}"])
    task = begun.make_task()
    codes = torch.from_numpy(task.dataset().codes).flatten(0, 1)
    assert len(fits) == 1
    network, before = task.networks["generator"], load_module(tmp_path / "plain" / "faces.safetensors")[0]
    with torch.no_grad():
        given = torch.from_numpy(plain.make_task().dataset().codes).flatten(0, 1)
        torch.testing.assert_close(network(codes), before(given), atol=1e-4, rtol=0)
    train(flown, tmp_path / "flown", steps=3, device="cpu")
    path = tmp_path / "flown" / "faces.safetensors"
    assert "normal" in read_record(path).notes
    assert len(fits) == 2
    again = recipes.load(flown.name, [*SMALL, "prior=2", f"begin={path}"]).make_task()
    again.dataset()
    assert len(fits) == 2
    for name, tensor in load_module(path)[0].prior.state_dict().items():
        assert torch.equal(again.networks["generator"].prior.state_dict()[name], tensor)
