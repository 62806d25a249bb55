import onnxruntime
import pytest
import torch
from torch import nn

from unpool.errors import ModelError
from unpool.nn.towers import Decoder, Encoder
from unpool.zoo.export import export, write
from unpool.zoo.record import Preprocessing, Record


def record(**more) -> Record:
    return Record(name="nn/tiny", task="nn", network="unpool.nn.towers:Encoder", **more)


class Tower(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder(in_channels=3, widths=(4, 8), strides=(2, 2))
        self.decoder = Decoder(out_channels=3, widths=(4, 8), strides=(2, 2))

    def forward(self, x):
        return self.decoder(self.encoder(x))


def test_any_size_where_it_holds(tmp_path):
    exported = export(Tower(), record())
    assert exported.any_size
    assert exported.difference <= 1e-4
    write(tmp_path / "m.onnx", exported)
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    assert session.run(None, {"input": torch.rand(3, 3, 40, 24).numpy()})[0].shape == (3, 3, 40, 24)


def test_own_size_where_it_does_not():
    module = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 64, 2))
    assert not export(module, record()).any_size
    fixed = record(preprocessing=Preprocessing(size=(8, 9)))
    assert not export(nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 9, 2)), fixed).any_size


def test_several_inputs_and_outputs():
    class Two(nn.Module):
        def example_inputs(self):
            return torch.rand(1, 5), torch.rand(1, 5)

        def forward(self, a, b):
            return a + b, {"product": a * b}

    assert export(Two(), record()).difference < 1e-6


def test_what_is_not_feed_forward_is_refused():
    module = Tower()
    module.feed_forward = False
    with pytest.raises(ModelError, match="feed-forward"):
        export(module, record())


class Nowhere(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return torch.log(self.scale * x - 5)


def test_answers_that_are_no_numbers_are_not_called_equal():
    with pytest.raises(ModelError, match="differs from the network by inf"):
        export(Nowhere(), record())
