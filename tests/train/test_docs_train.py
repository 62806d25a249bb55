"""The task shown in docs/train.md trains."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

DOCS = Path(__file__).parents[2] / "docs" / "train.md"


def test_own_task_of_the_docs(tmp_path):
    blocks = re.findall(r"```(?:python|yaml)\n# (sharpen\.\w+)\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert [name for name, _ in blocks] == ["sharpen.py", "sharpen.yaml"]
    for name, text in blocks:
        (tmp_path / name).write_text(text)
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (80, 90, 3), dtype=np.uint8)).save(tmp_path / "photo.png")
    command = [
        sys.executable,
        "-m",
        "unpool",
        "train",
        "sharpen.yaml",
        "--steps",
        "100",
        "-o",
        "run",
        "--device",
        "cpu",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    curve = [line.split(",") for line in (tmp_path / "run" / "curve.csv").read_text().splitlines()]
    figures = [float(value) for _, _, name, value in curve if name == "mse"]
    assert figures[-1] < 0.9 * figures[0]
