"""The page holds the figures that its script computes, and the script computes what it says."""

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("cluster", ROOT / "examples" / "cluster.py")
cluster = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(cluster)

BATCH = {
    "wing": "batch",
    "pictures_per_second_1": 20.0,
    "pictures_per_second_2": 36.0,
    "overhead_percent": 8.0,
    "missing_results": 0,
    "doubled_results": 0,
    "side": 256,
    "operations": {"compress": {"seconds_a_picture": 0.05, "bytes_a_result": 8000}},
}
GALLERY = {
    "wing": "gallery",
    "search": [
        {"store": "sqlite", "templates": 1000},
        *(
            {
                "store": "pgvector", "templates": n, "memory_mb": n / 1000, "stored_mb": n / 500,
                "build_s": n**1.25 / 1e4, "search_ms": n**0.5, "recall": recall,
            }
            for n, recall in ((10_000, 1.0), (100_000, 0.99), (1_000_000, 0.97))
        ),
    ],
}  # fmt: skip
TRAIN = {
    "wing": "train",
    "network": {"side": 128, "parameters": 100_000, "macs": 50_000_000},
    "pictures_per_second": {"unpool train": {"median": 40.0}},
}


def test_the_page_is_what_the_script_writes():
    page = cluster.PAGE.read_text(encoding="utf-8")
    hint = "benchmarks/ has changed: python examples/cluster.py --write"
    assert cluster.written(page, cluster.text(ROOT / "benchmarks")) == page, hint


def test_figures_follow_from_the_json_files(tmp_path):
    machine = {"date": "2026-01-02T00:00:00", "cores": 2, "cpu": "some cpu"}
    for results in (BATCH, GALLERY, TRAIN):
        (tmp_path / f"{results['wing']}.json").write_text(json.dumps({**results, "quick": False, "hardware": machine}))
    newer = {**BATCH, "overhead_percent": 99.0, "quick": True, "hardware": {**machine, "date": "2026-05-05"}}
    (tmp_path / "quick.json").write_text(json.dumps(newer))
    text = cluster.text(tmp_path)
    assert "8.0 % slower than a plain loop" in text  # the full run counts, not the newer quick one
    # 1e8 pictures x 0.05 s x 1.08 / 0.9 / 3600
    assert "| compress | 0.050 | 1,667 | 35 days | 1.7 hours | 67 | 800 GB |" in text
    # 10 GB, 20 GB, 1e7^1.25 / 1e4 s, 1e7^0.5 ms, 0.02 less a factor of ten
    assert "| 10,000,000 | 10.00 GB | 20.00 GB | 937.2 minutes | 3162.3 ms | 0.950 | extrapolated |" in text
    assert text.count("| measured |") == 3
    assert "No GPU was measured" in text


def test_more_gpus_are_faster_by_less_than_their_number():
    one, two, eight = (cluster.throughput(count, 3e8, 1_000_000) for count in (1, 2, 8))
    assert one == pytest.approx(cluster.GPU_PEAK * cluster.GPU_SHARE / 3e8)
    assert one < two < 2 * one
    assert two < eight < 8 * one
