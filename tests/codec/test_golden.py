"""Files that must decode to the same latents and samples for ever, by both decoders."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from tests.codec.second_decoder import decode
from unpool.codec import api, container
from unpool.codec.tiling import latent_size
from unpool.zoo.weights import locate

FOLDER = Path(__file__).parent.parent / "golden" / "codec"
EXPECTED = json.loads((FOLDER / "checksums.json").read_text())


def digest(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def latents_digest(data):
    """Of the latents of all tiles."""
    parsed = container.parse(data)
    header, coder = parsed.header, api.codec_of(parsed.header.identity).coder
    tiles = [
        coder.decode(parsed.tile(number), latent_size(*header.box(number)[2:]), header.tenths).numpy().reshape(-1)
        for number in range(header.tiles)
    ]
    return digest(np.concatenate(tiles))


@pytest.mark.parametrize("name", [name for name in EXPECTED if name.startswith("lossless")])
def test_lossless_files(name):
    data = (FOLDER / name).read_bytes()
    samples, alpha = decode(data)
    picture = api.decompress(data)
    assert digest(picture.samples) == EXPECTED[name] == digest(samples.astype(picture.samples.dtype))
    assert alpha is None or (alpha == picture.alpha).all()


@pytest.mark.parametrize("name", [name for name in EXPECTED if name.startswith("lossy")])
def test_lossy_files(name):
    data = (FOLDER / name).read_bytes()
    assert latents_digest(data) == EXPECTED[name]
    samples, _ = decode(data, locate(api.MODEL))
    assert np.abs(samples.astype(int) - api.decompress(data).samples).max() <= 1
