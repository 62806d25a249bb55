"""Two CPU processes compute what one does on the joint batch."""

import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
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
        options = ["--device", "cpu", "--precision", "fp32", "--devices", devices, "--steps", "6", "-o", str(out)]
        run(sys.executable, "-m", "unpool", "train", str(shared), *options)
    one, two = (load_file(tmp_path / devices / "toy.safetensors") for devices in ("1", "2"))
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=1e-4, atol=1e-6)


def as_two_machines(recipe, out, *options):
    """The command that docs/train.md gives for several machines, started as two machines would, on this one."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1"),
                *("--node-rank", rank, "--master-addr", "127.0.0.1", "--master-port", str(port)),
                *("-m", "unpool", "train", recipe, "--nodes", "2", "--devices", "1", "--device", "cpu", "-o", out),
                *options,
            ],
            env=ENVIRONMENT,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]


def checkpoint_step(out):
    try:
        return json.loads((out / "checkpoint" / "checkpoint.json").read_text())["state"]["step"]
    except OSError:
        return 0


def told(tmp_path, lost_after):
    """A recipe whose processes tell their numbers and weights in files."""
    recipe = tmp_path / "toy.yaml"
    recipe.write_text(
        f"name: toys/toy\ntask: {HERE / 'toys.py'}:Told\nworkers: 0\nbatch: 8\nseed: 3\ncheckpoint_every: 10\n"
        f"evaluate_every: 10\nlost_after: {lost_after}\noptions: {{folder: {tmp_path}}}\n"
    )
    return recipe


def running(stack, recipe, out):
    """Two machines that have trained up to a checkpoint; what is left of them is killed when the stack ends."""
    both = [stack.enter_context(one) for one in as_two_machines(recipe, out, "--steps", "1000000")]
    for one in both:
        stack.callback(one.kill)  # before it is waited for: a failure must not wait for ever
    end = time.monotonic() + 240
    while checkpoint_step(out) < 10:
        assert time.monotonic() < end
        assert both[0].poll() is None
        time.sleep(0.05)
    return both


def test_a_process_that_falls_silent_counts_as_lost(tmp_path):
    with ExitStack() as stack:
        first, _ = running(stack, told(tmp_path, lost_after=30), tmp_path / "out")
        silent = torch.load(tmp_path / "1.pt")["pid"]
        stack.callback(os.kill, silent, signal.SIGKILL)
        os.kill(silent, signal.SIGSTOP)
        said = first.communicate(timeout=240)[1]
        assert first.returncode
    assert "unpool: another process of this run has ended or cannot be reached" in said


def test_a_killed_process_ends_the_run_and_it_goes_on_from_its_checkpoint(tmp_path):
    recipe, out = told(tmp_path, lost_after=60), tmp_path / "out"
    with ExitStack() as stack:
        first, second = running(stack, recipe, out)
        os.kill(torch.load(tmp_path / "1.pt")["pid"], signal.SIGKILL)
        said = [one.communicate(timeout=240)[1] for one in (first, second)]
        assert first.returncode
        assert second.returncode
    message = next(line for line in said[0].splitlines() if "unpool: another process" in line)
    assert "has ended or cannot be reached, so the run stopped at step" in message
    assert message.endswith("with --resume")

    steps = checkpoint_step(out) + 20
    assert f"its checkpoint of step {steps - 20} " in message
    for one in as_two_machines(recipe, out, "--steps", str(steps), "--resume"):
        _, said = one.communicate(timeout=240)
        assert one.returncode == 0, said[-2000:]
    assert checkpoint_step(out) == steps
    weights = [torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1)]
    assert weights[0].pop("pid") != weights[1].pop("pid")
    for name, value in load_file(out / "toy.safetensors").items():
        assert torch.equal(weights[0][name], weights[1][name])
        torch.testing.assert_close(value, weights[0][name])
