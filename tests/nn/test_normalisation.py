import pytest
import torch

from unpool.nn.normalisation import GDN


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("size", [(5,), (4, 3)])
def test_formula(power, size):
    torch.manual_seed(0)
    norm, inverse = GDN(channels=6, power=power), GDN(channels=6, power=power, inverse=True)
    x = torch.randn(2, 6, *size)
    gamma, beta = norm.root_gamma.square(), norm.root_beta.square() + 1e-6
    pooled = torch.einsum("ij,nj...->ni...", gamma, x.abs() ** power) + beta.view(1, 6, *[1] * len(size))
    torch.testing.assert_close(norm(x), x / pooled ** (1 / power))
    torch.testing.assert_close(inverse(x), x * pooled ** (1 / power))


@pytest.mark.parametrize("inverse", [False, True])
def test_stays_defined_under_wild_steps(inverse):
    torch.manual_seed(0)
    norm = GDN(channels=4, inverse=inverse)
    optimiser = torch.optim.SGD(norm.parameters(), lr=10.0)
    for _ in range(20):
        optimiser.zero_grad()
        norm(torch.randn(2, 4, 3, 3)).square().clamp(max=1e3).mean().backward()
        optimiser.step()
    x = torch.cat([torch.zeros(1, 4, 3, 3), torch.full((1, 4, 3, 3), 1e4)])
    assert torch.isfinite(norm(x)).all() or inverse
    assert torch.isfinite(norm(x[:1])).all()


def test_half_precision_does_not_overflow():
    y = GDN(channels=4)(torch.full((1, 4, 2, 2), 2000.0, dtype=torch.float16))
    assert y.dtype == torch.float16
    assert torch.isfinite(y).all()


def test_power_is_one_or_two():
    with pytest.raises(ValueError, match="power"):
        GDN(channels=1, power=3)
