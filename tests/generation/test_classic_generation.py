"""The entry recipe's classifier and generator: their layers, and the Gaussians that the generator draws from."""

import pytest
import torch
from torch import nn

from unpool.generation.classic import CNNClassifier, DeconvGenerator
from unpool.nn.deconv import PlainDeconv


def test_classifier_layers_and_shapes():
    network = CNNClassifier()
    convolutions = [one for one in network.modules() if isinstance(one, nn.Conv2d)]
    assert [(one.out_channels, one.kernel_size) for one in convolutions] == [(32, (3, 3)), (64, (3, 3)), (128, (3, 3))]
    picture = torch.rand(2, 1, 28, 28)
    assert network.features(picture).shape == (2, 512)
    assert network(picture).shape == (2, 10)
    torch.testing.assert_close(network(picture), network.answer(network.features(picture).relu()))


def test_generator_layers_and_shapes():
    network = DeconvGenerator()
    deconvs = [one for one in network.modules() if isinstance(one, PlainDeconv)]
    assert [(one.weight.shape[1], one.kernel, one.stride) for one in deconvs] == [(32, 4, 2), (16, 4, 2), (1, 4, 1)]
    pictures = network(torch.randn(3, 512)).detach()
    assert pictures.shape == (3, 1, 28, 28)
    assert 0 <= float(pictures.min()) <= float(pictures.max()) <= 1


def test_gaussians_have_the_mean_and_spread_of_their_class():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(4000) % 2
    mixing = torch.randn(2, 6, 6, generator=generator)
    features = torch.randn(4000, 1, 6, generator=generator) @ mixing[labels] + 3 * labels[:, None, None]
    network = DeconvGenerator(features=6, classes=2, rank=3)
    network.fit(features.squeeze(1), labels)
    for label in (0, 1):
        drawn = network.sample(torch.full((20000,), label), generator)
        own = features[labels == label].squeeze(1)
        torch.testing.assert_close(drawn.mean(0), own.mean(0), atol=0.1, rtol=0)
        torch.testing.assert_close(drawn.var(0), own.var(0), atol=0.3, rtol=0.05)
        # Three of six directions are kept, and they are the widest.
        ours, theirs = (torch.linalg.eigvalsh(torch.cov(x.T))[-1] for x in (drawn, own))
        assert float(ours / theirs) == pytest.approx(1, abs=0.15)


def test_the_same_seed_gives_the_same_pictures():
    network = DeconvGenerator(features=8)
    network.rest += 1
    labels = torch.tensor([0, 9])
    one, same, other = (network.generate(labels, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_mistakes():
    network = DeconvGenerator(features=8, classes=3, rank=2)
    with pytest.raises(ValueError, match=r"0\.\.2"):
        network.sample(torch.tensor([3]))
    with pytest.raises(ValueError, match="at least 4"):
        network.fit(torch.randn(6, 8), torch.arange(6) % 3)
