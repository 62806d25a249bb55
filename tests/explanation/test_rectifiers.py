"""Every rectifier is caught however it is called, and everything else is named."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

import unpool
from tests.explanation.networks import Called

WAYS = {
    "module": (nn.ReLU(), float("inf")),
    "module in place": (nn.ReLU(inplace=True), float("inf")),
    "F.relu": (F.relu, float("inf")),
    "F.relu in place": (lambda x: F.relu(x, inplace=True), float("inf")),
    "torch.relu": (torch.relu, float("inf")),
    "torch.relu_": (torch.relu_, float("inf")),
    "Tensor.relu": (lambda x: x.relu(), float("inf")),
    "Tensor.relu_": (lambda x: x.relu_(), float("inf")),
    "Tensor.relu_ as a statement": (lambda x: (x.relu_(), x)[1], float("inf")),
    "ReLU6": (nn.ReLU6(), 6.0),
    "ReLU6 in place": (nn.ReLU6(inplace=True), 6.0),
    "F.relu6": (F.relu6, 6.0),
    "Hardtanh": (nn.Hardtanh(0, 2), 2.0),
    "F.hardtanh_": (lambda x: F.hardtanh_(x, 0.0, 2.0), 2.0),
    "clamp": (lambda x: x.clamp(min=0), float("inf")),
    "clamp in place": (lambda x: x.clamp_(0), float("inf")),
    "clamp both": (lambda x: torch.clamp(x, 0, 3), 3.0),
    "clamp by a tensor": (lambda x: x.clamp(min=torch.tensor(0.0)), float("inf")),
    "clamp_min": (lambda x: torch.clamp_min(x, 0.0), float("inf")),
    "clamp_min_": (lambda x: x.clamp_min_(0), float("inf")),
    "clip": (lambda x: x.clip(0), float("inf")),
    "maximum": (lambda x: torch.maximum(x, torch.zeros_like(x)), float("inf")),
    "maximum, zero first": (lambda x: torch.maximum(torch.zeros(()), x), float("inf")),
    "max of two": (lambda x: torch.max(x, torch.zeros(())), float("inf")),
    "Threshold": (nn.Threshold(0, 0), float("inf")),
    "operator": (torch.ops.aten.relu, float("inf")),
    "operator overload": (torch.ops.aten.relu.default, float("inf")),
    "view": (lambda x: x.flatten(2).relu_().view_as(x), float("inf")),
    "checkpointed": (lambda x: checkpoint(torch.relu, x, use_reentrant=False), float("inf")),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", ["deconvnet", "guided"])
def test_every_way_of_calling_is_caught(way: str, method: str) -> None:
    rectify, high = WAYS[way]
    net = Called(rectify, high)
    x = torch.randn(2, 2, 9, 7)
    found = unpool.explain(net, x, target=0, method=method)
    assert found.rectifiers == 2
    assert not found.left_alone
    torch.testing.assert_close(found.maps, net.by_hand(x, method == "guided"), rtol=1e-5, atol=1e-7)


OTHERS = {
    "SiLU": F.silu,
    "GELU": nn.GELU(),
    "LeakyReLU": nn.LeakyReLU(),
    "PReLU": nn.PReLU(),
    "ELU": nn.ELU(),
    "SELU": nn.SELU(),
    "CELU": nn.CELU(),
    "Mish": nn.Mish(),
    "Hardswish": nn.Hardswish(),
    "Hardtanh": nn.Hardtanh(),
    "Softplus": nn.Softplus(),
    "Sigmoid": torch.sigmoid,
    "Tanh": lambda x: x.tanh(),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_activations_are_named_and_keep_their_gradient(name: str) -> None:
    net = Called(OTHERS[name])
    x = torch.randn(1, 2, 6, 6)
    found = unpool.explain(net, x, target=1)
    assert found.left_alone == {name: 2}
    assert found.rectifiers == 0
    torch.testing.assert_close(found.maps, unpool.explain(net, x, target=1, method="gradient").maps)


def test_a_clamped_weight_is_no_rectifier() -> None:
    class Positive(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(4, 3, 1, 1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            """(N, 3, H, W) -> (N, 4)."""
            return F.conv2d(x, self.weight.clamp(min=0)).mean((2, 3))

    assert unpool.explain(Positive(), torch.rand(1, 3, 4, 4), target=0).rectifiers == 0
