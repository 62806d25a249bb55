"""How much of a set of pictures is checkerboard: peaks of its Fourier spectrum at the upsampling frequencies."""

import math
from itertools import product

import torch
from torch import Tensor


def checkerboard_energy(pictures: Tensor, stride: int) -> float:
    """Power at the frequencies an upsampling by `stride` repeats at, over the median power around them.

    pictures: (N, C, *size), any range, each extent at least 8. Their power spectra under a Hann window are averaged
    over pictures and channels. The upsampling frequencies are the multiples of 1/stride along every axis, zero left
    out; around each, the local median is over the bins 2 to 4 away. Returns the geometric mean over the frequencies:
    near 1 where nothing stands out. Real pictures may have structure there too, so compare with theirs. Raises
    ValueError for pictures too small.
    """
    size = pictures.shape[2:]
    if min(size) < 8 or stride < 2:
        raise ValueError(
            f"a spectrum needs extents of at least 8 and a stride of at least 2, not {tuple(size)}, {stride}"
        )
    axes = tuple(range(2, pictures.dim()))
    values = pictures.double()
    values = values - values.mean(dim=axes, keepdim=True)
    for axis, extent in zip(axes, size):
        window = torch.hann_window(extent, dtype=torch.double, device=values.device)
        values = values * window.view([-1 if a == axis else 1 for a in range(values.dim())])
    power = torch.fft.fftn(values, dim=axes).abs().square().mean((0, 1))
    ring = [step for step in product(range(-4, 5), repeat=len(size)) if 2 <= max(map(abs, step)) <= 4]
    logs = []
    for index in product(range(stride), repeat=len(size)):
        if not any(index):
            continue
        centre = [round(k * extent / stride) for k, extent in zip(index, size)]
        around = [tuple((c + s) % extent for c, s, extent in zip(centre, step, size)) for step in ring]
        median = torch.stack([power[place] for place in around]).median()
        logs.append(math.log(max(float(power[tuple(centre)]), 1e-300) / max(float(median), 1e-300)))
    return math.exp(sum(logs) / len(logs))
