"""The explicit deconvnet, the interception and Captum say the same."""

import pytest
import torch
from captum.attr import Deconvolution, GuidedBackprop
from torch import nn

import unpool
from tests.explanation.networks import Residual, vgg
from unpool.errors import ModelError
from unpool.explanation.api import Channel
from unpool.explanation.model import DeconvNet


def trained_looking(net: nn.Module) -> nn.Module:
    """Running statistics that are not zero and one."""
    net.train()
    for _ in range(3):
        net(torch.randn(8, 3, 20, 18) + 0.3)
    return net.eval()


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().max() / b.abs().max())


def test_interception_equals_the_explicit_deconvnet() -> None:
    net = trained_looking(vgg())
    x = torch.randn(3, 3, 20, 18)
    explicit = DeconvNet(net)
    logits = explicit(x)
    assert torch.allclose(logits, net(x), atol=1e-6)
    seed = torch.zeros_like(logits)
    seed[:, 2] = 1
    assert relative(unpool.explain(net, x, target=2, method="deconvnet").maps, explicit.project(seed)) < 1e-5


@pytest.mark.parametrize("layer", ["0", "2", "5", "6.0", "6.2"])
def test_projection_of_the_strongest_place_of_a_channel(layer: str) -> None:
    net = trained_looking(vgg())
    x = torch.randn(2, 3, 20, 18)
    explicit = DeconvNet(net)
    activation = explicit(x, layer=layer)
    found = unpool.explain(net, x, target=Channel(1, layer=layer), method="deconvnet")
    # The explicit one carries the activation down, the interception a one: both are linear in it while it is positive.
    strength = found.scores.view(-1, 1, 1, 1)
    assert float(strength.min()) > 0
    assert relative(found.maps * strength, explicit.project_strongest(activation, 1)) < 1e-5


@pytest.mark.parametrize("make", [vgg, Residual])
@pytest.mark.parametrize(("method", "peer"), [("deconvnet", Deconvolution), ("guided", GuidedBackprop)])
@pytest.mark.filterwarnings("ignore:Setting backward hooks")
def test_equals_captum_on_plain_rectifier_modules(make, method: str, peer: type) -> None:
    net = make().eval()
    x = torch.randn(4, 3, 20, 18)
    theirs = peer(net).attribute(x.clone().requires_grad_(), target=1)
    assert relative(unpool.explain(net, x, target=1, method=method).maps, theirs) < 1e-5


def test_what_cannot_be_inverted_is_refused() -> None:
    with pytest.raises(ModelError, match="GELU"):
        DeconvNet(nn.Sequential(nn.Conv2d(3, 4, 3), nn.GELU()))
    with pytest.raises(ModelError, match="no layer"):
        DeconvNet(vgg())(torch.rand(1, 3, 20, 18), layer="nowhere")
    with pytest.raises(ModelError, match="forward first"):
        DeconvNet(vgg()).project(torch.rand(1, 5))


def test_average_pooling_is_transposed() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU6(), nn.AvgPool2d(3, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    x = torch.randn(2, 3, 15, 14)
    explicit = DeconvNet(net)
    seed = torch.zeros_like(explicit(x))
    seed[:, 3] = 1
    assert relative(unpool.explain(net, x, target=3, method="deconvnet").maps, explicit.project(seed)) < 1e-5
