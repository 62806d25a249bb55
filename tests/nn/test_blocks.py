import pytest
import torch
import torch.nn.functional as F
from torch import nn

from unpool.nn.blocks import Depthwise, RepConv, Residual, fuse


@pytest.mark.parametrize("dimensions", [1, 2])
@pytest.mark.parametrize("block", [Residual, Depthwise])
def test_begins_as_the_identity(block, dimensions):
    x = torch.randn(2, 8, *[5] * dimensions)
    made = block(channels=8, dimensions=dimensions)
    torch.testing.assert_close(made(x), x)
    nn.init.normal_(made.branch[-1].weight)
    assert not torch.allclose(made(x), x)
    assert made(x).shape == x.shape


def _branches(rep, x):
    """What a RepConv is defined as: each branch run on its own, summed."""
    call, pad = (F.conv1d, F.conv2d)[x.dim() - 3], rep.weight.shape[-1] // 2
    thin = [1] * (x.dim() - 2)
    y = call(x, rep.weight, rep.bias, rep.stride, pad) + call(x, rep.point, None, rep.stride)
    y = y + call(call(x, rep.widen.view(*rep.widen.shape, *thin)), rep.narrow, None, rep.stride, pad)
    return y + x if rep.identity else y


@pytest.mark.parametrize("dimensions", [1, 2])
@pytest.mark.parametrize(
    ("shape", "stride", "kernel"), [((6, 6), 1, 3), ((6, 6), 2, 5), ((4, 7), 1, 3), ((4, 7), 2, 1)]
)
def test_branches_merged_and_fused_agree(shape, stride, kernel, dimensions):
    rep = RepConv(
        in_channels=shape[0], out_channels=shape[1], stride=stride, kernel=kernel, expand=2, dimensions=dimensions
    )
    nn.init.normal_(rep.bias)
    x = torch.randn(2, shape[0], *[9] * dimensions)
    torch.testing.assert_close(rep(x), _branches(rep, x), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(rep.fuse()(x), rep(x), atol=1e-5, rtol=1e-5)


def test_gradients_reach_every_branch():
    rep = RepConv(in_channels=4, out_channels=4)
    rep(torch.randn(1, 4, 5, 5)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in rep.parameters())


def test_fuse_replaces_at_any_depth_and_leaves_the_original():
    network = nn.Sequential(nn.Sequential(RepConv(in_channels=3, out_channels=4), nn.ReLU()), nn.Conv2d(4, 2, 1))
    fused = fuse(network)
    assert isinstance(fused[0][0], nn.Conv2d)
    assert isinstance(network[0][0], RepConv)
    x = torch.randn(1, 3, 6, 6)
    torch.testing.assert_close(fused(x), network(x), atol=1e-5, rtol=1e-5)
    assert isinstance(fuse(network[0][0]), nn.Conv2d)


def test_bad_arguments():
    with pytest.raises(ValueError, match="odd kernel"):
        RepConv(in_channels=1, out_channels=1, kernel=4)
    with pytest.raises(ValueError, match="identity"):
        RepConv(in_channels=1, out_channels=2, identity=True)
