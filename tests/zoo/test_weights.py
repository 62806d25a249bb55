"""Weight files: what is written comes back, and whatever is wrong with a file is one ModelError."""

import json
import struct

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from unpool.errors import ModelError
from unpool.nn.towers import Encoder
from unpool.zoo import weights
from unpool.zoo.record import Record
from unpool.zoo.weights import load_module, read_record, save, tensor_hash

CONFIG = {"in_channels": 3, "widths": [4, 8], "strides": [2, 2]}


def record(**changes) -> Record:
    fields = {"name": "nn/tiny", "task": "nn", "network": "unpool.nn.towers:Encoder", "config": CONFIG}
    return Record(**(fields | changes))


@pytest.fixture
def module() -> nn.Module:
    torch.manual_seed(0)
    return Encoder(**CONFIG)


@pytest.fixture
def file(tmp_path, module):
    path = tmp_path / "tiny.safetensors"
    save(path, module, record())
    return path


def rewrite(path, change=None, meta=None):
    """The file again, with tensors changed in place or another metadata."""
    from safetensors import safe_open

    with safe_open(path, "pt") as opened:
        metadata = opened.metadata()
    tensors = load_file(path)
    if change:
        change(tensors)
    save_file(tensors, path, metadata=meta(metadata) if meta else metadata)


def test_comes_back_in_float32_and_eval_mode(file, module):
    again, found = load_module(file)
    assert not again.training
    assert not any(p.requires_grad for p in again.parameters())
    for (name, one), other in zip(module.state_dict().items(), again.state_dict().values()):
        assert other.dtype == torch.float32, name
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-6)
    assert found.config == CONFIG
    assert found == read_record(file)


def test_full_precision_is_exact(tmp_path, module):
    save(tmp_path / "full.safetensors", module, record(), half=False)
    again, _ = load_module(tmp_path / "full.safetensors")
    assert all(torch.equal(a, b) for a, b in zip(module.state_dict().values(), again.state_dict().values()))


def test_half_takes_half_the_bytes(tmp_path, module, file):
    save(tmp_path / "full.safetensors", module, record(), half=False)
    tensors = sum(p.numel() for p in module.parameters())
    assert (tmp_path / "full.safetensors").stat().st_size - file.stat().st_size == pytest.approx(2 * tensors, rel=0.1)


def test_integers_keep_their_type(tmp_path):
    module = nn.BatchNorm2d(3)
    module.num_batches_tracked += 70000
    save(tmp_path / "bn.safetensors", module, record())
    assert int(load_file(tmp_path / "bn.safetensors")["num_batches_tracked"]) == 70000


@pytest.mark.parametrize("value", [1e6, float("nan"), float("inf")])
def test_values_that_half_cannot_hold_are_refused(tmp_path, module, value):
    with torch.no_grad():
        next(module.parameters())[0] = value
    with pytest.raises(ModelError, match="half"):
        save(tmp_path / "bad.safetensors", module, record())
    assert list(tmp_path.iterdir()) == []


def test_a_changed_tensor_is_found(file):
    def change(tensors):
        next(iter(tensors.values())).view(-1)[0] += 1

    rewrite(file, change)
    with pytest.raises(ModelError, match="do not match their hash"):
        load_module(file)


def test_a_renamed_tensor_is_found(file):
    rewrite(file, lambda tensors: tensors.update(other=tensors.pop(next(iter(tensors)))))
    with pytest.raises(ModelError, match="do not match their hash"):
        load_module(file)


@pytest.mark.parametrize("keep", [0, 7, 100, 0.5, -1])
def test_a_truncated_file_is_one_error(file, keep):
    content = file.read_bytes()
    file.write_bytes(content[: int(keep * len(content)) if isinstance(keep, float) else keep])
    with pytest.raises(ModelError, match="not a complete safetensors file"):
        load_module(file)


def test_a_lying_header_is_one_error(file):
    file.write_bytes(struct.pack("<Q", 2**62) + file.read_bytes()[8:])
    with pytest.raises(ModelError, match="not a complete safetensors file"):
        read_record(file)


def test_a_pickle_is_not_opened(tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "net.safetensors")
    with pytest.raises(ModelError, match="not a complete safetensors file"):
        load_module(tmp_path / "net.safetensors")


def test_a_foreign_file_has_no_record(tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(ModelError, match="no record"):
        load_module(tmp_path / "foreign.safetensors")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("network", "os:system", "network"),
        ("network", "unpool.cli.main:LazyGroup", "no network of this package"),
        ("network", "unpool.zoo.record:Record", "no network of this package"),
        ("network", "unpool.nn.towers:nn", "no network of this package"),
        ("network", "unpool.nn.nowhere:Encoder", "has no network"),
        ("network", "unpool.nn.towers:Nobody", "has no network"),
        ("config", {"channels": 3}, "configuration"),
        ("config", {**CONFIG, "block": "magic"}, "configuration"),
        ("config", {**CONFIG, "widths": [4, 9]}, "do not fit"),
        ("format_version", 2, "format_version"),
        ("surprise", 1, "surprise"),
        ("sha256", None, "do not match their hash"),
    ],
)
def test_a_wrong_record_is_one_error(file, field, value, message):
    rewrite(file, meta=lambda old: {"unpool": json.dumps(json.loads(old["unpool"]) | {field: value})})
    with pytest.raises(ModelError, match=message) as caught:
        load_module(file)
    assert "\n" not in str(caught.value)


def test_unknown_names_say_what_there_is():
    with pytest.raises(ModelError, match="efficientnet-lite0"):
        load_module("efficientnet")
    with pytest.raises(ModelError, match="no such weight file"):
        load_module("nowhere.safetensors")


def test_the_hash_is_of_names_types_shapes_and_bytes():
    base = {"a": torch.zeros(4), "b": torch.ones(2)}
    same = tensor_hash({"b": torch.ones(2), "a": torch.zeros(4)})
    assert tensor_hash(base) == same
    for other in ({"a": torch.zeros(2, 2)}, {"a": torch.zeros(4).half()}, {"a": torch.zeros(4, dtype=torch.int32)}):
        assert tensor_hash(base | other) != same


def test_names_of_shipped_files_are_their_places(tmp_path, monkeypatch, module):
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    save(tmp_path / "nn" / "tiny.safetensors", module, record())
    assert list(weights.shipped()) == ["nn/tiny"]
    assert load_module("nn/tiny")[1].name == "nn/tiny"
