"""The bench's parts at a small size: what it compares is equal, and missing data is one line."""

import json

import numpy as np
import pytest
import skimage.data
import torch
from torch import nn

import unpool
from unpool.explanation import bench


@pytest.fixture(autouse=True)
def small(monkeypatch) -> None:
    monkeypatch.setattr(bench, "_BATCH", 2)
    monkeypatch.setattr(bench, "_SIDE", 32)


@pytest.mark.parametrize("name", ["vgg-like", "zf-like", "residual"])
def test_equal_to_captum(name: str, monkeypatch) -> None:
    monkeypatch.setattr(bench, "_SIDE", 128)
    assert bench.difference(bench.networks()[name]) <= 1e-5


def test_networks_are_what_captum_can_see() -> None:
    for network in bench.networks().values():
        rectifiers = [module for module in network.modules() if isinstance(module, nn.ReLU)]
        found = unpool.explain(network, torch.rand(1, 3, 128, 128), target=0)
        assert found.rectifiers == len(rectifiers)
        assert float(found.maps.abs().max()) > 0


def test_speed_has_its_fields() -> None:
    row = bench.speed(bench.networks()["residual"], repeats=1)
    assert set(row) == {"captum", "unpool", "unpool_several_targets"}
    assert min(row.values()) > 0


def test_missing_data_is_one_line(monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("UNPOOL_DATA", raising=False)
    said: list[str] = []
    assert bench.honesty(None, 2, ("gradient",), said.append) == ({}, 0)
    assert len(said) == 1
    assert "photos" in said[0]


def test_honesty_table(monkeypatch, tmp_path) -> None:
    folder = tmp_path / "photos" / "train" / "everyday"
    folder.mkdir(parents=True)
    unpool.write(unpool.read(skimage.data.coffee()), folder / "n07920052_espresso.png")
    judged = bench.judged
    monkeypatch.setattr(bench, "judged", lambda *given: judged(*given, steps=2))
    monkeypatch.setattr(bench, "STAGES", 1)
    table, count = bench.honesty(tmp_path, 5, ("gradient", "grad-cam"), lambda _line: None)
    assert count == 1
    assert set(table) == {"gradient", "grad-cam"}
    assert 0 < table["gradient"]["insertion"] < 1
    assert table["gradient"]["insertion_spread"] == 0
    json.dumps(table)


def test_a_perfect_inversion_keeps_the_class() -> None:
    class Perfect:
        subject = bench.Subject("efficientnet-lite0")

        def drawn(self, x: torch.Tensor) -> torch.Tensor:
            return self.subject.pixels(x)

    picture = torch.from_numpy(np.ascontiguousarray(skimage.data.chelsea()[:224, :224])).permute(2, 0, 1)[None] / 255
    row = bench.inverted(Perfect(), [picture])  # type: ignore[arg-type]
    assert row["psnr"] > 60
    assert row["same_class"] == 1
