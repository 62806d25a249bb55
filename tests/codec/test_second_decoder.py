"""The bitstream means what docs/format.md says: a decoder written from that page alone reads the same."""

import numpy as np
import pytest

from tests.codec.second_decoder import decode
from unpool.codec.api import compress_lossless
from unpool.images.picture import Picture


@pytest.mark.parametrize("quality", [1, 37.3, 100])
def test_lossy_pixels_agree(codec, weights, photo, quality):
    picture = Picture(photo[:50, :75])
    data = codec.compress(picture, quality, tile=64)
    samples, alpha = decode(data, weights)
    difference = np.abs(samples.astype(int) - codec.decompress(data).samples)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.01
    assert alpha is None


def test_lossy_grey_with_alpha(codec, weights, photo):
    picture = Picture(photo[:20, :33, :1], alpha=photo[:20, :33, 1])
    data = codec.compress(picture, 60)
    samples, alpha = decode(data, weights)
    assert np.abs(samples.astype(int) - codec.decompress(data).samples).max() <= 1
    assert (alpha == picture.alpha).all()


@pytest.mark.parametrize(
    ("shape", "depth"),
    [((1, 1, 1), 16), ((1, 9, 3), 8), ((21, 2, 1), 8), ((14, 19, 3), 16), ((128, 128, 1), 8)],
)
def test_lossless_samples_agree(photo, shape, depth):
    cut = np.tile(photo, (2, 2, 1))[: shape[0], : shape[1], : shape[2]]
    samples = cut if depth == 8 else cut.astype(np.uint16) * 257 ^ 0x0F3
    found, _ = decode(compress_lossless(Picture(np.ascontiguousarray(samples)), tile=256))
    assert (found == samples).all()
