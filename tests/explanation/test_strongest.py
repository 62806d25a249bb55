"""The strongest places of channels whose answer is known, in one pass whose memory does not grow with the pictures."""

import numpy as np
import pytest
import torch
from torch import nn

from unpool.errors import ModelError
from unpool.explanation.strongest import top_activations


def red_and_green() -> nn.Sequential:
    """Channel 0 is red, channel 1 is green, pooled by switches; a head behind it."""
    conv = nn.Conv2d(3, 2, 1, bias=False)
    with torch.no_grad():
        conv.weight.copy_(torch.tensor([[1.0, 0, 0], [0, 1, 0]]).view(2, 3, 1, 1))
    return nn.Sequential(conv, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(2 * 4 * 5, 3))


def spotted(count: int) -> list[np.ndarray]:
    """Picture n has one red pixel of brightness n at row n % 8, and one green one of brightness 200 - n."""
    pictures = []
    for n in range(count):
        picture = np.zeros((8, 10, 3), np.uint8)
        picture[n % 8, 3, 0] = n + 1
        picture[5, n % 10, 1] = 200 - n
        pictures.append(picture)
    return pictures


@pytest.mark.parametrize("batch", [1, 7])
def test_places_and_projections(batch: int) -> None:
    found = top_activations(red_and_green(), "2", spotted(20), k=3, batch=batch)
    assert found.seen == 20
    assert found.numbers.tolist() == [[19, 18, 17], [0, 1, 2]]
    torch.testing.assert_close(found.values[0] * 255, torch.tensor([20.0, 19, 18]))
    assert found.rows[0].tolist() == [(n % 8) // 2 for n in (19, 18, 17)]
    assert found.columns[1].tolist() == [0, 0, 1]
    for rank, (map_, seen) in enumerate(found.maps(0)):
        n = 19 - rank
        expected = torch.zeros(3, 8, 10)
        expected[0, n % 8, 3] = 1
        assert torch.equal(map_, expected)  # unpooled to the very pixel
        assert seen.samples[n % 8, 3, 0] == n + 1
    patches, projected = found.figure(1)
    assert (patches.height, patches.width) == (projected.height, projected.width)
    assert found.strongest_channels() == [1, 0]


def test_fewer_pictures_than_places_and_dense_layers() -> None:
    found = top_activations(red_and_green(), "4", spotted(2), k=5)
    assert found.values[:, 2:].isinf().all()
    assert len(list(found.maps(1))) == 2


def test_mistakes() -> None:
    with pytest.raises(ModelError, match="no pictures"):
        top_activations(red_and_green(), "2", [])
    with pytest.raises(ModelError, match="no layer '9'"):
        top_activations(red_and_green(), "9", spotted(1))
