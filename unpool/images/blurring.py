"""Blur kernels and their use: Gaussian, straight motion, and any kernel with mirrored borders."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def gaussian_kernel(sigma: float) -> Tensor:
    """(K, K) float64 samples of a Gaussian, K odd, cut at four sigma, summing to one. Sigma 0 gives a single 1."""
    if sigma < 0:
        raise ValueError(f"sigma must not be negative, not {sigma}")
    if sigma == 0:
        return torch.ones(1, 1, dtype=torch.float64)
    radius = max(1, math.ceil(4 * sigma))
    x = torch.arange(-radius, radius + 1, dtype=torch.float64)
    line = torch.exp(-0.5 * (x / sigma) ** 2)
    line = line / line.sum()
    return torch.outer(line, line)


def motion_kernel(length: float, angle: float) -> Tensor:
    """(K, K) float64 kernel of a straight camera motion: `length` pixels, `angle` degrees counter-clockwise.

    Points along the line are spread over the four nearest samples, so that the kernel changes smoothly with both.
    """
    if length < 0:
        raise ValueError(f"length must not be negative, not {length}")
    radius = max(0, math.ceil(length / 2))
    kernel = torch.zeros(2 * radius + 1, 2 * radius + 1, dtype=torch.float64)
    points = max(1, math.ceil(length * 8)) + 1
    along = torch.linspace(-0.5, 0.5, points, dtype=torch.float64) * max(length - 1, 0)
    x = radius + along * math.cos(math.radians(angle))
    y = radius - along * math.sin(math.radians(angle))
    for dy in (0, 1):
        for dx in (0, 1):
            row, column = y.floor() + dy, x.floor() + dx
            weight = (1 - (y - row).abs()) * (1 - (x - column).abs())
            inside = weight > 0
            kernel.index_put_((row[inside].long(), column[inside].long()), weight[inside], accumulate=True)
    return kernel / kernel.sum()


def blur(picture: Tensor, kernel: Tensor) -> Tensor:
    """Convolve every channel of (N, C, H, W) with a (K, K) kernel, K odd; borders are mirrored. Same size out."""
    size = kernel.shape[0]
    if kernel.shape != (size, size) or size % 2 == 0:
        raise ValueError(f"a blur kernel is square with an odd side, not {tuple(kernel.shape)}")
    if size == 1:
        return picture * float(kernel)
    radius = size // 2
    rows, columns = (_mirrored(length, radius).to(picture.device) for length in picture.shape[-2:])
    padded = picture.index_select(-2, rows).index_select(-1, columns)
    n, c, h, w = padded.shape
    taps = kernel.flip(0, 1).to(picture.device, picture.dtype)
    planes = padded.reshape(n * c, 1, h, w)
    line = taps.sum(1)
    if torch.allclose(torch.outer(line, taps.sum(0)), taps, atol=1e-7):  # separable: two short passes
        out = F.conv2d(F.conv2d(planes, line.view(1, 1, -1, 1)), taps.sum(0).view(1, 1, 1, -1))
    else:
        out = F.conv2d(planes, taps[None, None])
    return out.view(picture.shape)


def _mirrored(length: int, radius: int) -> Tensor:
    """Indices of a line with `radius` more samples on each side, mirrored at the border as often as it takes."""
    index = torch.arange(-radius, length + radius) % (2 * length)
    return torch.where(index < length, index, 2 * length - 1 - index)
