"""Methods on functions whose maps are known by construction."""

import pytest
import torch
from torch import nn

import unpool
from unpool.errors import ModelError
from unpool.explanation.methods import METHODS, options_of


class Weighed(nn.Module):
    """Class 0 is the picture weighed pixel by pixel; class 1 the same of the squares: both know their own maps."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, 3, 6, 6, generator=torch.Generator().manual_seed(0)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 3, 6, 6) -> (N, 2)."""
        return torch.stack([(x * self.weight).sum((1, 2, 3)), (x**2 * self.weight).sum((1, 2, 3))], 1)


@pytest.fixture
def net() -> Weighed:
    return Weighed()


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(1))


def explained(net: nn.Module, x: torch.Tensor, target: int, method: str, **options) -> torch.Tensor:
    return unpool.explain(net, x, target=target, method=method, **options).maps


def test_gradient_and_gradient_x_input(net, x) -> None:
    torch.testing.assert_close(explained(net, x, 1, "gradient"), 2 * x * net.weight.detach())
    torch.testing.assert_close(explained(net, x, 1, "gradient-x-input"), 2 * x * x * net.weight.detach())


def test_integrated_gradients(net, x) -> None:
    w = net.weight.detach()
    torch.testing.assert_close(explained(net, x, 1, "integrated-gradients", steps=3), x**2 * w)
    baseline = torch.full((1, 3, 6, 6), 0.5)
    torch.testing.assert_close(
        explained(net, x, 1, "integrated-gradients", steps=4, baseline=baseline), (x**2 - 0.25) * w
    )


def test_integrated_gradients_sum_to_the_difference() -> None:
    from tests.explanation.networks import Residual

    net, x = Residual().eval().double(), torch.rand(2, 3, 16, 16, dtype=torch.float64)
    maps = explained(net, x, 1, "integrated-gradients", steps=200)
    with torch.no_grad():
        difference = net(x)[:, 1] - net(torch.zeros_like(x))[:, 1]
    torch.testing.assert_close(maps.sum((1, 2, 3)), difference, rtol=1e-2, atol=1e-4)


def test_smoothgrad(net, x) -> None:
    w = net.weight.detach()
    torch.testing.assert_close(explained(net, x, 0, "smoothgrad", samples=3), w.expand_as(x))
    once = explained(net, x, 1, "smoothgrad", samples=4, seed=3)
    assert torch.equal(once, explained(net, x, 1, "smoothgrad", samples=4, seed=3))
    assert not torch.equal(once, explained(net, x, 1, "smoothgrad", samples=4, seed=4))
    torch.testing.assert_close(explained(net, x, 1, "smoothgrad", samples=2, noise=0), 2 * x * w)


def test_occlusion(net, x) -> None:
    w = net.weight.detach()
    single = explained(net, x, 0, "occlusion", window=1, stride=1)
    torch.testing.assert_close(single, (x * w).sum(1, keepdim=True))
    blocks = explained(net, x, 1, "occlusion", window=3, stride=3, batch=3)
    sums = torch.nn.functional.avg_pool2d((x**2 * w).sum(1, keepdim=True), 3) * 9
    torch.testing.assert_close(blocks, sums.repeat_interleave(3, 2).repeat_interleave(3, 3))
    covered = explained(net, x, 0, "occlusion", window=4, stride=4, baseline=x)
    torch.testing.assert_close(covered, torch.zeros_like(covered), atol=1e-5, rtol=0)


def test_methods_that_ask_often_keep_the_class_of_the_first_answer() -> None:
    """Without a target the class is the unchanged picture's, also where noise or cover would change the winner."""

    class Flips(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            """(N, 1, 4, 4) -> (N, 2): class 0 is the first pixel, class 1 a constant just below it."""
            first = x[:, 0, 0, 0]
            return torch.stack([first, torch.full_like(first, 0.9)], 1)

    x = torch.zeros(1, 1, 4, 4)
    x[..., 0, 0] = 1
    for method, expected in (("occlusion", 1.0), ("integrated-gradients", 1.0), ("smoothgrad", 1.0)):
        options = {"window": 1} if method == "occlusion" else {}
        found = unpool.explain(Flips(), x, method=method, **options)
        assert found.target.index == (0,)
        torch.testing.assert_close(found.maps[0, 0, 0, 0], torch.tensor(expected))


def test_options_are_checked(net, x) -> None:
    assert options_of("smoothgrad") == {"samples": 25, "noise": 0.15, "seed": 0}
    for method, option in (("smoothgrad", "samples"), ("integrated-gradients", "steps"), ("occlusion", "batch")):
        with pytest.raises(ModelError, match="at least 1"):
            explained(net, x, 0, method, **{option: 0})
    assert set(METHODS) == {
        "deconvnet", "guided", "gradient", "grad-cam",
        "gradient-x-input", "integrated-gradients", "smoothgrad", "occlusion",
    }  # fmt: skip
