"""Every experiment on made-up garments: its tables are whole, and what it counts is counted."""

import math

import numpy as np
import pytest
import torch

from unpool.cli.bench import benches
from unpool.faces.model import FaceNetwork
from unpool.questions import against_classics as classics
from unpool.questions import bench, held_out, portion, resolution, stability, variation
from unpool.questions.amount import SYSTEMS, amount
from unpool.questions.overfitting import WAYS, overfitting
from unpool.train.data.pack import Entry, Pack, write_pack
from unpool.train.recipe import load
from unpool.zoo.measure import parameters
from unpool.zoo.weights import build, read_record, shipped


def silent(line):
    """Nobody listens."""


def whole(rows):
    """No field of a table is missing or no number where it should be one."""
    assert rows
    for row in rows:
        for key, value in row.items():
            assert value is not None, (key, row)
            assert value == value, (key, row)


def test_the_bench_is_found():
    assert benches()["questions"] == "unpool.questions.bench"
    assert set(bench.QUICK) == set(bench.FULL) - {"variation"}


def test_a_run_without_a_finite_loss_or_without_use_has_diverged():
    row = stability.summary([math.nan, 9.0, 21.0, 20.0], floor=10.0)
    assert row == {"diverged": 0.5, "not_finite": 0.25, "psnr": 20.5, "spread": 1.0}
    none = stability.summary([math.nan], floor=10.0)
    assert none["diverged"] == 1
    assert none["psnr"] is None


def test_a_rate_beyond_all_reason_diverges(garments_only):
    found = stability.stability(
        garments_only, silent, steps=4, seeds=1, activations=("tanh",), losses=("l1",), rate=1e30
    )
    assert found["stability_diverged"] == 1


def test_every_activation_and_loss_trains(garments_only):
    pairs = [("sigmoid", "mse"), ("tanh", "l1"), ("relu", "cross-entropy"), ("gelu", "ssim")]
    for activation, loss in pairs:
        found = stability.stability(garments_only, silent, steps=2, seeds=1, activations=(activation,), losses=(loss,))
        assert found["stability_runs"] == 1
        assert found["stability"][0]["not_finite"] == 0


def test_absolute_loss_is_all_that_its_run_minimises():
    network = stability.Probe(activation="relu", absolute=True)
    picture = torch.rand(2, 1, 28, 28)
    made = network.training_pass(picture, torch.Generator())
    assert made.reconstruction.shape == picture.shape
    assert float(made.penalties["l1"]) == pytest.approx(float((made.reconstruction - picture).abs().mean()))


def test_a_smaller_share_is_part_of_a_larger_one(garments_only):
    dataset = load("autoencoders/fashion", ["network.grid=0"]).make_task(garments_only).dataset()
    few, more = portion.Some(dataset, 0.05), portion.Some(dataset, 0.5)
    assert (len(few), few.pictures) == (10, 10)
    assert set(few.indices) < set(more.indices)
    assert few.name(0) == dataset.name(few.indices[0])


def test_amount(garments_only):
    found = amount(None, garments_only, silent, steps=1, shares=(0.1, 1.0), systems=("autoencoder",))
    whole(found["data"])
    assert [row["pictures"] for row in found["data"]] == [20, 200]
    assert found["data_autoencoder_most"] == found["data"][1]["result"]


def test_variation(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    faces = [
        Entry(rng.integers(0, 256, (128, 128, 3), dtype=np.uint8), f"celeba_aligned/{n}", f"celeba/{n % 9}", {
            "part": "held-out", "source": "celeba_aligned"
        })
        for n in range(27)
    ]  # fmt: skip
    pack = Pack(write_pack(tmp_path / "faces.pack", faces))
    small = {"widths": (4, 8, 8), "depths": (1, 1, 1), "middles": (4, 8, 8), "embedding": 16, "decoder": (8, 8, 4)}
    plans = []

    def made(recipe, data, *, steps):
        plans.append(recipe)
        return portion.Run(FaceNetwork(**small).eval(), {}, steps)

    monkeypatch.setattr(variation, "faces", lambda size, data: pack)
    monkeypatch.setattr(variation, "trained", made)
    found = variation.variation(None, silent, steps=1)
    whole(found["variation"])
    assert [row["left_out"] for row in found["variation"]] == list(variation.WAYS)
    assert all(0.5 <= row["misplaced_16"] <= 1 for row in found["variation"])
    assert "rotation" not in plans[0].options
    assert plans[1].options["rotation"] == 0


def test_variation_without_faces_says_why(garments_only):
    assert "faces" in variation.variation(garments_only, silent, steps=1)["variation_not_asked"]


def test_overfitting(garments_only):
    found = overfitting(garments_only, silent, steps=1, pictures=20, ways=tuple(WAYS)[:2], most=20)
    whole(found["thousand_pictures"])
    assert found["thousand_pictures_gap_db"] == found["thousand_pictures"][0]["gap"]


def test_against_classics(garments_only):
    found = classics.against_classics(
        garments_only, silent, steps=1, seconds=0.1, ours=("convolutional",), kinds=("deconv-plain", "deconv"), most=60
    )
    whole(found["against_classics"])
    whole(found["enlarging"])
    assert math.isfinite(found["gain_over_plain_deconvolution_db"])


def test_ours_has_as_many_weights_as_the_classic_one(garments_only):
    dense = parameters(build(read_record("classic/dense-autoencoder"), "the classic one"))
    for name in tuple(classics.OURS)[:2]:
        settings = [f"network={{{classics.OURS[name]}}}"]
        network = load("autoencoders/fashion", settings).make_task(garments_only).networks["autoencoder"]
        assert parameters(network) == pytest.approx(dense, rel=0.006)


def test_resolution():
    found = resolution.resolution(
        silent, sizes=(16, 32), repeats=1, memory=(16,), names=tuple(resolution.NETWORKS)[1:3]
    )
    rows = found["resolution"]
    whole([row for row in rows if row["size"] == 16])
    assert all(row["memory_mb"] is None for row in rows if row["size"] == 32)
    by_size = {(row["network"], row["size"]): row for row in rows}
    for name in tuple(resolution.NETWORKS)[1:3]:
        assert by_size[name, 16]["macs"] < by_size[name, 32]["macs"]


def test_a_recipe_without_weights_is_passed_over():
    found = held_out.held_out(None, None, silent, models=("restoration/sr-x9",))
    assert found["shipped_models_asked"] == 0
    assert found["shipped"] == []


def test_held_out(garments_only):
    found = held_out.held_out(
        None, garments_only, silent, share=0.01, models=("classic/dense-autoencoder", "classic/cnn-classifier")
    )
    whole(found["shipped"])
    assert found["shipped_models_asked"] == 2


def test_every_shipped_model_is_asked_or_has_a_reason():
    for name in shipped():
        assert (name in held_out.MODELS) != (held_out.why_not(name) is not None), name


def test_recipes_of_every_system_exist():
    for system in SYSTEMS.values():
        plan = portion.plan(system.recipe, system.settings, share=0.5)
        assert plan.ema is None
        assert plan.task.endswith(":Portion")
        options = load(system.recipe, system.settings).options
        assert options.get("start") is None  # trained weights would have seen every picture, and have another shape
