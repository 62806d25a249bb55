"""Refined codes: nearer to their pictures, never farther, and the network untouched."""

import numpy as np
import pytest
import torch

import unpool
from unpool.autoencoders.model import Autoencoder
from unpool.autoencoders.refining import refined
from unpool.errors import ModelError
from unpool.generation.api import generate


def errors(network, pictures, codes):
    with torch.no_grad():
        return (network.decode(codes) - pictures).square().flatten(1).mean(1)


@pytest.mark.parametrize("steps", [0, 1, 6])
def test_no_code_gets_worse_and_weights_stay(steps):
    torch.manual_seed(0)
    network = Autoencoder(size=(12, 9), code=5, widths=[6, 8], strides=[2, 2], blocks=0, squeeze=4, grid=4).eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    pictures = torch.rand(4, 3, 12, 9)
    with torch.inference_mode():
        codes = network.encode(pictures)
        found = refined(network, pictures, codes, steps)
    assert found.shape == codes.shape
    assert (errors(network, pictures, found) <= errors(network, pictures, codes) + 1e-7).all()
    assert torch.equal(found, codes) == (steps == 0)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_faces_are_reconstructed_better():
    coder = unpool.load("autoencoders/faces", device="cpu")
    faces = generate("faces", n=3, seed=0)
    plain, better = coder.encode(faces), coder.encode(faces, refine=8)
    wanted = torch.cat([coder.prepare(face) for face in faces])
    apart = [(coder.decode_tensor(codes) - wanted).square().mean() for codes in (plain, better)]
    assert apart[1] < 0.97 * apart[0]
    assert plain.dtype == better.dtype == np.float32
    with pytest.raises(ModelError, match="refine is -1"):
        coder.encode(faces, refine=-1)
