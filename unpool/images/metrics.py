"""How far apart two pictures are; a metric's name carries its protocol.

Every function takes two tensors (N, C, H, W) in [0, 1] of the same shape and gives one float per picture, (N,).
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def _same(a: Tensor, b: Tensor) -> None:
    if a.shape != b.shape or a.ndim != 4:
        raise ValueError(
            f"two (N, C, H, W) pictures of one shape are needed, not {tuple(a.shape)} and {tuple(b.shape)}"
        )


def _psnr(error: Tensor, peak: float) -> Tensor:
    return 10 * torch.log10(peak**2 / error.double().square().flatten(1).mean(1))


def eight_bit(picture: Tensor) -> Tensor:
    """Clipped to [0, 1] and rounded to 256 levels, as a file would hold it; still float in [0, 1]."""
    return (picture.clamp(0, 1) * 255).round() / 255


def luma(picture: Tensor) -> Tensor:
    """Y of BT.601 in 16..235, (N, 1, H, W) float64; a grey picture counts as R = G = B."""
    weights = torch.tensor([65.481, 128.553, 24.966], dtype=torch.float64, device=picture.device)
    rgb = picture.double().expand(-1, 3, -1, -1)
    return 16 + (rgb * weights[:, None, None]).sum(1, keepdim=True)


def _cropped_luma(picture: Tensor, crop: int) -> Tensor:
    height, width = picture.shape[-2:]
    if crop < 0 or 2 * crop >= min(height, width):
        raise ValueError(f"crop={crop} leaves nothing of a picture of {width}x{height}")
    return luma(eight_bit(picture))[..., crop : height - crop, crop : width - crop]


def psnr_rgb(a: Tensor, b: Tensor) -> Tensor:
    """PSNR in dB over all channels, peak 1, no rounding and no crop: 10 log10(1 / MSE). Equal pictures give inf.

    >>> round(float(psnr_rgb(torch.zeros(1, 3, 4, 4), torch.full((1, 3, 4, 4), 0.1))), 3)
    20.0
    """
    _same(a, b)
    return _psnr(a.double() - b.double(), 1.0)


def psnr_y(a: Tensor, b: Tensor, *, crop: int) -> Tensor:
    """PSNR in dB as super-resolution papers count it: both rounded to 8 bit, Y of BT.601 (16..235), peak 255.

    `crop` pixels are left out at every border; the papers use the scale factor.
    """
    _same(a, b)
    return _psnr(_cropped_luma(a, crop) - _cropped_luma(b, crop), 255.0)


def _gaussian_window() -> Tensor:
    x = torch.arange(-5, 6, dtype=torch.float64)
    line = torch.exp(-0.5 * (x / 1.5) ** 2)
    return line / line.sum()


def _smooth(planes: Tensor) -> Tensor:
    """The 11x11 Gaussian of sigma 1.5 over (N, C, H, W), only where it fits."""
    line = _gaussian_window().tolist()
    for axis in (2, 3):
        fits = planes.shape[axis] - len(line) + 1
        total = planes.narrow(axis, 0, fits) * line[0]
        for place, weight in enumerate(line[1:], start=1):  # three times as fast as a convolution in float64
            total = total.add_(planes.narrow(axis, place, fits), alpha=weight)
        planes = total
    return planes


def _ssim_terms(a: Tensor, b: Tensor, peak: float) -> tuple[Tensor, Tensor]:
    """Mean SSIM and mean contrast-structure term per picture and channel, each (N, C)."""
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    mean_a, mean_b = _smooth(a), _smooth(b)
    variance_a, variance_b = _smooth(a * a) - mean_a**2, _smooth(b * b) - mean_b**2
    covariance = _smooth(a * b) - mean_a * mean_b
    structure = (2 * covariance + c2) / (variance_a + variance_b + c2)
    whole = structure * (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    return whole.mean((2, 3)), structure.mean((2, 3))


def ssim_y(a: Tensor, b: Tensor, *, crop: int) -> Tensor:
    """SSIM (Wang et al. 2004: 11x11 Gaussian window of sigma 1.5) on Y as in `psnr_y`, borders of `crop` left out."""
    _same(a, b)
    first, second = _cropped_luma(a, crop), _cropped_luma(b, crop)
    if min(first.shape[-2:]) < 11:
        raise ValueError("SSIM needs at least 11 pixels on each side after cropping")
    return _ssim_terms(first, second, 255.0)[0].mean(1)


def ms_ssim_rgb(a: Tensor, b: Tensor) -> Tensor:
    """Multi-scale SSIM (Wang et al. 2003, five scales) over the channels in [0, 1], mean of channels.

    Sides must be longer than 160 pixels, so that the coarsest scale still holds a window. Differentiable.
    """
    _same(a, b)
    if min(a.shape[-2:]) <= 160:
        raise ValueError(f"MS-SSIM needs more than 160 pixels on each side, not {a.shape[-1]}x{a.shape[-2]}")
    weights = torch.tensor([0.0448, 0.2856, 0.3001, 0.2363, 0.1333], dtype=a.dtype, device=a.device)
    terms = []
    for scale in range(5):
        whole, structure = _ssim_terms(a, b, 1.0)
        if scale < 4:
            terms.append(structure.relu())
            odd = [side % 2 for side in a.shape[-2:]]
            a, b = (F.avg_pool2d(picture, 2, padding=odd) for picture in (a, b))
    terms.append(whole.relu())
    return (torch.stack(terms) ** weights[:, None, None]).prod(0).mean(1)
