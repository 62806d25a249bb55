"""The documents' two autoencoders have the layers that the documents give them."""

import torch
from torch import nn

from unpool.autoencoders.classic import ConvDeconv, DenseAutoencoder


def test_dense_layers_and_shapes():
    network = DenseAutoencoder()
    widths = [(one.in_features, one.out_features) for one in network.modules() if isinstance(one, nn.Linear)]
    assert widths == [(784, 128), (128, 64), (64, 32), (32, 64), (64, 128), (128, 784)]
    picture = torch.rand(3, 1, 28, 28)
    assert network.encode(picture).shape == (3, 32)
    again = network(picture)
    assert again.shape == picture.shape
    assert float(again.detach().min()) >= 0
    assert float(again.detach().max()) <= 1
    torch.testing.assert_close(network.decode(network.encode(picture)), again)


def test_conv_deconv_keeps_the_size_of_any_picture():
    network = ConvDeconv()
    picture = torch.rand(2, 3, 17, 30)
    assert network.encode(picture).shape == (2, 64, 17, 30)
    assert network(picture).shape == picture.shape
    assert sum(p.numel() for p in network.parameters()) == 64 * 27 + 64 + 27 * 64 + 3


def test_conv_deconv_is_large_enough_to_be_the_identity():
    """Sixty-four features for three colours: some weights give every picture back, so a small error proves little."""
    network = ConvDeconv(channels=6)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        for colour in range(3):
            network.conv.weight[colour, colour, 1, 1] = 1
            network.deconv.weight[colour, colour, 1, 1] = 1
    picture = torch.rand(1, 3, 9, 9)
    torch.testing.assert_close(network(picture), picture)
