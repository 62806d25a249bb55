"""The classical peers mend what they are made for."""

import pytest
import torch

from unpool.images.blurring import blur, gaussian_kernel, motion_kernel
from unpool.images.degradations import GaussianNoise
from unpool.images.metrics import psnr_rgb
from unpool.images.resampling import imresize
from unpool.restoration.api import restore
from unpool.restoration.classical import Settings, run


@pytest.fixture(scope="module")
def clean(photo):
    return photo.tensor()


@pytest.mark.parametrize("method", ["wiener", "richardson-lucy"])
@pytest.mark.parametrize("known", ["blur", "motion"])
def test_deconvolution_sharpens(clean, method, known):
    settings = Settings(blur=1.2) if known == "blur" else Settings(motion=(5.0, 30.0))
    kernel = gaussian_kernel(1.2) if known == "blur" else motion_kernel(5.0, 30.0)
    blurred = blur(clean, kernel)
    assert psnr_rgb(run(method, blurred, settings), clean) > psnr_rgb(blurred, clean) + 1


def test_non_local_means_cleans(clean):
    noisy = GaussianNoise(20)(clean, torch.Generator().manual_seed(0))
    assert psnr_rgb(run("nlm", noisy, Settings(sigma=20)), clean) > psnr_rgb(noisy, clean) + 3


@pytest.mark.parametrize("shape", [(1, 24, 24), (1, 1, 24), (3, 1, 24), (3, 24, 1), (1, 1, 1)])
def test_non_local_means_keeps_every_shape(shape):
    assert run("nlm", torch.rand(1, *shape), Settings(sigma=10)).shape == (1, *shape)


def test_bm3d_cleans(clean):
    pytest.importorskip("bm3d")
    small = clean[:, :1, :24, :24]
    noisy = GaussianNoise(20, clip=False)(small, torch.Generator().manual_seed(0))
    assert psnr_rgb(run("bm3d", noisy, Settings(sigma=20)), small) > psnr_rgb(noisy, small) + 3


@pytest.mark.parametrize("method", ["bicubic", "lanczos"])
def test_enlarging_is_imresize(photo, method):
    result = restore(photo, method=method, scale=2.5).picture
    expected = imresize(photo.tensor(), 2.5, kernel=method).clamp(0, 1)
    torch.testing.assert_close(result.tensor(), expected, atol=0.6 / 255, rtol=0)
