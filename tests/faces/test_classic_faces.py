"""The documents' face network: two heads on one encoder, of which one does not ship."""

import pytest
import torch

from unpool.faces.classic import FaceDeconv


def test_two_heads_on_one_encoder():
    network = FaceDeconv(people=200)
    picture = torch.rand(2, 3, 64, 64)
    again, names = network.both(picture)
    assert again.shape == picture.shape
    assert names.shape == (2, 200)
    torch.testing.assert_close(again, network(picture))


def test_pooled_features_keep_the_naming_head_small():
    named, bare = (sum(p.numel() for p in FaceDeconv(people=people).parameters()) for people in (200, 0))
    assert named - bare == 8 * 8 * 64 * 200 + 200
    assert 60 * 60 * 64 * 200 > 46e6  # weights of the head that the documents flatten into


def test_without_people_there_is_nobody_to_name():
    network = FaceDeconv()
    assert not [name for name in network.state_dict() if name.startswith("head")]
    with pytest.raises(ValueError, match="without people"):
        network.both(torch.rand(1, 3, 8, 8))
