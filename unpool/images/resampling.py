"""Resizing with antialiasing, sample by sample as MATLAB's `imresize` does it: super-resolution tables use it."""

import math
from collections.abc import Callable

import torch
from torch import Tensor


def _cubic(x: Tensor) -> Tensor:
    """Keys' cubic with a = -1/2, which is MATLAB's."""
    x = x.abs()
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x <= 1, near, torch.where(x <= 2, far, torch.zeros_like(x)))


def _lanczos3(x: Tensor) -> Tensor:
    return torch.where(x.abs() < 3, torch.sinc(x) * torch.sinc(x / 3), torch.zeros_like(x))


KERNELS: dict[str, tuple[Callable[[Tensor], Tensor], float]] = {"bicubic": (_cubic, 4.0), "lanczos": (_lanczos3, 6.0)}


def contributions(size: int, out: int, scale: float, kernel: str, antialias: bool = True) -> tuple[Tensor, Tensor]:
    """Which input samples make each output sample, and with what weight, along one axis.

    Half-pixel centres, symmetric padding, weights normalised to sum to one; the kernel is widened by `1 / scale` where
    the picture shrinks. `area` weighs by the exact overlap of pixel squares.

    Returns `(indices, weights)`, each (out, taps): int64 and float64.
    """
    shrink = scale if antialias and scale < 1 else 1.0
    centre = torch.arange(out, dtype=torch.float64) / scale + 0.5 * (1 / scale - 1)
    width = 1 / scale + 1 if kernel == "area" else KERNELS[kernel][1] / shrink
    first = torch.floor(centre - width / 2).long()
    indices = first[:, None] + torch.arange(math.ceil(width) + 2)
    distance = centre[:, None] - indices
    if kernel == "area":
        weights = ((1 / scale + 1) / 2 - distance.abs()).clamp(0, min(1.0, 1 / scale))
    else:
        weights = KERNELS[kernel][0](distance * shrink)
    weights = weights / weights.sum(1, keepdim=True)
    indices = indices % (2 * size)  # symmetric padding: ... 1 0 | 0 1 ... n-1 | n-1 n-2 ...
    indices = torch.where(indices < size, indices, 2 * size - 1 - indices)
    used = (weights != 0).any(0)
    return indices[:, used], weights[:, used]


def _along(x: Tensor, dim: int, indices: Tensor, weights: Tensor) -> Tensor:
    shape = [1] * x.ndim
    shape[dim] = -1
    total = None
    for tap in range(indices.shape[1]):
        weight = weights[:, tap].to(x.device, x.dtype).view(shape)
        part = x.index_select(dim, indices[:, tap].to(x.device)) * weight
        total = part if total is None else total.add_(part) if not part.requires_grad else total + part
    assert total is not None
    return total


def imresize(
    picture: Tensor,
    scale: float | None = None,
    *,
    size: tuple[int, int] | None = None,
    kernel: str = "bicubic",
    antialias: bool = True,
) -> Tensor:
    """Resize a picture exactly as MATLAB's `imresize` (its cubic and Lanczos-3 kernels, antialiased when shrinking).

    Give `scale` (output size `ceil(scale * size)`) or `size` (height, width). Values are neither clipped nor rounded.

    Args:
        picture: (N, C, H, W), any floating dtype and range; the result has the same dtype.
        scale: factor, above 1 enlarges.
        size: output height and width in pixels, instead of `scale`.
        kernel: `bicubic`, `lanczos` (three lobes) or `area` (exact overlap of pixel squares).
        antialias: widen the kernel where the picture shrinks.

    Raises:
        ValueError: for an unknown kernel, an empty size, or neither or both of `scale` and `size`.

    >>> imresize(torch.ones(1, 1, 8, 8), 0.5).shape
    torch.Size([1, 1, 4, 4])
    """
    if kernel != "area" and kernel not in KERNELS:
        raise ValueError(f"kernel {kernel!r} is not one of: bicubic, lanczos, area")
    if (scale is None) == (size is None):
        raise ValueError("give either scale or size")
    height, width = picture.shape[-2:]
    if size is None:
        assert scale is not None
        if not scale > 0:
            raise ValueError(f"scale must be positive, not {scale}")
        out, scales = (math.ceil(height * scale - 1e-9), math.ceil(width * scale - 1e-9)), (scale, scale)
    else:
        if min(size) < 1:
            raise ValueError(f"size must be at least 1x1, not {size[0]}x{size[1]}")
        out, scales = size, (size[0] / height, size[1] / width)
    axes = sorted((0, 1), key=lambda axis: scales[axis])  # MATLAB's order: the axis that shrinks most comes first
    for axis in axes:
        table = contributions((height, width)[axis], out[axis], scales[axis], kernel, antialias)
        picture = _along(picture, picture.ndim - 2 + axis, *table)
    return picture
