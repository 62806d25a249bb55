"""Two CPU processes compute what one does on the joint batch."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

HERE = Path(__file__).parent
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done


def test_shared_gradients_are_those_of_the_joint_batch(tmp_path):
    script = HERE / "two_processes.py"
    run(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", script, tmp_path / "g.pt")
    functions = runpy.run_path(str(script))
    network, batch = functions["network_and_batch"]()
    functions["gradients"](network, batch)
    for shared, parameter in zip(torch.load(tmp_path / "g.pt", weights_only=True), network.parameters(), strict=True):
        assert (shared - parameter.grad).norm() <= 1e-6 * parameter.grad.norm()


def test_two_processes_end_with_the_weights_of_one(tmp_path):
    yaml = tmp_path / "toy.yaml"
    yaml.write_text(
        f"name: toys/toy\ntask: {HERE / 'toys.py'}:Pair\nworkers: 0\nbatch: 8\nema: 0.9\nseed: 3\n"
        "optimiser: {lr: 0.01}\n"
    )
    shared = tmp_path / "regression.yaml"
    shared.write_text(yaml.read_text().replace("Pair", "Regression") + "options: {noisy: false}\n")
    for devices in ("1", "2"):
        out = tmp_path / devices
        options = ["--device", "cpu", "--devices", devices, "--steps", "6", "-o", str(out)]
        run(sys.executable, "-m", "unpool", "train", str(shared), *options)
    one, two = (load_file(tmp_path / devices / "toy.safetensors") for devices in ("1", "2"))
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=1e-4, atol=1e-6)
