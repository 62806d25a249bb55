"""The flow between standard normal latents and codes."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unpool.generation.model import Generator
from unpool.generation.prior import Prior, fit


def _stirred(length, layers, seed=0):
    torch.manual_seed(seed)
    prior = Prior(length=length, layers=layers, hidden=8)
    for parameter in prior.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return prior.double()


@given(st.integers(2, 9), st.integers(1, 8), st.integers(0, 50))
def test_there_and_back_is_the_same(length, layers, seed):
    prior = _stirred(length, layers, seed)
    latent = torch.randn(5, length, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        assert torch.allclose(prior.latent(prior(latent))[0], latent, atol=1e-6)


def test_likelihoods_are_those_of_the_volume_it_stretches():
    prior = _stirred(4, 5)
    code = torch.randn(4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    stretched = torch.autograd.functional.jacobian(lambda one: prior.latent(one[None])[0][0], code)
    latent, likelihood = prior.latent(code[None])
    normal = torch.distributions.Normal(0.0, 1.0).log_prob(latent).sum()
    assert torch.allclose(likelihood[0], normal + stretched.det().abs().log())


def test_it_begins_as_the_identity():
    latent = torch.randn(3, 6)
    prior = Prior(length=6, layers=4, hidden=8)
    assert torch.equal(prior(latent), latent)
    assert torch.equal(Generator(latent=6, prior=4).prior(latent), latent)


def test_two_clusters_are_learned_and_drawn_again():
    generator = torch.Generator().manual_seed(0)
    side = torch.sign(torch.randn(2000, 1, generator=generator))
    codes = torch.cat([side, -side, side], 1) + 0.2 * torch.randn(2000, 3, generator=generator)
    torch.manual_seed(0)
    prior = Prior(length=3, layers=6, hidden=32)
    before = float(prior.latent(codes)[1].mean().detach())
    fit(prior, codes, steps=300, jitter=0.05)
    with torch.no_grad():
        assert float(prior.latent(codes)[1].mean()) > before + 1
        drawn = prior(torch.randn(1000, 3, generator=generator))
    assert float((drawn[:, 0] * drawn[:, 1] < 0).float().mean()) > 0.9
    assert float((drawn[:, 0] > 0).float().mean()) == pytest.approx(0.5, abs=0.1)
