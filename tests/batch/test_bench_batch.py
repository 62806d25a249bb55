"""The bench's fields, and its arithmetic on made-up parts."""

import contextlib

import pytest

from unpool.batch import bench


def part(worker, began, ended):
    return {"part": "0", "pictures": 10, "failed": 0, "began": began, "ended": ended, "worker": worker}


def test_a_pace_is_taken_while_all_workers_are_at_work(monkeypatch, tmp_path):
    slow_start = [part("a", 0, 9), *(part("a", 9 + n, 10 + n) for n in range(6))]
    other = [part("b", 0, 5), *(part("b", 5 + 2 * n, 7 + 2 * n) for n in range(4))]

    def run(*_, report, **__):
        for one in slow_start + other:
            report(None, one)

    monkeypatch.setattr(bench, "run", run)
    assert bench._steady(tmp_path, tmp_path, 2) == pytest.approx(10 + 5)  # pictures a second of a, and of b
    with pytest.raises(Exception, match="3 workers were asked for"):
        bench._steady(tmp_path, tmp_path, 3)


def test_figures_by_name(monkeypatch):
    real = bench.photographs
    monkeypatch.setattr(bench, "photographs", lambda folder, count: real(folder, 24, side=64))
    monkeypatch.setattr(bench, "ray_here", lambda cores: contextlib.nullcontext())
    monkeypatch.setattr(bench, "_steady", lambda folder, out, workers: 10.0 * workers)
    monkeypatch.setattr(bench, "kills", lambda *_, **__: {"missing_results": 0, "doubled_results": 0})
    monkeypatch.setattr(bench, "_TABLE", {name: bench._TABLE[name] for name in ("compress", "embed")})
    found = bench.bench(quick=True, data=None, report=lambda line: None)
    assert (found["pictures_per_second_1"], found["pictures_per_second_2"]) == (10.0, 20.0)
    assert found["overhead_percent"] == pytest.approx(100 * (found["pictures_per_second_plain"] / 10 - 1))
    assert (found["missing_results"], found["doubled_results"]) == (0, 0)
    assert found["pictures"] >= 200
    assert found["operations"]["embed"]["bytes_a_result"] == 4 * 64
