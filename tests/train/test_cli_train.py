"""`unpool train` as a user types it: mistakes are one line and status 2."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name a recipe"),
        (["nope", "-o", "x"], "no recipe 'nope'"),
        (["missing.yaml", "-o", "x"], "missing.yaml: not a readable recipe"),
        (["toy.yaml"], "say where the run goes"),
        (["toy.yaml", "-o", "x", "--steps", "1", "--minutes", "1"], "not both"),
        (["toy.yaml", "-o", "x", "--steps", "1", "--device", "cuda"], "cuda"),
        (["toy.yaml", "-o", "x", "--steps", "1", "--precision", "fp8"], "precision 'fp8'"),
    ],
)
def test_mistakes(tmp_path, arguments, message):
    (tmp_path / "toy.yaml").write_text("name: toys/toy\ntask: unpool.train.task:Task\n")
    command = [sys.executable, "-m", "unpool", "train", *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "x").exists()
