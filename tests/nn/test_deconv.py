import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from unpool.nn.blocks import fuse
from unpool.nn.checkerboard import checkerboard_energy
from unpool.nn.deconv import KINDS, Deconv, PlainDeconv, Upsample


@settings(max_examples=25, deadline=None)
@given(
    stride=st.integers(1, 4),
    extra=st.integers(0, 6),
    dimensions=st.sampled_from([1, 2]),
    extent=st.integers(1, 4),
    seed=st.integers(0, 2**31),
)
def test_a_constant_stays_constant_up_to_the_border(stride, extra, dimensions, extent, seed):
    torch.manual_seed(seed)
    up = Deconv(in_channels=3, out_channels=2, stride=stride, kernel=stride + extra, dimensions=dimensions)
    nn.init.normal_(up.weight)
    nn.init.normal_(up.bias)
    x = torch.randn(2, 3, *[1] * dimensions).expand(-1, -1, *[extent] * dimensions)
    y = up(x)
    assert y.shape[2:] == (extent * stride,) * dimensions
    flat = y.detach().flatten(2)
    assert float((flat - flat[..., :1]).abs().max()) < 1e-4


def test_every_polyphase_kernel_has_the_same_sum():
    up = Deconv(in_channels=5, out_channels=4, stride=2, kernel=5)
    kernel = up.projected()
    sums = torch.stack([kernel[..., i::2, j::2].sum((-1, -2)) for i in (0, 1) for j in (0, 1)])
    torch.testing.assert_close(sums, sums[:1].expand_as(sums))
    # Orthogonal, so projecting again changes nothing.
    torch.testing.assert_close(up.projection @ up.projection, up.projection)


def test_away_from_the_border_it_is_a_transposed_convolution():
    ours = Deconv(in_channels=3, out_channels=2)
    plain = PlainDeconv(in_channels=3, out_channels=2)
    plain.load_state_dict({"weight": ours.projected().detach(), "bias": ours.bias.detach()})
    x = torch.randn(1, 3, 6, 7)
    torch.testing.assert_close(ours(x)[..., 2:-2, 2:-2], plain(x)[..., 2:-2, 2:-2])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dimensions", [1, 2])
def test_one_interface(kind, dimensions):
    for stride, extent in ((1, 3), (2, 1), (3, 4)):
        up = Upsample(kind=kind, in_channels=3, out_channels=2, stride=stride, dimensions=dimensions)
        x = torch.randn(2, 3, *[extent] * dimensions)
        assert up(x).shape == (2, 2, *[stride * extent] * dimensions)
        least = [stride * (extent - 1) + 1] * dimensions
        torch.testing.assert_close(up(x, size=least), up(x)[(..., *[slice(n) for n in least])])
    with pytest.raises(ValueError, match="larger than"):
        up(x, size=[99] * dimensions)


def test_checkerboard_energy_in_the_fourier_domain():
    """After random weights the plain deconvolution has a peak at the upsampling frequencies; ours has none."""
    energy = {kind: [] for kind in KINDS}
    for seed in range(4):
        torch.manual_seed(seed)
        x = 1 + 0.3 * torch.randn(16, 8, 16, 16)
        for kind in KINDS:
            up = Upsample(kind=kind, in_channels=8, out_channels=3)
            for parameter in up.parameters():
                nn.init.normal_(parameter)
            energy[kind].append(checkerboard_energy(up(x).detach(), stride=2))
    assert max(energy["deconv"]) < 2
    assert max(energy["resize"]) < 2
    assert min(energy["deconv-plain"]) > 5
    assert min(energy["shuffle"]) > 5


def test_checkerboard_energy_refuses_small_pictures():
    with pytest.raises(ValueError, match="at least 8"):
        checkerboard_energy(torch.zeros(1, 1, 4, 4), stride=2)


def test_fused_computes_the_same():
    network = nn.Sequential(Upsample(in_channels=4, out_channels=3), nn.ReLU(), Deconv(in_channels=3, out_channels=2))
    x = torch.randn(1, 4, 5, 5)
    torch.testing.assert_close(fuse(network)(x), network(x), atol=1e-6, rtol=1e-6)


def test_variance_is_kept():
    torch.manual_seed(0)
    for kind in ("deconv", "deconv-plain"):
        y = Upsample(kind=kind, in_channels=64, out_channels=64, gain=2.0)(torch.randn(4, 64, 16, 16))
        assert 1.8 < float(y.detach().std()) < 2.2


def test_bad_arguments():
    with pytest.raises(ValueError, match="kind must be"):
        Upsample(kind="bilinear", in_channels=1, out_channels=1)
    with pytest.raises(ValueError, match="leaves holes"):
        Deconv(in_channels=1, out_channels=1, stride=3, kernel=2)
