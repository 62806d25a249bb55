"""Scores whose values are known by construction."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

import unpool
from tests.explanation.networks import Residual
from unpool.explanation.honesty import curves, randomised, spearman
from unpool.explanation.run import Run
from unpool.explanation.shadow import shadow
from unpool.explanation.targets import Custom


def test_spearman_equals_scipy_with_ties() -> None:
    a, b = torch.randn(40).round(decimals=1), torch.randn(40).round(decimals=1)
    assert spearman(a, b) == pytest.approx(spearmanr(a.numpy(), b.numpy()).statistic)
    assert spearman(a, a * 3 + 1) == pytest.approx(1)
    assert spearman(torch.ones(5), torch.rand(5)) == 0


class Corner(nn.Module):
    """The mean of the top left quarter, whatever else there is."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 1, 8, 8) -> (N, 1)."""
        return x[..., :4, :4].mean((2, 3))


def test_insertion_and_deletion_of_a_map_that_is_right_and_one_that_is_wrong() -> None:
    x = torch.zeros(1, 1, 8, 8)
    x[..., :4, :4] = torch.rand(4, 4) + 5
    x[..., 4:, 4:] = -5
    right = torch.zeros(1, 8, 8)
    right[:, :4, :4] = torch.rand(4, 4) + 1
    target = Custom(lambda y: y[:, 0])
    inserted, deleted = curves(Run(shadow(Corner()), x, [target]), right, steps=16)
    # A quarter of the pixels holds the whole answer: everything is there, or gone, after four of sixteen steps.
    np.testing.assert_allclose(inserted[4:], 1, atol=1e-5)
    np.testing.assert_allclose(deleted[4:], 0, atol=1e-5)
    assert inserted[0] == pytest.approx(0)
    assert deleted[0] == pytest.approx(1)
    inserted, deleted = curves(Run(shadow(Corner()), x, [target]), 1 / (1 + right), steps=16)
    np.testing.assert_allclose(inserted[:13], 0, atol=1e-5)
    np.testing.assert_allclose(deleted[:13], 1, atol=1e-5)


def test_randomisation_goes_from_the_last_layer_down() -> None:
    net = Residual().eval()
    twins = randomised([shadow(net) for _ in range(4)])
    names = ["head", "b", "a", "stem"]
    for changed, twin in enumerate(twins, 1):
        for position, name in enumerate(names):
            same = torch.equal(twin.get_submodule(name).weight, net.get_submodule(name).weight)
            assert same == (position >= changed)
            assert torch.equal(
                twin.get_submodule(name).weight.flatten().sort().values,
                net.get_submodule(name).weight.flatten().sort().values,
            )


def test_honesty_of_an_explanation() -> None:
    net = Residual().eval()
    found = unpool.explain(net, torch.rand(2, 3, 16, 16), method="gradient")
    scores = found.honesty(1, steps=8, stages=3)
    assert len(scores.stages) == 3
    assert len(scores.insertion_curve) == len(scores.deletion_curve) == 9
    assert -1 <= scores.randomisation <= 1
    assert 0 <= scores.deletion <= 1
    probability = found.top[1][0][1]
    assert scores.insertion_curve[-1] == pytest.approx(probability, rel=1e-4)
    assert scores.deletion_curve[0] == pytest.approx(probability, rel=1e-4)
    assert found.honesty(1, steps=8, stages=3) == scores
    constant = unpool.explain(net, torch.rand(1, 3, 16, 16), layer="b", target=2).honesty(steps=4, stages=2)
    assert constant.insertion_curve[-1] == pytest.approx(1)
    assert unpool.explain(net, torch.rand(1, 3, 16, 16), method="grad-cam").honesty(steps=4, stages=2).stages
