"""The face networks: shapes, size, what they begin as."""

import pytest
import torch

from unpool.faces.enlarger import FaceEnlarger
from unpool.faces.model import SIZE, Block, FaceNetwork, placed
from unpool.zoo.measure import macs, parameters

SMALL = {"widths": (4, 8, 8), "depths": (1, 1, 1), "middles": (4, 8, 8), "embedding": 16, "decoder": (8, 8, 4)}


@pytest.fixture(scope="module")
def network():
    return FaceNetwork(**SMALL).eval()


def test_recognition_keeps_its_limits():
    network = FaceNetwork()
    assert parameters(network.encoder) + parameters(network.head) <= 2_000_000
    assert macs(network, torch.zeros(1, 3, SIZE, SIZE)) <= 300e6


def test_shapes(network):
    embedding, quality = network(torch.rand(2, 3, SIZE, SIZE))
    assert embedding.shape == (2, 16)
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(2))
    assert quality.shape == (2,)
    assert ((quality > 0) & (quality < 1)).all()
    assert network.restore(torch.rand(2, 3, SIZE, SIZE)).shape == (2, 3, SIZE, SIZE)


def test_both_shares_the_work_of_forward(network):
    picture = torch.rand(1, 3, SIZE, SIZE)
    embedding, logit, restored = network.both(picture)
    torch.testing.assert_close(embedding, network(picture)[0])
    torch.testing.assert_close(logit.sigmoid(), network(picture)[1])
    torch.testing.assert_close(restored, network.restore(picture))


def test_decoder_begins_as_the_identity(network):
    picture = torch.rand(1, 3, SIZE, SIZE)
    torch.testing.assert_close(network.restore(picture), picture)


def test_quality_does_not_teach_the_encoder(network):
    network.zero_grad()
    network.both(torch.rand(1, 3, SIZE, SIZE))[1].sum().backward()
    assert all(p.grad is None for p in network.encoder.parameters())
    assert network.head.judge[0].weight.grad is not None


def test_finish_goes_on_where_forward_stopped(network):
    picture = torch.rand(1, 3, SIZE, SIZE)
    maps = network.encoder(picture)
    torch.testing.assert_close(network.encoder.finish(network.encoder(picture, 1)[-1], 1), maps[-1])


def test_placed_puts_the_window_back():
    # A map that says where each cell lies in the input (columns), so that the answer can be computed by hand.
    cells = 26  # of four pixels: the window of 104
    columns = (4 + (torch.arange(cells) + 0.5) * 4).expand(1, 1, cells, cells)
    seen = placed(columns, 28)[0, 0, 14]
    expected = (torch.arange(28) + 0.5) * 4
    torch.testing.assert_close(seen[1:27], expected[1:27], atol=1e-3, rtol=0)


@pytest.mark.parametrize("side", [8, 9])
def test_a_block_halves(side):
    assert Block(in_channels=4, out_channels=6, stride=2)(torch.rand(1, 4, side, side)).shape == (1, 6, 4, 4)


def test_enlarger_begins_as_bicubic():
    network = FaceEnlarger(channels=(8, 4, 4), blocks=1)
    small = torch.rand(1, 3, 16, 16)
    plain = torch.nn.functional.interpolate(small, scale_factor=8, mode="bicubic", align_corners=False)
    torch.testing.assert_close(network(small), plain)
