import math

import torch

from unpool.generation.loss import critic_loss, evidence_bound, generator_loss, gradient_penalty, log_spectrum


def test_relativistic_losses_oppose_each_other():
    real, fake = torch.tensor([2.0, 1.0]), torch.tensor([0.0, 3.0])
    expected = (math.log1p(math.exp(-2)) + math.log1p(math.exp(2))) / 2
    torch.testing.assert_close(critic_loss(real, fake), torch.tensor(expected))
    torch.testing.assert_close(generator_loss(real, fake), critic_loss(fake, real))
    assert critic_loss(real + 5, fake) < critic_loss(real, fake)


def test_penalty_is_the_squared_gradient_and_can_be_trained_on():
    weight = torch.tensor([3.0, 4.0], requires_grad=True)
    pictures = torch.randn(5, 2, requires_grad=True)
    penalty = gradient_penalty(pictures @ weight, pictures)
    torch.testing.assert_close(penalty, torch.tensor(25.0))
    penalty.backward()
    torch.testing.assert_close(weight.grad, torch.tensor([6.0, 8.0]))


def test_the_spectrum_shows_a_pattern_and_not_brightness():
    noise = torch.rand(50, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    stripes = 0.2 * (torch.arange(16) % 2 * 2.0 - 1)  # the highest frequency along the width
    plain, striped = log_spectrum(noise), log_spectrum(noise + stripes)
    assert plain.shape == (3, 16, 9)
    assert int((striped - plain).mean(0).argmax()) == 8
    assert float((striped - plain)[:, 4:12, :6].abs().max()) < 0.1
    torch.testing.assert_close(log_spectrum(noise + 0.3), plain, atol=1e-3, rtol=1e-3)


def test_evidence_bound():
    x = torch.zeros(2, 1, 2, 2)
    at_prior = evidence_bound(x, x, torch.zeros(2, 3), torch.zeros(2, 3), sigma=0.1)
    torch.testing.assert_close(at_prior, torch.tensor(0.0))
    off = evidence_bound(x, x + 0.1, torch.ones(2, 3), torch.zeros(2, 3), sigma=0.1)
    torch.testing.assert_close(off, torch.tensor((4 * 0.5 + 3 * 0.5) / 4))
