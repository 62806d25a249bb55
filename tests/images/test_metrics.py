"""The metrics beside scikit-image and pytorch-msssim, to 1e-4."""

import numpy as np
import pytest
import pytorch_msssim
import torch
from skimage import data
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from unpool.images.metrics import luma, ms_ssim_rgb, psnr_rgb, psnr_y, ssim_y


@pytest.fixture(scope="module")
def pair():
    clean = data.coffee()[50:233, 100:291]
    noisy = np.clip(clean + np.random.default_rng(0).normal(0, 12, clean.shape), 0, 255).round().astype(np.uint8)
    return clean, noisy


def tensor(samples):
    return torch.from_numpy(np.ascontiguousarray(samples)).permute(2, 0, 1)[None].float() / 255


def test_psnr_rgb(pair):
    expected = peak_signal_noise_ratio(*pair)
    assert float(psnr_rgb(tensor(pair[0]), tensor(pair[1]))) == pytest.approx(expected, abs=1e-4)


def test_luma_is_bt601(pair):
    np.testing.assert_allclose(luma(tensor(pair[0]))[0, 0].numpy(), rgb2ycbcr(pair[0])[..., 0], atol=1e-3)


@pytest.mark.parametrize("crop", [0, 4])
def test_on_luma(pair, crop):
    inside = np.s_[crop : pair[0].shape[0] - crop, crop : pair[0].shape[1] - crop]
    first, second = (rgb2ycbcr(samples)[..., 0][inside] for samples in pair)
    a, b = tensor(pair[0]), tensor(pair[1])
    expected = peak_signal_noise_ratio(first, second, data_range=255)
    assert float(psnr_y(a, b, crop=crop)) == pytest.approx(expected, abs=1e-4)
    expected = structural_similarity(
        first, second, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert float(ssim_y(a, b, crop=crop)) == pytest.approx(expected, abs=1e-4)


def test_luma_metrics_round_first(pair):
    a, b = tensor(pair[0]), tensor(pair[1])
    torch.testing.assert_close(psnr_y(a + 0.3 / 255, b, crop=0), psnr_y(a, b, crop=0), atol=0.02, rtol=0)
    assert float(psnr_y(a + 0.3 / 255, a, crop=0)) == float("inf")


def test_ms_ssim(pair):
    a, b = tensor(pair[0]), tensor(pair[1])
    expected = pytorch_msssim.ms_ssim(a, b, data_range=1.0, size_average=False)
    torch.testing.assert_close(ms_ssim_rgb(a, b), expected, atol=1e-4, rtol=0)
    assert float(ms_ssim_rgb(a, a)) == pytest.approx(1)


def test_one_figure_a_picture(pair):
    a, b = (torch.cat([tensor(samples), tensor(pair[0])]) for samples in pair)
    for figure in (psnr_rgb(a, b), psnr_y(a, b, crop=2), ssim_y(a, b, crop=2), ms_ssim_rgb(a, b)):
        assert figure.shape == (2,)
        assert figure[0] != figure[1]


@pytest.mark.parametrize(
    "call",
    [
        lambda: psnr_rgb(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 5)),
        lambda: psnr_y(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8), crop=4),
        lambda: ssim_y(torch.zeros(1, 3, 12, 12), torch.zeros(1, 3, 12, 12), crop=1),
        lambda: ms_ssim_rgb(torch.zeros(1, 3, 160, 300), torch.zeros(1, 3, 160, 300)),
    ],
)
def test_pictures_that_do_not_fit_are_refused(call):
    with pytest.raises(ValueError, match=r"shape|crop|SSIM"):
        call()
