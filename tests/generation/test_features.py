import numpy as np
import pytest
import torch

from unpool.generation.features import features, fid, kid, nearest, precision_recall, sharpness
from unpool.zoo.weights import shipped


@pytest.fixture(scope="module")
def clouds():
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(300, 8, generator=generator) + shift for shift in (0, 0, 1.5)]


def test_kid_is_zero_for_one_distribution_and_grows(clouds):
    same, far = kid(clouds[0], clouds[1], size=200), kid(clouds[0], clouds[2], size=200)
    assert abs(same.value) < 0.05
    assert far.value > 1
    assert far.error > 0
    assert far.upper > far.value
    assert kid(clouds[0], clouds[2], size=200) == far


def test_fid_equals_its_formula(clouds):
    from scipy.linalg import sqrtm

    x, y = clouds[0].double().numpy(), clouds[2].double().numpy()
    a, b = np.cov(x.T), np.cov(y.T)
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(a + b - 2 * sqrtm(a @ b).real)
    assert fid(clouds[0], clouds[2]) == pytest.approx(expected, rel=1e-6)
    assert fid(clouds[0][:16], clouds[2]) is None


def test_precision_and_recall(clouds):
    precision, recall = precision_recall(clouds[0], clouds[1])
    assert precision > 0.7
    assert recall > 0.7
    narrow = precision_recall(clouds[0], 0.05 * clouds[1])
    assert narrow[0] > 0.9
    assert narrow[1] < 0.1


def test_nearest(clouds):
    distance, index = nearest(clouds[0][5:7] + 1e-4, clouds[0])
    assert index.tolist() == [5, 6]
    assert distance.max() < 0.01


def test_features_of_grey_and_colour():
    pictures = torch.rand(2, 1, 28, 28)
    found = features(pictures)
    assert found.shape == (2, 1280)
    torch.testing.assert_close(found, features(pictures.expand(-1, 3, -1, -1)))


def test_sharpness_is_below_one_for_blur_and_above_for_grain():
    generator = torch.Generator().manual_seed(0)
    real = torch.rand(4, 3, 16, 16, generator=generator)
    assert sharpness(real, real) == pytest.approx(1)
    assert sharpness(real, torch.nn.functional.avg_pool2d(real, 3, 1, 1)) < 0.5
    assert sharpness(real, real + 0.3 * torch.randn(real.shape, generator=generator)) > 1.2
    assert sharpness(torch.zeros(1, 1, 4, 4), real) > 1e3


def test_clothes_are_seen_by_our_classifier():
    if "classic/cnn-classifier" not in shipped():
        pytest.skip("classic/cnn-classifier has no weights here")
    grey = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    found = features(grey, "fashion")
    assert found.shape == (3, 512)
    torch.testing.assert_close(found, features(grey.expand(-1, 3, -1, -1), "fashion"))
