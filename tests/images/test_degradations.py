"""Every degradation keeps the contract, obeys its seed, and does what its name says."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from unpool.images import degradations as d
from unpool.images.blurring import blur, gaussian_kernel, motion_kernel
from unpool.images.metrics import psnr_rgb


@pytest.fixture(scope="module")
def photo():
    return torch.from_numpy(data.astronaut()[40:104, 180:260].copy()).permute(2, 0, 1)[None].float() / 255


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


EVERY = {
    "downscale": d.Downscale((1.5, 3.0)),
    "gaussian blur": d.GaussianBlur((0.5, 2.0)),
    "motion blur": d.MotionBlur((3.0, 9.0)),
    "gaussian noise": d.GaussianNoise((5.0, 50.0)),
    "poisson noise": d.PoissonNoise((20.0, 200.0)),
    "jpeg": d.JPEG((10.0, 90.0)),
    "webp": d.WebP((10.0, 90.0)),
    "occlusion": d.Occlusion(fill="noise"),
    "light": d.Light((0.5, 1.5), (0.7, 1.4), (0.0, 0.5)),
    "affine": d.Affine((-10.0, 10.0), (-0.1, 0.1), (0.9, 1.1)),
    "mirror": d.Mirror(),
    "chain": d.Chain([d.GaussianBlur(1.0), d.GaussianNoise((1.0, 9.0))]),
    "choice": d.RandomChoice([d.GaussianBlur(1.0), d.GaussianNoise(9.0)], weights=[1, 3]),
    "random chain": d.RandomChain([d.GaussianBlur((0.1, 3.0)), d.GaussianNoise((1.0, 50.0)), d.JPEG(50)], (1, 3)),
}


@pytest.mark.parametrize("name", EVERY)
def test_contract(name, photo):
    before = photo.clone()
    one, again, other = (EVERY[name](photo, seeded(seed)) for seed in (3, 3, 5))
    assert torch.equal(photo, before), "the input was changed"
    assert torch.equal(one, again)
    assert one.dtype == photo.dtype
    assert one.ndim == 4
    assert float(one.min()) >= 0
    assert float(one.max()) <= 1
    if name != "mirror":
        assert one.shape != other.shape or not torch.equal(one, other)
    grey = EVERY[name](photo[:, :1], seeded(3))
    assert grey.shape[1] == 1


def test_downscale_to_a_size(photo):
    assert d.Downscale(size=(10, 20), kernel="area")(photo, seeded()).shape == (1, 3, 10, 20)
    assert d.Downscale(4)(photo, seeded()).shape == (1, 3, 16, 20)


def test_gaussian_blur_equals_scipy(photo):
    from scipy.ndimage import gaussian_filter

    expected = gaussian_filter(photo[0].double().numpy(), (0, 1.5, 1.5), mode="reflect", truncate=4.0)
    np.testing.assert_allclose(blur(photo.double(), gaussian_kernel(1.5))[0].numpy(), expected, atol=1e-9)


def test_blur_keeps_the_kernels_orientation():
    impulse = torch.zeros(1, 1, 9, 9)
    impulse[..., 4, 4] = 1
    kernel = torch.rand(5, 5, generator=seeded())
    torch.testing.assert_close(blur(impulse, kernel)[0, 0, 2:7, 2:7], kernel)


def test_motion_kernel_lies_along_its_angle():
    flat, upright = motion_kernel(7, 0), motion_kernel(7, 90)
    assert float(flat[4].sum()) == pytest.approx(1)
    torch.testing.assert_close(flat.T, upright)
    torch.testing.assert_close(motion_kernel(1, 30), motion_kernel(1, 200))
    rising = motion_kernel(9, 45)
    assert rising[3, 7] > 0  # up and to the right
    assert rising[3, 3] == 0


def test_noise_has_its_strength_and_clips_only_when_asked():
    black = torch.zeros(1, 3, 200, 200)
    noise = d.GaussianNoise(25, clip=False)(black, seeded())
    assert float(noise.std()) * 255 == pytest.approx(25, rel=0.02)
    assert float(noise.min()) < -0.1
    assert float(d.GaussianNoise(25)(black, seeded()).min()) == 0
    grey = torch.full((1, 1, 300, 300), 0.5)
    photons = d.PoissonNoise(40, clip=False)(grey, seeded())
    assert float(photons.mean()) == pytest.approx(0.5, rel=0.01)
    assert float(photons.var()) == pytest.approx(0.5 / 40, rel=0.05)


def test_jpeg_is_pillows(photo):
    samples = (photo[0] * 255).round().byte().permute(1, 2, 0).numpy()
    file = io.BytesIO()
    Image.fromarray(samples).save(file, "JPEG", quality=30, subsampling="4:2:0")
    expected = np.asarray(Image.open(file), dtype=np.float32) / 255
    np.testing.assert_array_equal(d.JPEG(30)(photo, seeded())[0].permute(1, 2, 0).numpy(), expected)
    full = d.JPEG(30, subsampling="4:4:4")(photo, seeded())
    assert psnr_rgb(full, photo) > psnr_rgb(d.JPEG(30)(photo, seeded()), photo)


def test_occlusion_covers_its_area(photo):
    covered = d.Occlusion(area=0.25, fill=0.0)(photo, seeded())
    share = float((covered != photo).any(1).float().mean())
    assert share == pytest.approx(0.25, abs=0.02)
    with pytest.raises(ValueError, match="fill"):
        d.Occlusion(fill="stripes")


def test_affine_identity_quarter_turn_and_shift(photo):
    torch.testing.assert_close(d.Affine()(photo, seeded()), photo, atol=1e-5, rtol=0)
    square = photo[..., :64, :64]
    torch.testing.assert_close(d.Affine(rotation=90)(square, seeded()), square.rot90(1, (-2, -1)), atol=1e-4, rtol=0)
    moved = d.Affine(shift=0.25)(square, seeded())
    torch.testing.assert_close(moved[..., 20:, 20:], square[..., 4:48, 4:48], atol=1e-4, rtol=0)
    wide = d.Affine(rotation=20)(photo, seeded())
    back = d.Affine(rotation=-20)(wide, seeded())
    assert float((back - photo)[..., 20:44, 26:54].abs().mean()) < 0.05


def test_light_and_mirror(photo):
    torch.testing.assert_close(d.Light()(photo, seeded()), photo)
    assert float(d.Light(gain=0.5)(photo, seeded()).mean()) == pytest.approx(float(photo.mean()) / 2, rel=1e-4)
    assert float(d.Light(gradient=0.8)(photo, seeded()).mean()) < float(photo.mean())
    assert torch.equal(d.Mirror(1.0)(photo, seeded()), photo.flip(-1))
    assert torch.equal(d.Mirror(0.0)(photo, seeded()), photo)
