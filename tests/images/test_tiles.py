"""A tiled run equals a whole run, at any size, and a global operation is refused."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from unpool.images.tiles import receptive_field, spans, tiled


class Upscaler(nn.Module):
    """Six 3x3 convolutions with zero padding, one deconvolution up."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), *[m for _ in range(5) for m in (nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1))]
        )
        self.up = nn.ConvTranspose2d(8, 3, 4, stride=2, padding=1)

    def forward(self, x):
        return self.up(self.body(x))


class Strided(nn.Module):
    """Down by four and up again; pads what is not divisible at the right and the bottom."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.down = nn.Sequential(nn.Conv2d(1, 8, 5, 2, 2), nn.GELU(), nn.Conv2d(8, 8, 5, 2, 2), nn.GELU())
        self.up = nn.Sequential(nn.ConvTranspose2d(8, 8, 4, 2, 1), nn.GELU(), nn.ConvTranspose2d(8, 1, 4, 2, 1))

    def forward(self, x):
        height, width = x.shape[-2:]
        padded = nn.functional.pad(x, (0, -width % 4, 0, -height % 4), mode="replicate")
        return self.up(self.down(padded))[..., :height, :width]


@pytest.fixture(scope="module")
def upscaler():
    return Upscaler().eval()


def test_the_view_is_measured(upscaler):
    assert receptive_field(upscaler, 3, scale=2) == 7  # six convolutions, and the deconvolution reaches one more
    assert receptive_field(nn.Conv2d(1, 1, 7, padding=3), 1) == 3
    assert receptive_field(nn.Sequential(*[nn.Conv2d(1, 1, 9, padding=4) for _ in range(20)]), 1) == 80


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 40))
def test_tiled_equals_whole(height, width, tile):
    network = Upscaler().eval()
    picture = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(height))
    with torch.inference_mode():
        whole = network(picture)
        pieces = tiled(network, picture, scale=2, tile=tile, margin=7)
    torch.testing.assert_close(pieces, whole, atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [(64, 64), (61, 75), (3, 90)])
def test_strided_networks_keep_their_grid(size):
    network = Strided().eval()
    margin = receptive_field(network, 1, multiple=4)
    picture = torch.rand(1, 1, *size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        whole, pieces = network(picture), tiled(network, picture, tile=18, margin=margin, multiple=4)
    torch.testing.assert_close(pieces, whole, atol=1e-5, rtol=0)


def test_in_bfloat16(upscaler):
    network = Upscaler().eval().bfloat16()
    picture = torch.rand(1, 3, 40, 50, generator=torch.Generator().manual_seed(0)).bfloat16()
    with torch.inference_mode():
        whole, pieces = network(picture), tiled(network, picture, scale=2, tile=16, margin=7)
    torch.testing.assert_close(pieces, whole, atol=1 / 255, rtol=0)


def test_a_margin_one_short_shows(upscaler):
    picture = torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert not torch.equal(tiled(upscaler, picture, scale=2, tile=10, margin=5), upscaler(picture))


class Excite(nn.Module):
    def forward(self, x):
        return x * x.mean((-2, -1), keepdim=True).sigmoid()


@pytest.mark.parametrize("network", [Excite(), nn.InstanceNorm2d(3), lambda x: x - x.amax((2, 3), keepdim=True)])
def test_global_operations_are_refused(network):
    with pytest.raises(ValueError, match="global operation"):
        receptive_field(network, 3)


def test_a_network_that_hides_nan_is_named():
    with pytest.raises(ValueError, match="margin yourself"):
        receptive_field(lambda x: x.nan_to_num(), 1)


def test_a_wrong_scale_is_named(upscaler):
    with pytest.raises(ValueError, match="not 4 times"):
        tiled(upscaler, torch.zeros(1, 3, 8, 8), scale=4, tile=8, margin=7)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 500), st.integers(1, 200), st.integers(0, 60), st.integers(1, 16))
def test_spans_cover_once_and_keep_the_grid(length, tile, margin, multiple):
    cut = spans(length, tile, margin, multiple)
    assert [position for span in cut for position in range(span.first, span.last)] == list(range(length))
    for span in cut:
        assert span.start % multiple == 0
        assert span.start == 0 or span.first - span.start >= margin
        assert span.stop == length or (span.stop - span.last >= margin and span.stop % multiple == 0)
