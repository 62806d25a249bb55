"""The page holds what its script writes, and says which run that is."""

import importlib.util
import json
from pathlib import Path

from unpool.questions import against_classics, resolution, stability, variation

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("questions", ROOT / "examples" / "questions.py")
questions = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(questions)
BENCHMARKS = sorted((ROOT / "benchmarks").glob("*.json"))


def made_up():
    """An answer of every kind of row, some of them empty."""
    rows = {
        "stability": [
            {"activation": a, "loss": loss, "diverged": float(a == "sigmoid"), "not_finite": 0.0}
            | {"psnr": None if a == "sigmoid" else 15.0, "spread": None if a == "sigmoid" else 0.5}
            for a in stability.ACTIVATIONS
            for loss in stability.LOSSES
        ],
        "thousand_pictures": [{"way": "as it is", "training": 21.0, "held_out": 20.0, "gap": 1.0}],
        "shipped": [
            {"model": "a/b", "figure": "psnr", "training": 21.0, "held_out": 20.0, "gap": 1.0, "standard_error": 0.5}
        ],
        "shipped_not_asked": [{"model": "c/d", "why": "no answer"}],
        "data": [
            {"system": name, "share": share, "figure": figure, "result": share}
            for name, figure in (("one", "accuracy"), ("two", "psnr"))
            for share in (0.01, 1.0)
        ],
        "variation": [
            {"left_out": name} | {f"{place}_{size}": 0.9 for size in (112, 16) for place in ("in_place", "misplaced")}
            for name in variation.WAYS
        ],
        "resolution": [
            {"network": name, "size": size, "milliseconds": size / 10, "parameters": 10 * size, "memory_mb": None}
            for name in resolution.NETWORKS
            for size in resolution.SIZES
        ],
        "against_classics": [
            {"network": name, "psnr_at_equal_steps": 20.0, "psnr_at_equal_seconds": 19.0} for name in "ab"
        ],
        "enlarging": [
            {"enlarging": name, "psnr_at_equal_steps": 20.0, "psnr_at_equal_seconds": 19.0}
            for name in against_classics.UPSAMPLERS.values()
        ],
    }
    machine = {"date": "2026-01-02T00:00:00", "cpu": "some cpu", "threads": 2}
    about = {"wing": "questions", "quick": False, "seconds": 9.0, "hardware": machine, "file": "a.json"}
    return about | rows | {"stability_psnr_of_the_mean_picture": 11.0}


def test_the_page_is_what_the_script_writes():
    page = questions.PAGE.read_text(encoding="utf-8")
    hint = "benchmarks/ has changed: python examples/questions.py --write"
    assert questions.written(page, questions.chosen(BENCHMARKS)) == page, hint


def test_every_mark_is_filled_and_every_plot_drawn(tmp_path):
    page = questions.written(questions.PAGE.read_text(encoding="utf-8"), made_up())
    assert "a full run" in page
    assert "| c/d | no answer |" in page
    assert page.count("<!-- end -->") == len(questions.SECTIONS) + 1
    questions.draw(made_up(), tmp_path)
    assert {path.stem for path in tmp_path.glob("*.svg")} == set(questions.SECTIONS)


def test_a_full_run_goes_before_a_newer_quick_one(tmp_path):
    files = []
    for name, changes in (("full", {}), ("quick", {"quick": True})):
        machine = {"date": f"2026-0{len(files) + 1}-01", "cpu": "some cpu", "threads": 2}
        files.append(tmp_path / f"{name}.json")
        files[-1].write_text(json.dumps(made_up() | changes | {"hardware": machine}))
    assert questions.chosen(files)["file"] == "full.json"
