"""The methods: from a run to one map for each of its targets, in the input's own resolution.

Those that send a signal back through the network show *what survives in the features* (DeconvNet, guided
backpropagation: they hardly depend on the target, Nie et al. 2018) or *why* (the gradient and what is built on it).
Occlusion asks the network.
"""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from unpool.errors import ModelError
from unpool.explanation.run import Run
from unpool.explanation.trace import first_tensor, forward


def gradient(run: Run) -> list[Tensor]:
    """The gradient of the score (Simonyan et al. 2014)."""
    return run.gradients(run.x, run.targets, note=True)


def deconvnet(run: Run) -> list[Tensor]:
    """The projection to pixels by a deconvnet: unpool by switches, rectify, filter transposed (Zeiler and Fergus
    2014)."""
    return run.gradients(run.x, run.targets, rule="deconvnet", note=True)


def guided(run: Run) -> list[Tensor]:
    """Guided backpropagation (Springenberg et al. 2015): DeconvNet's rectifier and the gradient's at once."""
    return run.gradients(run.x, run.targets, rule="guided", note=True)


def gradient_x_input(run: Run) -> list[Tensor]:
    """The gradient times the input (Shrikumar et al. 2016)."""
    return [flowed * run.x for flowed in gradient(run)]


def smoothgrad(run: Run, *, samples: int = 25, noise: float = 0.15, seed: int = 0) -> list[Tensor]:
    """The mean gradient over noisy copies of the picture (Smilkov et al. 2017).

    Args:
        samples: how many copies.
        noise: their standard deviation, as a share of the picture's range.
        seed: of the noise.
    """
    _positive(samples=samples)
    run.look()
    generator = torch.Generator().manual_seed(seed)
    span = run.x.flatten(1).amax(1) - run.x.flatten(1).amin(1)
    sigma = noise * span.view(-1, 1, 1, 1)
    total = [torch.zeros_like(run.x) for _ in run.targets]
    for _ in range(samples):
        drawn = torch.randn(run.x.shape, generator=generator).to(run.x)
        for sum_, flowed in zip(total, run.gradients(run.x + sigma * drawn, run.targets)):
            sum_ += flowed
    return [sum_ / samples for sum_ in total]


def integrated_gradients(run: Run, *, steps: int = 50, baseline: Tensor | float = 0.0) -> list[Tensor]:
    """The gradient integrated on the straight way from a baseline (Sundararajan et al. 2017), by Gauss and Legendre.

    The map's sum is the score's difference between the picture and the baseline.

    Args:
        steps: nodes of the quadrature.
        baseline: the picture that shows nothing, in the units of the network's input; a number, or a tensor like it.
    """
    _positive(steps=steps)
    run.look()
    start = torch.as_tensor(baseline, dtype=run.x.dtype, device=run.x.device).expand_as(run.x)
    way = run.x - start
    total = [torch.zeros_like(run.x) for _ in run.targets]
    for node, weight in zip(*(0.5 * part for part in np.polynomial.legendre.leggauss(steps))):
        for sum_, flowed in zip(total, run.gradients(start + (node + 0.5) * way, run.targets)):
            sum_ += float(weight) * flowed
    return [sum_ * way for sum_ in total]


def grad_cam(run: Run) -> list[Tensor]:
    """Grad-CAM (Selvaraju et al. 2017): the layer's channels weighted by their mean gradient, rectified, enlarged:
    (N, 1, H, W)."""
    if any(target.on_layer for target in run.targets):
        raise ModelError(
            "Grad-CAM explains the network's output by a layer: give a class or a function of the output as the target"
        )
    trace = forward(run.twin, run.x, layer=run.layer, cut=True)
    activation = trace.activation
    assert activation is not None
    if activation.ndim != 4:
        raise ModelError(
            f"Grad-CAM needs a layer with places (N, C, H, W), not {tuple(activation.shape)}: choose another one"
        )
    run.note(trace)
    maps = []
    for number, target in enumerate(run.targets):
        with torch.inference_mode(False), torch.enable_grad():
            score = target.score(run.values(trace, target))  # type: ignore[arg-type]
        flowed = trace.gradient(score, activation, keep=number + 1 < len(run.targets))
        weighed = (flowed.mean((2, 3), keepdim=True) * activation.detach()).sum(1, keepdim=True).relu()
        maps.append(F.interpolate(weighed, run.x.shape[-2:], mode="bilinear", align_corners=False))
    return maps


def occlusion(
    run: Run, *, window: int | None = None, stride: int | None = None, baseline: Tensor | float = 0.0, batch: int = 16
) -> list[Tensor]:
    """How much the score falls where a window is covered (Zeiler and Fergus 2014), averaged over windows: (N, 1, H, W).

    Args:
        window: the window's side in samples of the input; None is a seventh of the shorter side.
        stride: from one window to the next; None is half a window.
        baseline: what covers it, in the units of the network's input.
        batch: how many covered pictures go through the network at once.
    """
    height, width = run.x.shape[-2:]
    window = window or max(1, min(height, width) // 7)
    stride = stride or max(1, window // 2)
    _positive(window=window, stride=stride, batch=batch)
    run.look()
    cover = torch.as_tensor(baseline, dtype=run.x.dtype, device=run.x.device).expand_as(run.x)
    corners = [(top, left) for top in _starts(height, window, stride) for left in _starts(width, window, stride)]
    falls = [torch.zeros(len(run.x), 1, height, width, device=run.x.device) for _ in run.targets]
    covered = torch.zeros(height, width, device=run.x.device)
    for top, left in corners:
        covered[top : top + window, left : left + window] += 1
    for number in range(len(run.x)):
        targets = [target.for_picture(number) for target in run.targets]
        for begin in range(0, len(corners), batch):
            some = corners[begin : begin + batch]
            variants = run.x[number].repeat(len(some), 1, 1, 1)
            for variant, (top, left) in zip(variants, some):
                place = (slice(None), slice(top, top + window), slice(left, left + window))
                variant[place] = cover[number][place]
            for map_, before, after in zip(falls, run.scores, run.score(variants, targets)):
                for (top, left), fall in zip(some, (before[number] - after).tolist()):
                    map_[number, 0, top : top + window, left : left + window] += fall
    return [map_ / covered for map_ in falls]


def _starts(size: int, window: int, stride: int) -> list[int]:
    """Where windows begin so that every sample is covered and none reaches outside."""
    last = max(0, size - window)
    return sorted({*range(0, last + 1, stride), last})


def _positive(**options: int) -> None:
    for name, value in options.items():
        if value < 1:
            raise ModelError(f"{name} is {value}: give at least 1")


METHODS: dict[str, Callable[..., list[Tensor]]] = {
    "deconvnet": deconvnet,
    "guided": guided,
    "gradient": gradient,
    "grad-cam": grad_cam,
    "gradient-x-input": gradient_x_input,
    "integrated-gradients": integrated_gradients,
    "smoothgrad": smoothgrad,
    "occlusion": occlusion,
}


def options_of(method: str) -> dict[str, Any]:
    """The options a method takes, with their defaults."""
    parameters = inspect.signature(METHODS[method]).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


def top_classes(output: Any, count: int) -> list[list[tuple[int, float]]]:
    """The strongest classes of each picture with their probabilities, from logits (N, classes); empty for other
    outputs."""
    try:
        logits = first_tensor(output)
    except ModelError:
        return []
    if logits.ndim != 2:
        return []
    values, indices = logits.float().softmax(1).topk(min(count, logits.shape[1]), dim=1)
    return [list(zip(i, v)) for i, v in zip(indices.tolist(), values.tolist())]
