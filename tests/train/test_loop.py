"""The training loop: it learns, resumes bit for bit, keeps the best, and refuses what it must."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from unpool.errors import DataError, PictureError, RecipeError, UnpoolError
from unpool.train import checkpoint
from unpool.train.loop import train
from unpool.train.recipe import Recipe

TOYS = Path(__file__).with_name("toys.py")


def recipe(task="Regression", **changes):
    values = {
        "name": "toys/toy",
        "task": f"{TOYS}:{task}",
        "batch": 8,
        "workers": 0,
        "ema": 0.9,
        "optimiser": {"lr": 0.02},
        "evaluate_every": 20,
        "checkpoint_every": 10,
    }
    return Recipe(**(values | changes))


def tensors(folder):
    return checkpoint.load(folder / "checkpoint")[0]


def test_learns_and_ships(tmp_path):
    figures = train(recipe(best={"metric": "mse", "higher": False}), tmp_path, steps=300, device="cpu")
    assert figures["mse"] < 0.03
    weights = load_file(tmp_path / "toy.safetensors")
    assert set(weights) == {"0.weight", "0.bias", "3.weight", "3.bias"}
    with (tmp_path / "curve.csv").open() as file:
        rows = list(csv.DictReader(file))
    curve = [float(row["value"]) for row in rows if row["name"] == "mse"]
    assert curve[0] > 10 * curve[-1]
    assert {"loss/net", "data_wait"} <= {row["name"] for row in rows}


@pytest.mark.parametrize("task", ["Regression", "Pair", "Auxiliary"])
def test_resumed_run_ends_as_an_unbroken_one(tmp_path, task, monkeypatch):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train(recipe(task), whole, steps=45, device="cpu")

    # A kill in the middle of step 27: the last checkpoint is that of step 20.
    from unpool.train.loop import _Run

    step = _Run._step

    def killed(self, *arguments):
        if self.state.step == 27:
            raise KeyboardInterrupt
        step(self, *arguments)

    monkeypatch.setattr(_Run, "_step", killed)
    with pytest.raises(KeyboardInterrupt):
        train(recipe(task), cut, steps=45, device="cpu")
    monkeypatch.undo()
    train(recipe(task), cut, steps=45, device="cpu", resume=True)
    one, other = tensors(whole), tensors(cut)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)
    shipped = [load_file(folder / "toy.safetensors") for folder in (whole, cut)]
    assert all(torch.equal(shipped[0][key], shipped[1][key]) for key in shipped[0])


def test_worker_processes_change_nothing(tmp_path):
    for workers in (0, 2):
        train(recipe(workers=workers), tmp_path / str(workers), steps=12, device="cpu")
    one, other = tensors(tmp_path / "0"), tensors(tmp_path / "2")
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_pair_steps_in_turn_and_keeps_gradients_apart(tmp_path, monkeypatch):
    from unpool.train.recipe import Recipe as R

    kept = []
    make = R.make_task
    monkeypatch.setattr(R, "make_task", lambda self, data: kept.append(make(self, data)) or kept[-1])
    train(recipe("Pair"), tmp_path, steps=5, device="cpu")
    task = kept[0]
    assert task.critic_moved
    assert not task.critic_has_gradient_of_generator  # it still holds the critic's own, from its own loss
    critic = task.networks["critic"]
    before = critic[0].weight.grad.clone()
    task.losses({"x": torch.zeros(8, 2), "y": torch.zeros(8, 2)}, 0, torch.Generator())
    assert torch.equal(before, critic[0].weight.grad)


def test_nan_names_the_batch(tmp_path):
    with pytest.raises(DataError, match=r"is nan at step \d+; its batch: .*point-7\.txt"):
        train(recipe(options={"poison": 7}), tmp_path, steps=30, device="cpu")
    if checkpoint.exists(tmp_path / "checkpoint"):
        assert all(torch.isfinite(value).all() for value in tensors(tmp_path).values())


def test_input_out_of_range_is_refused_before_the_first_step(tmp_path):
    with pytest.raises(DataError, match=r"'x' lies in .* but the network wants \[-1.1, 1.1\]"):
        train(recipe(options={"scale": 255.0}), tmp_path, steps=30, device="cpu")
    assert not checkpoint.exists(tmp_path / "checkpoint")


def test_explosion_rolls_back_to_the_best_and_gives_up_in_the_end(tmp_path):
    wild = recipe(
        optimiser={"lr": 0.02, "schedule": "constant"}, explosion=1.5, best={"metric": "mse", "higher": False}
    )
    with pytest.raises(DataError, match="training does not hold"):
        train(wild.model_copy(update={"explosion": 1.0001}), tmp_path / "a", steps=400, device="cpu")


def test_rollback_restores_weights_and_halves_the_rate(tmp_path):
    from unpool.train.state import State
    from unpool.train.watch import Watch

    chosen = recipe(rollback=2.0, ema=None)
    task = chosen.make_task(None)
    state = State(task, chosen, torch.device("cpu"))
    watch = Watch(chosen, state, str)
    watch.compare(1.0, higher=False)
    best = task.networks["net"][0].weight.clone()
    with torch.no_grad():
        task.networks["net"][0].weight.add_(1)
    watch.compare(1.9, higher=False)
    assert not torch.equal(best, task.networks["net"][0].weight)
    watch.compare(2.1, higher=False)
    assert torch.equal(best, task.networks["net"][0].weight)
    assert state.rate_scale == 0.5


def test_a_folder_with_a_run_is_not_overwritten(tmp_path):
    train(recipe(), tmp_path, steps=3, device="cpu")
    with pytest.raises(DataError, match="add --resume"):
        train(recipe(), tmp_path, steps=3, device="cpu")


def test_resume_into_another_network_is_refused(tmp_path):
    train(recipe(), tmp_path, steps=3, device="cpu")
    with pytest.raises(DataError, match="of another network"):
        train(recipe(options={"width": 9}), tmp_path, steps=5, device="cpu", resume=True)


def test_minutes_end_with_a_finished_schedule(tmp_path):
    started = time.monotonic()
    train(recipe(evaluate_every=0.5), tmp_path, minutes=0.02, device="cpu")
    assert time.monotonic() - started < 20
    state = checkpoint.load(tmp_path / "checkpoint")[1]
    assert state["elapsed"] >= 1.2
    assert state["step"] > 0


def test_best_metric_must_exist(tmp_path):
    with pytest.raises(RecipeError, match="not among the figures"):
        train(recipe(best={"metric": "psnr"}), tmp_path, steps=3, device="cpu")


def test_no_budget_is_an_error(tmp_path):
    with pytest.raises(RecipeError, match="no budget for cpu"):
        train(recipe(), tmp_path, device="cpu")


def test_sigterm_saves_and_stops(tmp_path):
    yaml = tmp_path / "toy.yaml"
    yaml.write_text(f"name: toys/toy\ntask: {TOYS}:Regression\nworkers: 0\nbatch: 8\n")
    out = tmp_path / "run"
    command = [sys.executable, "-m", "unpool", "train", str(yaml), "--minutes", "5", "-o", str(out), "--threads", "1"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    while not (out / "curve.csv").exists() or "loss" not in (out / "curve.csv").read_text():
        time.sleep(0.1)
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "go on with --resume" in errors
    assert "Traceback" not in errors
    assert checkpoint.load(out / "checkpoint")[1]["step"] > 0


def test_averages_of_an_unknown_network(tmp_path):
    with pytest.raises(UnpoolError, match="ema names 'nobody'"):
        train(recipe(ema={"nobody": 0.9}), tmp_path, steps=3, device="cpu")


def test_resume_with_other_parameters_to_train_is_refused(tmp_path):
    train(recipe(options={"frozen": True, "width": 64}), tmp_path, steps=10, device="cpu")
    with pytest.raises(DataError, match="trained other parameters"):
        train(recipe(options={"width": 64}), tmp_path, steps=20, device="cpu", resume=True)
    place = tmp_path / "checkpoint" / "checkpoint.json"
    written = json.loads(place.read_text())
    del written["state"]["trained"]  # as a checkpoint that does not say; the shapes do
    place.write_text(json.dumps(written))
    with pytest.raises(DataError, match="trained other parameters"):
        train(recipe(options={"width": 64}), tmp_path, steps=20, device="cpu", resume=True)
    del written["state"]["usual"]
    place.write_text(json.dumps(written))
    with pytest.raises(DataError, match="it lacks 'usual'"):
        train(recipe(options={"frozen": True, "width": 64}), tmp_path, steps=20, device="cpu", resume=True)


def test_averages_that_begin_late_begin_at_the_weights(tmp_path):
    before = train(recipe(ema=None), tmp_path, steps=150, device="cpu")["mse"]
    assert train(recipe(ema=0.999), tmp_path, steps=160, device="cpu", resume=True)["mse"] < 2 * before


def test_a_first_figure_that_is_no_number_is_not_the_best(tmp_path):
    best = {"metric": "mse", "higher": False}
    told = train(recipe(best=best, options={"blind": 1}), tmp_path, steps=100, device="cpu")["mse"]
    assert told < 0.2
    every = train(recipe(best=best, options={"blind": 1000}), tmp_path / "blind", steps=20, device="cpu")["mse"]
    assert every != every  # no figure ever: what was trained last ships
    assert load_file(tmp_path / "blind" / "toy.safetensors")


def test_a_workers_error_is_told_as_its_own(tmp_path):
    for workers in (0, 1):
        with pytest.raises(PictureError, match=r"^point-7.txt: damaged$"):
            train(recipe(workers=workers, options={"broken": True}), tmp_path / str(workers), steps=20, device="cpu")


def test_a_budget_is_finite(tmp_path):
    with pytest.raises(RecipeError, match="minutes"):
        train(recipe(), tmp_path, minutes=float("inf"), device="cpu")
