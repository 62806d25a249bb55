"""A recogniser's second lesson: its decoder learns, what it says of a face stays."""

import numpy as np
import pytest
import torch

from unpool.errors import RecipeError
from unpool.faces import decoding, enlarger
from unpool.train import recipe as recipes
from unpool.train.data.pack import Entry, Pack, write_pack
from unpool.train.loop import train
from unpool.zoo.loading import load


@pytest.fixture
def faces(tmp_path, monkeypatch):
    """Twelve sharp faces of six people, two of them held out."""
    rng = np.random.default_rng(0)
    entries = []
    for number in range(12):
        who = number % 6
        columns = {"part": "held-out" if who > 3 else "train", "source": "celeba_aligned"}
        picture = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
        entries.append(Entry(picture, f"celeba_aligned/{who}/{number}.jpg", f"celeba/{who}", columns))
    pack = Pack(write_pack(tmp_path / "faces.pack", entries))
    for module in (decoding, enlarger):
        monkeypatch.setattr(module, "faces", lambda size, data: pack)


def test_the_decoder_learns_and_the_embedding_stays(faces, model, tmp_path):
    recipe = recipes.load("faces/recogniser-decoder", [f"model={model}", "evaluate_every=2", "batch=4"])
    figures = train(recipe, tmp_path / "run", steps=4, device="cpu")
    first, second = load(model), load(tmp_path / "run" / "recogniser-decoder.safetensors")
    crop = torch.rand(1, 3, 112, 112)
    assert torch.equal(first.embed_crops(crop)[0], second.embed_crops(crop)[0])
    assert not torch.equal(first.restore_crops(crop), second.restore_crops(crop))
    assert second.identity == first.identity, "a gallery is not to be made again"
    assert second.calibration == first.calibration
    assert second.record.name == first.record.name
    assert second.record.figures["psnr_16"] == figures["psnr_16"]
    assert second.record.budget.earlier_pictures is not None
    assert second.record.trained_on[-1] == "celeba-aligned", "the one set that the pack holds"
    assert "then the decoder alone" in second.record.notes
    again = recipes.load(recipe.name, [f"model={tmp_path / 'run' / 'recogniser-decoder.safetensors'}"]).make_task()
    assert again.record()["notes"] == second.record.notes, "a third lesson does not say it twice"


def test_another_encoder_is_another_identity(model, tmp_path):
    first = load(model)
    changed = load(model)
    with torch.no_grad():
        changed.module.head.embed.weight[0, 0] += 1
    again = type(first)(changed.module, first.record, first.device)
    assert again.identity != first.identity


def test_only_a_recogniser_has_this_lesson(enlarger, faces):
    with pytest.raises(RecipeError, match="no face recogniser"):
        recipes.load("faces/recogniser-decoder", [f"model={enlarger}"]).make_task()
