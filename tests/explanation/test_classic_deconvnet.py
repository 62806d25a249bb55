"""The way back of a DeconvNet: the adjoint at fixed switches, with the network's own filters."""

import pytest
import torch
from torch import nn

from unpool.explanation.classic import DeconvNet
from unpool.generation.classic import CNNClassifier


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("side", [28, 15])
def test_the_way_back_is_the_adjoint_at_fixed_switches(padding, side):
    torch.manual_seed(0)
    network = DeconvNet(channels=(8,), padding=padding).double()
    picture = torch.randn(2, 1, side, side, dtype=torch.float64)
    values, trail = network.encode(picture)
    other = torch.rand_like(values) * (values > 0)
    torch.testing.assert_close((values * other).sum(), (picture * network.decode(other, trail)).sum())


def test_a_projection_of_the_first_stage_is_its_value_times_its_gradient():
    torch.manual_seed(0)
    network = DeconvNet(in_channels=3, channels=(8,))
    picture = torch.rand(1, 3, 20, 22, requires_grad=True)
    strongest = network.encode(picture)[0][:, 5].amax()
    (gradient,) = torch.autograd.grad(strongest, picture)
    torch.testing.assert_close(network.project(picture.detach(), 1, 5), (strongest * gradient).detach())


def test_a_classifier_is_inverted_with_its_own_filters():
    torch.manual_seed(0)
    classifier = CNNClassifier()
    network = DeconvNet.of(classifier)
    assert [one.weight.data_ptr() for one in network.convolutions] == [
        one.weight.data_ptr() for one in classifier.modules() if isinstance(one, nn.Conv2d)
    ]
    picture = torch.rand(2, 1, 28, 28)
    torch.testing.assert_close(network.encode(picture)[0], classifier.layers(picture))
    assert network(picture).shape == picture.shape
    for stage in (1, 2, 3):
        assert network.project(picture, stage, 7).shape == picture.shape
    alone = network.project(picture, 2, 7)
    assert 0 < int((alone[0] != 0).sum()) <= 8 * 8  # what one activation of the second stage can see


def test_mistakes():
    network = DeconvNet(channels=(4,))
    picture = torch.rand(1, 1, 8, 8)
    with pytest.raises(ValueError, match="stages 1 to 1"):
        network.project(picture, 2, 0)
    with pytest.raises(ValueError, match="channels 0 to 3"):
        network.project(picture, 1, 4)
    with pytest.raises(ValueError, match="no convolution"):
        DeconvNet.of(nn.Linear(2, 2))
