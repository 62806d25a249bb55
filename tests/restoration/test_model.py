"""The restorer's shapes, its start as the identity, and its branches merged."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unpool.images.tiles import receptive_field
from unpool.nn.blocks import fuse
from unpool.restoration.model import Restorer
from unpool.restoration.network import TiledNetwork

from .conftest import restorer


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 19), st.integers(1, 19), st.sampled_from([(1, 1), (1, 2), (2, 1), (3, 1), (4, 1)]))
def test_any_size(height, width, factors):
    scale, down = factors
    network = Restorer(scale=scale, down=down, channels=4, blocks=1)
    picture = torch.rand(2, 3, height, width)
    with torch.inference_mode():
        result = network(picture)
    assert result.shape == (2, 3, height * scale, width * scale)
    if scale == 1:
        torch.testing.assert_close(result, picture)  # untrained: the identity


def test_branches_merge_into_the_same_function():
    network = restorer(scale=4, reparameterised=True)
    plain = Restorer(scale=4, channels=8, blocks=2)
    merged = fuse(network)
    plain.load_state_dict(merged.state_dict())
    picture = torch.rand(1, 3, 12, 17)
    with torch.inference_mode():
        torch.testing.assert_close(merged(picture), network(picture), atol=1e-5, rtol=0)
        torch.testing.assert_close(plain(picture), network(picture), atol=1e-5, rtol=0)


def test_shipped_sizes_stay_small():
    assert sum(p.numel() for p in Restorer(scale=4, channels=48, blocks=6).parameters()) < 300_000
    assert sum(p.numel() for p in Restorer(down=2, channels=48, blocks=6).parameters()) < 400_000


@pytest.mark.parametrize(("config", "view"), [({"scale": 4}, 6), ({"down": 2}, 11)])
def test_view(config, view):
    network = restorer(**config)
    assert receptive_field(network, 3, scale=network.scale, multiple=network.down) == view


@pytest.mark.parametrize("config", [{"scale": 4}, {"scale": 3}, {"down": 2}, {}])
def test_tiled_equals_whole(config, small_tiles, float32):
    network = restorer(**config)
    picture = torch.rand(1, 3, 61, 50)
    tiles = TiledNetwork(network, torch.device("cpu"))
    assert (tiles.scale, tiles.multiple) == (config.get("scale", 1), config.get("down", 1))
    with torch.inference_mode():
        torch.testing.assert_close(tiles(picture), network(picture), atol=1e-5, rtol=0)


def test_wrong_numbers_are_refused():
    with pytest.raises(ValueError, match="at least 1"):
        Restorer(scale=0)
