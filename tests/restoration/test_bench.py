"""The bench's fields, on two tiny pictures, and what it says where sets or models are missing."""

import pytest
import torch

from unpool.restoration import bench
from unpool.restoration.plan import Predictor

from .conftest import restorer

FIELDS = {
    "set5_x2_psnr_y", "set5_x4_psnr_y", "set14_x4_psnr_y", "parameters", "seconds_per_output_mp",
    "peer_seconds_per_output_mp", "compact_seconds_per_output_mp", "cbsd68_sigma25_psnr", "jpeg_q10_gain_db",
    "peak_memory_100mp_gib",
}  # fmt: skip


def test_without_models_and_sets_the_fields_are_none(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("UNPOOL_DATA", raising=False)
    monkeypatch.setattr(bench, "shipped", dict)
    monkeypatch.setattr(bench, "ncnn_peers", dict)
    monkeypatch.setattr(bench, "_here", lambda package: package != "ncnn")
    figures = bench.bench(quick=True, data=None, report=lambda _: None)
    assert set(figures) >= FIELDS
    assert all(figures[name] is None for name in FIELDS)
    assert len(figures["notes"]) == 4
    assert figures["notes"][-1] == "ncnn is not installed, so its peers' speed was not measured"


@pytest.fixture(scope="module")
def pictures():
    generator = torch.Generator().manual_seed(0)
    return {"a": torch.rand(1, 3, 50, 41, generator=generator), "b": torch.rand(1, 3, 36, 60, generator=generator)}


def test_tables(pictures, monkeypatch):
    monkeypatch.setattr(bench, "_beside_bm3d", lambda *_: {})
    cleaner = Predictor(restorer(down=2), None, torch.device("cpu"))
    noise = bench._denoising(pictures, cleaner, True, lambda _: None)
    assert noise["cbsd68_sigma25_psnr"] == pytest.approx(20.4, abs=3)
    assert [row["sigma"] for row in noise["denoising"]] == sorted(row["sigma"] for row in noise["denoising"])
    mended = bench._compression(pictures, cleaner, lambda _: None)
    assert mended["jpeg_q10_gain_db"] == mended["jpeg"][0]["gain"]
    psnr, ssim = bench._enlarged(pictures["a"], 4, Predictor(restorer(scale=4), None, torch.device("cpu")).tensor)
    assert 5 < psnr < 30
    assert ssim < 1


def test_other_damage_is_measured_beside_what_one_would_do_otherwise(pictures):
    models = {"restoration/photo-x2": Predictor(restorer(scale=2), None, torch.device("cpu"))}
    rows = bench._other_damage(pictures, models, lambda _: None)["other_damage"]
    asked = {(row["damage"], row["scale"], row["method"]) for row in rows}
    assert ("photo", 2, "restoration/photo-x2") in asked
    assert ("photo", 4, "bicubic") in asked
    assert {("deblur", 1, "as it is"), ("deblur", 1, "wiener"), ("deblur", 1, "richardson-lucy")} <= asked
    assert all(3 < row["psnr_y"] < 60 for row in rows)
    assert bench._other_damage({}, models, lambda _: None) == {"other_damage": []}
