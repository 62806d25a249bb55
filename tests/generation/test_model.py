import pytest
import torch

from unpool.generation.model import Critic, Generator, LatentEncoder
from unpool.nn.deconv import KINDS
from unpool.zoo.export import export
from unpool.zoo.record import Record

TABLES = {"widths": (4, 6), "strides": (2, 2)}


@pytest.mark.parametrize("upsample", KINDS)
@pytest.mark.parametrize("size", [(28, 28), (7, 10), (50,)])
def test_shapes(upsample, size):
    generator = Generator(latent=5, classes=3, size=size, channels=2, upsample=upsample, **TABLES)
    critic = Critic(classes=3, size=size, channels=2, **TABLES)
    encoder = LatentEncoder(latent=5, size=size, channels=2, **TABLES)
    label = torch.tensor([0, 1, 2, 1])
    made = generator(torch.randn(4, 5), label)
    assert made.shape == (4, 2, *size)
    assert critic(made, label).shape == (4,)
    mean, log_variance = encoder(made)
    assert mean.shape == log_variance.shape == (4, 5)


def test_the_class_matters():
    generator = Generator(latent=5, classes=2, size=(8, 8), **TABLES)
    critic = Critic(classes=2, size=(8, 8), **TABLES)
    latent = torch.randn(1, 5).repeat(2, 1)
    made = generator(latent, torch.tensor([0, 1]))
    assert not torch.allclose(made[0], made[1])
    same = made[:1].repeat(2, 1, 1, 1)
    scores = critic(same, torch.tensor([0, 1]))
    assert scores[0] != scores[1]
    for network, value in ((generator, latent), (critic, made)):
        with pytest.raises(ValueError, match="class-conditional"):
            network(value)


@pytest.mark.parametrize("classes", [0, 3])
def test_latents_can_be_taken_over(classes):
    torch.manual_seed(0)
    generator = Generator(latent=5, classes=classes, size=(8, 8), **TABLES)
    label = torch.tensor([0, 2, 1, 2]) if classes else None
    means = torch.randn(classes or 1, 5)
    factor = torch.linalg.cholesky(torch.eye(5) + 0.3)
    latent = torch.randn(4, 5)
    for _ in range(2):
        given = latent @ factor.T + (means[label] if classes else means)
        before = generator(given, label)
        generator.take_over(means, factor)
        torch.testing.assert_close(generator(latent, label), before, atol=1e-5, rtol=1e-4)


def test_sigmoid_output_stays_in_range():
    generator = Generator(latent=5, size=(8, 8), output="sigmoid", **TABLES)
    made = generator(50 * torch.randn(4, 5))
    assert made.min() >= 0
    assert made.max() <= 1
    with pytest.raises(ValueError, match="output must be"):
        Generator(output="tanh")


@pytest.mark.parametrize("classes", [0, 3])
def test_exports_to_onnx(classes):
    generator = Generator(latent=5, classes=classes, size=(10, 14), output="sigmoid", **TABLES).eval()
    record = Record(name="generation/small", task="generation", network="unpool.generation.model:Generator")
    assert export(generator, record).difference < 1e-4
