"""A small codec with random weights, and pictures: what most tests of the codec need."""

import numpy as np
import pytest
import torch

from unpool.codec.api import PictureCodec
from unpool.codec.integer import packed_state
from unpool.codec.model import Codec
from unpool.zoo.record import Record
from unpool.zoo.weights import load_module, save

CONFIG = {
    "channels": 12,
    "slices": [4, 4, 8],
    "hyper": 4,
    "width": 8,
    "analysis_blocks": 1,
    "synthesis_blocks": 2,
    "low_blocks": 1,
    "anchors": 3,
}


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """A weight file of a small codec whose every layer says something."""
    torch.manual_seed(3)
    codec = Codec(**CONFIG)
    with torch.no_grad():
        for network in codec.passes:
            network.head.weight.mul_(2)
        codec.hyper_synthesis.quality_bias.normal_()
        codec.analysis.down.weight.mul_(3)
    path = tmp_path_factory.mktemp("codec") / "small.safetensors"
    shipped = Codec(**CONFIG, packed=True)
    shipped.load_state_dict(packed_state(codec))
    config = CONFIG | {"packed": True}
    save(path, shipped, Record(name="codec/small", task="codec", network="unpool.codec.model:Codec", config=config))
    return path


@pytest.fixture(scope="session")
def codec(weights):
    module, record = load_module(weights)
    return PictureCodec(module, record)


@pytest.fixture(scope="session")
def photo():
    """A smooth picture with some texture, uint8 (80, 112, 3)."""
    rng = np.random.default_rng(1)
    rows, columns = np.mgrid[:80, :112]
    waves = [128 + 90 * np.sin(rows / a + columns / b) for a, b in ((9, 17), (13, 8), (21, 30))]
    return np.clip(np.stack(waves, -1) + rng.normal(0, 6, (80, 112, 3)), 0, 255).astype(np.uint8)
