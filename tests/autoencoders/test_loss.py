import pytest
import torch
from skimage.metrics import structural_similarity

from unpool.autoencoders.loss import Perceptual, cross_entropy, log_mean_squared_error, mean_squared_error, structural
from unpool.zoo.weights import load_module


@pytest.mark.parametrize("loss", [mean_squared_error, log_mean_squared_error, cross_entropy, structural])
def test_the_picture_itself_is_the_best_reconstruction(loss):
    torch.manual_seed(0)
    picture = torch.rand(2, 3, 16, 16)
    best = loss(picture, picture)
    for other in (picture.flip(-1), picture + 0.1, picture * 0.5, picture * 3 - 1):
        assert loss(other, picture) > best


def test_cross_entropy_is_the_formula():
    p, x = torch.tensor([[0.2, 0.9]]), torch.tensor([[0.0, 1.0]])
    wanted = -(torch.log(torch.tensor(0.8)) + torch.log(torch.tensor(0.9))) / 2
    torch.testing.assert_close(cross_entropy(p, x), wanted)


def test_cross_entropy_pulls_values_back_from_outside():
    p = torch.tensor([[1.5, -0.5]], requires_grad=True)
    cross_entropy(p, torch.tensor([[1.0, 0.0]])).backward()
    assert p.grad[0, 0] > 0 > p.grad[0, 1]


def test_structural_is_near_scikit_images():
    torch.manual_seed(0)
    picture = torch.nn.functional.interpolate(torch.rand(1, 1, 8, 8), (64, 64), mode="bicubic").clamp(0, 1)
    noisy = (picture + 0.1 * torch.randn_like(picture)).clamp(0, 1)
    wanted = structural_similarity(picture[0, 0].numpy(), noisy[0, 0].numpy(), data_range=1.0)
    assert 1 - float(structural(noisy, picture)) == pytest.approx(wanted, abs=0.05)


def test_perceptual_compares_features_and_trains_nothing():
    loss = Perceptual(load_module("efficientnet-lite0")[0])
    assert not list(loss.parameters())
    assert not loss.state_dict()
    torch.manual_seed(0)
    picture = torch.rand(1, 3, 32, 32)
    made = (picture + 0.1 * torch.randn_like(picture)).requires_grad_()
    assert float(loss(picture, picture)) == 0
    value = loss(made, picture)
    value.backward()
    assert float(value.detach()) > 0
    assert made.grad.abs().sum() > 0
