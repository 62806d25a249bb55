"""The task trains every kind by recipe, and what it writes loads."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import unpool
from unpool.autoencoders import loss
from unpool.autoencoders.samples import FaceSamples, held_out
from unpool.autoencoders.task import PROBES, TrainAutoencoder, probe
from unpool.errors import ModelError, RecipeError
from unpool.train import recipe as recipes
from unpool.train.data.faces import held_out as is_held_out
from unpool.train.loop import train
from unpool.zoo.weights import load_module

TINY = {"code": 6, "widths": [4, 8], "strides": [4, 4], "blocks": 0, "squeeze": 4, "grid": 4}


def recipe(**options) -> recipes.Recipe:
    return recipes.Recipe(
        name="autoencoders/tiny",
        task="unpool.autoencoders.task:TrainAutoencoder",
        options={"network": TINY} | options,
        data=["celeba-aligned"],
        batch=4,
        workers=0,
        best={"metric": "psnr"},
    )


def test_a_supervised_run_ships_without_its_head(tmp_path, data):
    figures = train(recipe(kind="supervised", shift=2, light=0.2), tmp_path, data=data, steps=3, device="cpu")
    assert set(figures) == {"psnr", "psnr_damaged", "verification"}
    coder = unpool.load(tmp_path / "tiny.safetensors", device="cpu")
    assert coder.module.directions is None
    record = coder.record
    assert record.network == "unpool.autoencoders.family:Supervised"
    assert record.data_licence == "research only"
    assert record.figures == pytest.approx(figures)
    assert "LFW" in record.notes
    assert coder.encode(np.zeros((64, 64, 3), np.uint8)).shape == (1, 6)


def test_codes_learn_how_alike_faces_are_from_the_recognisers_teacher(data, monkeypatch):
    class Views(dict):
        def __missing__(self, name):
            self[name] = np.eye(128, dtype=np.float32)[len(self) % 128]
            return self[name]

    monkeypatch.setattr("unpool.faces.api.teacher_views", lambda data: Views())
    task = recipe(kind="supervised", likeness=2.0).make_task(data)
    faces = task.dataset()
    samples = [faces.sample(i, np.random.default_rng(i)) for i in range(4)]
    batch = {key: torch.from_numpy(np.stack([one[key] for one in samples])) for key in samples[0]}
    (step,) = task.losses(batch, 0, torch.Generator().manual_seed(0))
    code = task.network.training_pass(batch["picture"], torch.Generator().manual_seed(0), batch["label"]).code
    assert torch.allclose(step.log["loss/likeness"], 2 * loss.likeness(code, batch["teacher"]))


def test_likeness_is_nothing_where_all_cosines_agree():
    code = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    turned = torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(1))).Q
    said = torch.nn.functional.normalize(code, dim=1)
    assert float(loss.likeness(3 * code @ turned, said)) < 1e-10
    assert float(loss.likeness(code.flip(0), said)) > 0.01


def test_a_quantised_run_on_clothes(tmp_path, data):
    network = {"entries": 8, "width": 4, "widths": [4, 8], "strides": [2, 2], "blocks": 0}
    chosen = recipe(
        kind="vector-quantised", pictures="fashion-mnist", network=network, reconstruction={"structural": 1}
    )
    train(chosen, tmp_path, data=data, steps=2, device="cpu")
    coder = unpool.load(tmp_path / "tiny.safetensors", device="cpu")
    assert coder.record.data_licence == "commercial"
    assert coder.encode(np.zeros((28, 28), np.uint8)).shape == (1, 49)


def test_a_run_can_start_from_trained_weights(data):
    network = load_module("autoencoders/faces")[0]
    config = recipes.load("autoencoders/faces").options["network"]
    started = recipe(kind="denoising", network=config, start="autoencoders/faces").make_task(data).network
    picture = torch.rand(1, 3, 64, 64)
    assert torch.equal(started.encode(picture), network.float().encode(picture))
    with pytest.raises(ModelError, match="another shape"):
        recipe(start="autoencoders/faces").make_task(data)


def test_shipped_recipes_are_whole():
    for name, path in recipes.shipped().items():
        if name.startswith("autoencoders/"):
            found = recipes.load(str(path))
            assert found.name == name
            assert found.best.metric in found.expected
            recipes.validated(TrainAutoencoder.Options, found.options, name)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "magic"}, "magic"),
        ({"kind": "nowhere:Thing"}, "nowhere"),
        ({"kind": "unpool.nn.towers:Encoder"}, "subclass"),
        ({"kind": "k-sparse", "network": TINY | {"active": 99}}, "active"),
        ({"network": {"colour": 1}}, "colour"),
        ({"reconstruction": {"magic": 1}}, "magic"),
    ],
)
def test_wrong_options_are_one_line(data, options, message):
    with pytest.raises(RecipeError, match=message) as caught:
        recipe(**options).make_task(data)
    assert "\n" not in str(caught.value)


def test_people_are_held_out_whole(data):
    samples = FaceSamples(64, data)
    halves = [held_out(64, data, test=test) for test in (False, True)]
    people = np.concatenate([people for _, people in halves])
    pack = samples.pack
    assert all(not is_held_out(pack.label_names[label]) for label in pack.labels[samples.indices])
    assert all(is_held_out(pack.label_names[label]) for label in people)
    assert len(samples) + len(people) == len(pack)
    assert not set(halves[0][1]) & set(halves[1][1])
    assert samples.classes == samples.people
    assert sorted(set(samples.labels.tolist())) == list(range(samples.classes))


def test_samples_depend_on_index_and_generator_alone(data):
    samples = FaceSamples(64, data, shift=3, light=0.3)
    first, second = (samples.sample(5, np.random.default_rng(7)) for _ in range(2))
    assert (first["picture"] == second["picture"]).all()
    assert first["picture"].shape == (3, 64, 64)
    assert first["picture"].dtype == np.float32
    assert 0 <= first["picture"].min() <= first["picture"].max() <= 1
    assert first["label"] == samples.labels[5]


@pytest.mark.parametrize("name", PROBES)
def test_probes_damage_each_picture_by_itself(name):
    pictures = torch.rand(1, 3, 64, 64).expand(3, -1, -1, -1)
    bad = probe(pictures, 0, name)
    assert bad.shape == pictures.shape
    assert not torch.equal(bad[0], pictures[0])
    if name != "blur":
        assert not torch.equal(bad[0], bad[1])
    assert torch.equal(bad, probe(pictures, 0, name))


def test_the_docs_own_autoencoder_trains(tmp_path, data):
    docs = (Path(__file__).parents[2] / "docs" / "autoencoders.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```(?:python|yaml)\n# (shrinking\.\w+)\n(.*?)```", docs, re.DOTALL)
    assert [name for name, _ in blocks] == ["shrinking.py", "shrinking.yaml"]
    for name, text in blocks:
        (tmp_path / name).write_text(text)
    assert len((tmp_path / "shrinking.py").read_text().splitlines()) <= 30
    command = [
        sys.executable,
        "-m",
        "unpool",
        "train",
        "shrinking.yaml",
        "-o",
        "out",
        "--steps",
        "3",
        "--data",
        str(data),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "shrinking.safetensors").exists()
