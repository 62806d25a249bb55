"""Every target, on networks whose right answer is known by construction."""

import pytest
import torch
from torch import nn

import unpool
from unpool.errors import ModelError
from unpool.explanation.api import Channel, Class, Custom, Neuron, Position, Similarity
from unpool.explanation.layers import find


class Quadrants(nn.Module):
    """Class k is the sum of quadrant k of the picture times k + 1: the gradient is known without any computation."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.arange(1.0, 5.0))
        self.body = nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 1, 8, 8) -> (N, 4)."""
        x = self.body(x)
        parts = [x[..., r : r + 4, c : c + 4].sum((1, 2, 3)) for r in (0, 4) for c in (0, 4)]
        return torch.stack(parts, 1) * self.scale


def quadrant(k: int, value: float) -> torch.Tensor:
    expected = torch.zeros(1, 8, 8)
    expected[:, 4 * (k // 2) :, 4 * (k % 2) :][:, :4, :4] = value
    return expected


def shift() -> nn.Sequential:
    """A convolution whose channel 0 is the picture moved one to the left and channel 1 its double; a positive picture
    passes."""
    conv = nn.Conv2d(1, 2, (1, 3), padding=(0, 1), bias=False)
    with torch.no_grad():
        conv.weight.zero_()
        conv.weight[0, 0, 0, 2] = 1
        conv.weight[1, 0, 0, 2] = 2
    return nn.Sequential(conv, nn.ReLU(), nn.Flatten())


def one_hot(row: int, column: int, value: float) -> torch.Tensor:
    expected = torch.zeros(1, 5, 6)
    expected[0, row, column] = value
    return expected


@pytest.mark.parametrize("method", ["gradient", "deconvnet", "guided"])
def test_class(method: str) -> None:
    x = torch.rand(2, 1, 8, 8)
    for k in range(4):
        found = unpool.explain(Quadrants(), x, target=k, method=method)
        assert torch.equal(found.maps[1], quadrant(k, k + 1))
    torch.testing.assert_close(found.scores, x[:, 0, 4:, 4:].sum((1, 2)) * 4)


def test_the_strongest_class_of_each_picture() -> None:
    x = torch.zeros(2, 1, 8, 8)
    x[0, :, :4, :4] = 9
    x[1, :, 4:, :4] = 9
    found = unpool.explain(Quadrants(), x)
    assert found.target == Class((0, 2))
    assert torch.equal(found.maps, torch.stack([quadrant(0, 1), quadrant(2, 3)]))
    assert [rows[0][0] for rows in found.top] == [0, 2]


def test_several_targets_from_one_forward_pass() -> None:
    passes = []
    net = Quadrants()
    net.body.register_forward_hook(lambda *_: passes.append(1))
    found = unpool.explain(net, torch.rand(1, 1, 8, 8), target=[3, 0, None, lambda y: y[:, 1] + y[:, 2]])
    assert len(passes) == 1
    assert len(found) == 4
    assert torch.equal(found[0].maps[0], quadrant(3, 4))
    assert torch.equal(found[1].maps[0], quadrant(0, 1))
    assert torch.equal(found[3].maps[0], quadrant(1, 2) + quadrant(2, 3))


def test_class_by_name() -> None:
    class Named:
        module, names = Quadrants(), ["north west", "north east", "south west", "south east"]

    found = unpool.explain(Named(), torch.rand(1, 1, 8, 8), target="South West")
    assert found.described() == "south west"
    assert torch.equal(found.maps[0], quadrant(2, 3))
    with pytest.raises(ModelError, match="closest: south east"):
        unpool.explain(Named(), torch.rand(1, 1, 8, 8), target="south eas")


def test_channel() -> None:
    x = torch.rand(1, 1, 5, 6) + 0.1
    x[0, 0, 3, 4] = 5
    found = unpool.explain(shift(), x, target=Channel(1), layer="0")
    assert torch.equal(found.maps[0], one_hot(3, 4, 2))
    assert torch.equal(unpool.explain(shift(), x, target=1, layer="0").maps, found.maps)
    assert torch.equal(unpool.explain(shift(), x, target="channel:1").maps, found.maps)
    assert found.layer == "0"
    whole = torch.ones(1, 5, 6)
    whole[..., 0] = 0  # the first column moves out of the picture
    assert torch.equal(unpool.explain(shift(), x, target=Channel(0, "sum", layer="1")).maps[0], whole)
    torch.testing.assert_close(unpool.explain(shift(), x, target=Channel(0, "mean", layer="1")).maps[0], whole / 30)


def test_position() -> None:
    found = unpool.explain(shift(), torch.rand(1, 1, 5, 6), target=Position(2, 3), layer="1")
    assert torch.equal(found.maps[0], one_hot(2, 4, 3))
    assert torch.equal(
        unpool.explain(shift(), torch.rand(1, 1, 5, 6), target="position:2,3", layer="0").maps, found.maps
    )


def test_neuron() -> None:
    x = torch.rand(1, 1, 5, 6)
    found = unpool.explain(shift(), x, target=Neuron(0, 4, 0, layer="1"))
    assert torch.equal(found.maps[0], one_hot(4, 1, 1))
    torch.testing.assert_close(found.scores, x[:, 0, 4, 1])
    x[0, 0, 1, 2] = 7
    assert torch.equal(unpool.explain(shift(), x, layer="1").maps[0], one_hot(1, 2, 2))


def test_similarity() -> None:
    net = Quadrants()
    with torch.no_grad():
        net.scale.fill_(1)
    x = torch.zeros(1, 1, 8, 8)
    x[..., :4, :4], x[..., :4, 4:] = 3 / 16, 4 / 16  # embedding (3, 4, 0, 0)
    found = unpool.explain(net, x, target=Similarity(torch.tensor([0.0, 1.0, 0.0, 0.0])), method="gradient")
    torch.testing.assert_close(found.scores, torch.tensor([0.8]))
    # d cos / d y = (other - cos * y / |y|) / |y|
    expected = quadrant(0, -0.8 * 0.6 / 5) + quadrant(1, (1 - 0.8 * 0.8) / 5)
    torch.testing.assert_close(found.maps[0], expected)
    other = torch.zeros(1, 1, 8, 8)
    other[..., :4, 4:] = 2.0
    by_picture = unpool.explain(net, x, target=Similarity(other), method="gradient")
    torch.testing.assert_close(by_picture.maps, found.maps)


def test_custom_on_a_layer() -> None:
    found = unpool.explain(
        shift(), torch.rand(1, 1, 5, 6), target=Custom(lambda a: a[:, 0, 0, 0] * 3, layer="1"), method="gradient"
    )
    assert torch.equal(found.maps[0], one_hot(0, 1, 3))
    with pytest.raises(ModelError, match="one number for each picture"):
        unpool.explain(shift(), torch.rand(1, 1, 5, 6), target=lambda y: y)


def test_grad_cam() -> None:
    """Channel 0 speaks for class 0, channel 1 against it: only channel 0's places remain, weighted by its mean
    gradient."""
    conv, head = nn.Conv2d(2, 2, 1, bias=False), nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        conv.weight.copy_(torch.eye(2).view(2, 2, 1, 1))
        head.weight.copy_(torch.tensor([[1.0, -2.0], [0.0, 1.0]]))
    net = nn.Sequential(conv, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)
    x = torch.rand(2, 2, 4, 4)
    found = unpool.explain(net, x, target=0, method="grad-cam")
    assert found.layer == "0"
    torch.testing.assert_close(found.maps, (x[:, :1] - 2 * x[:, 1:]).relu() / 16)
    with pytest.raises(ModelError, match="explains the network's output"):
        unpool.explain(net, x, target="channel:1", method="grad-cam")


def test_layers_are_found_by_name() -> None:
    net = nn.Sequential(nn.Conv2d(1, 1, 1), nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU()))
    assert find(net, None)[0] == "1.0"
    with pytest.raises(ModelError, match=r"no layer '1\.conv'; closest: 1"):
        unpool.explain(net, torch.rand(1, 1, 4, 4), layer="1.conv")
    with pytest.raises(ModelError, match="no convolution"):
        unpool.explain(nn.Sequential(nn.Flatten()), torch.rand(1, 1, 4, 4), method="grad-cam", target=0)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"method": "deconv"}, "closest: deconvnet"),
        ({"samples": 3}, "no option 'samples'"),
        ({"target": 4}, "there are 4, from 0 to 3"),
        ({"target": "cat"}, "have no names"),
        ({"target": "neuron:a"}, "cannot be read"),
        ({"target": "position:1,2,3"}, "cannot be read"),
        ({"target": "channel:1,2"}, "cannot be read"),
        ({"target": True}, "truth value"),
        ({"target": object()}, "cannot be made of"),
        ({"target": []}, "no targets"),
        ({"target": ["channel:0", Channel(1, layer="body")], "layer": "x"}, "one layer"),
        ({"target": Class((0, 1))}, "one for each"),
    ],
)
def test_mistakes_are_one_sentence(wrong: dict, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        unpool.explain(Quadrants(), torch.rand(1, 1, 8, 8), **wrong)
