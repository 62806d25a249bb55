"""Checkpoints: whole or not at all, in shards, and what was saved comes back."""

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError

from unpool.errors import DataError
from unpool.train import checkpoint


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 5), max_size=3), max_size=5),
    st.sampled_from([16, 100, 10_000]),
)
def test_round_trip(tmp_path_factory, shapes, shard_bytes):
    folder = tmp_path_factory.mktemp("c") / "checkpoint"
    tensors = {f"a/{i}#b": torch.randn(shape) for i, shape in enumerate(shapes)}
    tensors["n"] = torch.tensor(7, dtype=torch.int64)
    checkpoint.save(folder, tensors, {"step": 3}, shard_bytes)
    back, state = checkpoint.load(folder)
    assert state == {"step": 3}
    assert back.keys() == tensors.keys()
    assert all(torch.equal(back[name], tensors[name]) for name in tensors)
    for shard in folder.glob("shard-*"):
        header = int.from_bytes(shard.read_bytes()[:8], "little")
        assert shard.stat().st_size - 8 - header <= max(shard_bytes, 8)


def test_a_kill_between_the_renames_leaves_the_old_one(tmp_path):
    folder = tmp_path / "checkpoint"
    checkpoint.save(folder, {"x": torch.ones(3)}, {"step": 1})
    folder.rename(tmp_path / "checkpoint.old")
    (tmp_path / "checkpoint.part").mkdir()
    assert checkpoint.exists(folder)
    assert checkpoint.load(folder)[1] == {"step": 1}
    checkpoint.save(folder, {"x": torch.ones(3)}, {"step": 2})
    assert checkpoint.load(folder)[1] == {"step": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


def test_damage_is_said(tmp_path):
    folder = tmp_path / "checkpoint"
    with pytest.raises(DataError, match="no checkpoint in"):
        checkpoint.load(folder)
    checkpoint.save(folder, {"x": torch.ones(300)}, {})
    shard = folder / "shard-000.safetensors"
    shard.write_bytes(shard.read_bytes()[:-10])
    with pytest.raises(DataError, match="damaged"):
        checkpoint.load(folder)
    shard.unlink()
    with pytest.raises(DataError, match="damaged"):
        checkpoint.load(folder)


def test_a_later_format_is_refused(tmp_path):
    folder = tmp_path / "checkpoint"
    checkpoint.save(folder, {}, {})
    document = json.loads((folder / "checkpoint.json").read_text())
    (folder / "checkpoint.json").write_text(json.dumps(document | {"format": 9}))
    with pytest.raises(DataError, match="format 9"):
        checkpoint.load(folder)


def test_what_is_no_checkpoint_is_said(tmp_path):
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    for text in ("[]", "3", '{"format": 1, "shards": 0, "shapes": {}}'):
        (folder / "checkpoint.json").write_text(text)
        with pytest.raises(DataError, match="damaged"):
            checkpoint.load(folder)


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    folder = tmp_path / "checkpoint"
    checkpoint.save(folder, {"x": torch.ones(3)}, {"step": 1})

    def full(tensors, path):
        path.write_bytes(b"half")
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(DataError, match=r"No space left on device.*; the one before stays"):
        checkpoint.save(folder, {"x": torch.ones(3)}, {"step": 2})
    assert checkpoint.load(folder)[1] == {"step": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]
