"""imresize: hand values, MATLAB's algorithm written out slowly, Pillow away from the border, and its properties."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from unpool.images.resampling import imresize


def cubic(x: float) -> float:
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x <= 2 else 0.0


def lanczos3(x: float) -> float:
    if x == 0:
        return 1.0
    return 3 * math.sin(math.pi * x) * math.sin(math.pi * x / 3) / (math.pi * x) ** 2 if abs(x) < 3 else 0.0


def line_by_the_book(line: np.ndarray, scale: float, out: int, kernel, width: float) -> np.ndarray:
    """MATLAB's `contributions`, in its own 1-based terms, one sample after the other."""
    n = len(line)
    mirror = [*range(1, n + 1), *range(n, 0, -1)]
    squeeze = min(scale, 1.0)
    result = np.zeros(out)
    for x in range(1, out + 1):
        u = x / scale + 0.5 * (1 - 1 / scale)
        left = math.floor(u - width / squeeze / 2)
        taps = [left + k for k in range(math.ceil(width / squeeze) + 2)]
        weights = np.array([squeeze * kernel(squeeze * (u - tap)) for tap in taps])
        weights /= weights.sum()
        result[x - 1] = sum(w * line[mirror[(tap - 1) % (2 * n)] - 1] for w, tap in zip(weights, taps))
    return result


@pytest.mark.parametrize(("kernel", "function", "width"), [("bicubic", cubic, 4.0), ("lanczos", lanczos3, 6.0)])
@pytest.mark.parametrize("scale", [0.25, 1 / 3, 0.5, 0.7, 1.0, 1.5, 2.0, 4.0])
def test_equals_matlabs_algorithm(kernel, function, width, scale):
    line = np.random.default_rng(0).random(13)
    out = math.ceil(13 * scale)
    expected = line_by_the_book(line, scale, out, function, width)
    got = imresize(torch.from_numpy(line).view(1, 1, 13, 1), scale, kernel=kernel)
    assert got.shape == (1, 1, out, out // out if scale < 1 else math.ceil(scale))
    np.testing.assert_allclose(got[0, 0, :, 0].numpy(), expected, atol=1e-12)


def test_bicubic_half_has_the_weights_worked_out_by_hand():
    impulse = torch.eye(16, dtype=torch.float64).view(16, 1, 16, 1)
    weights = imresize(impulse, 0.5)[:, 0, 3, 0]  # the fourth output sample lies between inputs 6 and 7
    hand = [-0.01171875, -0.03515625, 0.11328125, 0.43359375, 0.43359375, 0.11328125, -0.03515625, -0.01171875]
    np.testing.assert_allclose(weights[3:11].numpy(), hand, atol=1e-15)
    assert float(weights.sum()) == pytest.approx(1)


def test_bicubic_twice_has_the_weights_worked_out_by_hand():
    impulse = torch.eye(8, dtype=torch.float64).view(8, 1, 8, 1)
    weights = imresize(impulse, 2)[:, 0, 8, 0]  # a quarter of a pixel before input 4
    np.testing.assert_allclose(weights[2:6].numpy(), [-0.0234375, 0.2265625, 0.8671875, -0.0703125], atol=1e-15)


@pytest.mark.parametrize(("kernel", "pillow"), [("bicubic", Image.BICUBIC), ("lanczos", Image.LANCZOS)])
@pytest.mark.parametrize(("size", "out"), [((48, 60), (12, 15)), ((40, 30), (17, 11)), ((20, 24), (40, 48))])
def test_equals_pillow_inside(kernel, pillow, size, out):
    picture = np.random.default_rng(1).random(size).astype(np.float32)
    expected = np.asarray(Image.fromarray(picture).resize(out[::-1], pillow))
    got = imresize(torch.from_numpy(picture)[None, None], size=out, kernel=kernel)[0, 0].numpy()
    edge = math.ceil(3 * max(1, out[0] / size[0]))
    np.testing.assert_allclose(got[edge:-edge, edge:-edge], expected[edge:-edge, edge:-edge], atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 20), st.integers(1, 20), st.integers(1, 40), st.integers(1, 40),
    st.sampled_from(["bicubic", "area", "lanczos"]),
)  # fmt: skip
def test_constants_stay_constant(height, width, rows, columns, kernel):
    out = imresize(torch.full((1, 1, height, width), 0.3, dtype=torch.float64), size=(rows, columns), kernel=kernel)
    assert out.shape == (1, 1, rows, columns)
    torch.testing.assert_close(out, torch.full_like(out, 0.3))


def test_a_ramp_stays_a_ramp_inside():
    ramp = torch.arange(40, dtype=torch.float64).view(1, 1, 1, 40).expand(1, 1, 4, 40)
    inside = imresize(ramp, 0.5)[0, 0, 0, 4:-4]
    np.testing.assert_allclose(inside.numpy(), np.arange(4, 16) * 2 + 0.5, atol=1e-12)


def test_axes_are_independent():
    generator = torch.Generator().manual_seed(0)
    column, row = (torch.rand(1, 1, *shape, generator=generator, dtype=torch.float64) for shape in ((12, 1), (1, 18)))
    whole = imresize(column * row, size=(5, 7))
    torch.testing.assert_close(whole, imresize(column, size=(5, 1)) * imresize(row, size=(1, 7)))


def test_area_is_the_mean_of_blocks_and_keeps_the_mean():
    picture = torch.rand(2, 3, 12, 18, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    blocks = picture.view(2, 3, 4, 3, 6, 3).mean((3, 5))
    torch.testing.assert_close(imresize(picture, 1 / 3, kernel="area"), blocks)
    torch.testing.assert_close(imresize(picture, size=(5, 7), kernel="area").mean(), picture.mean())


def test_gradients_flow():
    picture = torch.rand(1, 1, 6, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: imresize(x, 0.5), picture)


@pytest.mark.parametrize(
    "options", [{}, {"scale": 2, "size": (3, 3)}, {"scale": 0}, {"scale": 2, "kernel": "sinc"}, {"size": (0, 4)}]
)
def test_wrong_arguments_are_refused(options):
    with pytest.raises(ValueError, match=r"scale|size|kernel"):
        imresize(torch.zeros(1, 1, 4, 4), **options)
