"""Every member of the family keeps the one contract."""

import pytest
import torch
from torch import nn

from unpool.autoencoders.family import Contractive, Denoising, Dense, KSparse, Supervised, Variational
from unpool.autoencoders.model import Autoencoder, Pass
from unpool.autoencoders.quantised import VectorQuantised

SMALL = {"code": 6, "widths": [4, 8], "strides": [2, 2], "blocks": 0, "squeeze": 4}
MEMBERS = {
    "convolutional": lambda **m: Autoencoder(**SMALL, **m),
    "linear path": lambda **m: Autoencoder(**SMALL, grid=4, **m),
    "dense": lambda **m: Dense(code=6, widths=[10], **m),
    "denoising": lambda **m: Denoising(**SMALL, **m),
    "k-sparse": lambda **m: KSparse(active=2, **SMALL, **m),
    "contractive": lambda **m: Contractive(**SMALL, **m),
    "variational": lambda **m: Variational(**SMALL, grid=4, **m),
    "vector-quantised": lambda **m: VectorQuantised(entries=8, width=4, widths=[4, 8], strides=[2, 2], blocks=0, **m),
    "supervised": lambda **m: Supervised(classes=3, **SMALL, **m),
}


def make(name: str, **more) -> Autoencoder:
    torch.manual_seed(0)
    return MEMBERS[name](**({"size": (16, 16)} | more))


def pictures(network: Autoencoder, count: int = 10) -> torch.Tensor:
    return torch.rand(count, network.channels, *network.size, generator=torch.Generator().manual_seed(1))


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(2)


@pytest.mark.parametrize("name", MEMBERS)
def test_picture_to_code_to_picture(name):
    network = make(name).eval()
    picture = pictures(network)
    code = network.encode(picture)
    assert code.shape == (10, network.code)
    assert torch.equal(code, network.encode(picture))
    again, forwarded = network(picture)
    assert again.shape == picture.shape
    assert torch.equal(forwarded, code)
    torch.testing.assert_close(again, network.decode(code))


@pytest.mark.parametrize("name", MEMBERS)
def test_training_lowers_the_loss_and_repeats(name):
    def losses() -> list[float]:
        network = make(name).train()
        picture, label = pictures(network), torch.tensor([0, 1, 2, -1, 0, 1, 2, 0, 1, 2])
        optimiser = torch.optim.Adam(network.parameters(), 5e-3)
        values = []
        for step in range(25):
            made = network.training_pass(picture, torch.Generator().manual_seed(step), label)
            assert isinstance(made, Pass)
            assert all(term.dim() == 0 for term in made.penalties.values())
            error = (made.reconstruction - picture).square().mean()
            total = torch.stack([error, *made.penalties.values()]).sum()
            optimiser.zero_grad()
            total.backward()
            optimiser.step()
            values.append(float(error.detach()))
        assert all(p.grad is not None for p in network.parameters())
        return values

    first = losses()
    assert min(first[-5:]) < first[0]
    torch.manual_seed(0)
    assert losses() == first


@pytest.mark.parametrize("name", ["convolutional", "linear path", "dense", "variational", "vector-quantised"])
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (17, 32)])
def test_any_picture_size(name, size):
    network = make(name, size=size, channels=1).eval()
    picture = pictures(network, 2)
    assert network(picture)[0].shape == (2, 1, *size)


def test_k_sparse_keeps_the_largest():
    network = make("k-sparse")
    kept = network.sparse(torch.tensor([[1.0, -5.0, 2.0, 0.5, 3.0, 0.0]]))
    assert kept.tolist() == [[0.0, -5.0, 0.0, 0.0, 3.0, 0.0]]
    assert int((network.encode(pictures(network)) != 0).sum(1).max()) == 2
    with pytest.raises(ValueError, match="active"):
        KSparse(active=7, **SMALL)


def test_contraction_is_the_squared_norm_of_the_jacobian():
    network = make("contractive").eval()
    picture = network.corrupt(pictures(network, 1), generator())
    code = network.encode(picture)
    jacobian = torch.autograd.functional.jacobian(lambda x: network.encode(x)[0], picture)
    exact = float(jacobian.square().sum()) * network.contraction
    torch.manual_seed(0)
    drawn = [
        float(network.penalties(picture, network.encode(picture), None)["contraction"].detach()) for _ in range(400)
    ]
    assert code.requires_grad
    assert sum(drawn) / len(drawn) == pytest.approx(exact, rel=0.2)


def test_divergence_is_the_textbooks():
    network = make("variational")
    mean, log_variance = torch.randn(5, 6), torch.randn(5, 6).clamp(-2, 2)
    _, penalties = network.bottleneck(torch.cat([mean, log_variance], 1), generator())
    posterior = torch.distributions.Normal(mean, (log_variance / 2).exp())
    wanted = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0)).sum(1).mean()
    torch.testing.assert_close(penalties["divergence"], network.beta * wanted)
    assert network.sample(3, generator()).shape == (3, 3, 16, 16)


def test_free_bits_cost_nothing_below_their_floor():
    torch.manual_seed(0)
    network = Variational(free_bits=0.5, beta=1.0, size=(16, 16), **SMALL)
    _, penalties = network.bottleneck(torch.zeros(4, 12), generator())
    assert float(penalties["divergence"]) == pytest.approx(6 * 0.5)


def test_quantised_codes_are_numbers_of_entries():
    network = make("vector-quantised").eval()
    code = network.encode(pictures(network))
    assert code.dtype == torch.int64
    assert 0 <= int(code.min()) <= int(code.max()) < 8
    with torch.no_grad():
        features = network.head(pictures(network))
        far = (features[:, :, None] - network.book).square().sum(-1)
    assert torch.equal(code, far.argmin(-1))


def test_margin_makes_the_head_harder():
    torch.manual_seed(0)
    code, label = torch.randn(6, 6), torch.tensor([0, 1, 2, 0, 1, -1])
    values = []
    for margin in (0.0, 0.3):
        torch.manual_seed(1)
        network = Supervised(classes=3, margin=margin, **SMALL)
        values.append(float(network.penalties(torch.zeros(1), code, label)["head"].detach()))
    assert values[1] > values[0]
    with pytest.raises(ValueError, match="labels"):
        network.penalties(torch.zeros(1), code, None)


def test_the_linear_path_starts_at_pca():
    generator = torch.Generator().manual_seed(3)
    basis = torch.randn(4, 3 * 16 * 16, generator=generator)
    rows = torch.randn(200, 4, generator=generator) @ basis * 0.02 + 0.5
    picture = torch.nn.functional.interpolate(rows.view(200, 3, 16, 16), (4, 4), mode="area")
    picture = torch.nn.functional.interpolate(picture, (16, 16), mode="bilinear")
    torch.manual_seed(0)
    network = Autoencoder(size=(16, 16), grid=4, **SMALL).eval()
    before = float((network(picture)[0] - picture).square().mean().detach())
    network.start_linear(picture)
    again, code = network(picture)
    assert float((again - picture).square().mean().detach()) < 0.02 * before
    torch.testing.assert_close(torch.cov(code[:, :4].T), torch.eye(4), atol=0.05, rtol=0)
    with pytest.raises(ValueError, match="grid"):
        make("convolutional").start_linear(picture)


def test_supervised_starts_at_discriminants():
    generator = torch.Generator().manual_seed(4)
    label = torch.arange(5).repeat_interleave(20)
    centre, spread = torch.randn(5, 12, generator=generator) * 0.2, torch.randn(100, 12, generator=generator)
    noise = spread * torch.linspace(0.3, 0.02, 12)
    rows = 0.5 + centre[label] + noise
    picture = torch.zeros(100, 3, 16, 16) + rows.view(100, 3, 2, 2).repeat_interleave(8, 2).repeat_interleave(8, 3)
    torch.manual_seed(0)
    network = Supervised(size=(16, 16), grid=2, classes=5, **(SMALL | {"code": 3})).eval()
    network.start_linear(picture, label)
    code = network.encode(picture)
    alike = nn.functional.normalize(code, dim=1) @ nn.functional.normalize(network.directions, dim=1).T
    assert float((alike.argmax(1) == label).float().mean()) > 0.9
