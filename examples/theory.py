"""The figures of docs/theory.md, drawn by unpool's own parts: `python examples/theory.py [docs/pictures/theory]`.

Needs the extra `plots`.
"""

import sys
from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from skimage.data import astronaut

from unpool.nn import Adjoint, Upsample, checkerboard_energy, conv, max_pool, unpool

WIDE, HIGH = 8.0, 2.7  # inches


def shown(axes: Axes, values: np.ndarray, title: str, **options: object) -> None:
    """A matrix or a picture, without ticks."""
    axes.imshow(values, **{"cmap": "gray", "interpolation": "nearest", **options})
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize=9)


def adjoint() -> Figure:
    """A strided convolution and its adjoint as matrices: each column is what one unit input becomes."""
    torch.manual_seed(0)
    down = conv(in_channels=1, out_channels=1, kernel=3, stride=2, dimensions=1, bias=False)
    up = Adjoint(down)
    with torch.no_grad():
        there = down(torch.eye(12)[:, None])[:, 0].T
        back = up(torch.eye(len(there))[:, None], size=(12,))[:, 0].T
    figure = Figure(figsize=(WIDE, HIGH), layout="constrained")
    panels = figure.subplots(1, 3)
    limit = float(there.abs().max())
    colours = {"cmap": "RdBu", "vmin": -limit, "vmax": limit}
    shown(panels[0], there.numpy(), "convolution, stride 2: 12 samples to 6", **colours)
    shown(panels[1], back.numpy(), "its adjoint: 6 to 12", **colours)
    shown(panels[2], (back @ there).numpy(), "one after the other: no identity", **colours)
    return figure


def switches() -> Figure:
    """Maxima put back where they came from, and in the corner of their window."""
    grey = torch.from_numpy(astronaut()[80:144, 190:254].mean(-1)).float()[None, None] / 255
    values, places = max_pool(grey, kernel=4, stride=4)
    corner = torch.zeros_like(grey)
    corner[..., ::4, ::4] = values
    figure = Figure(figsize=(WIDE, HIGH), layout="constrained")
    pictures = (grey, values, unpool(values, places, size=grey.shape[2:]), corner)
    titles = ("64x64 pixels", "the maxima of 4x4 windows", "unpooled by switches", "put into the corner")
    for panel, picture, title in zip(figure.subplots(1, 4), pictures, titles):
        shown(panel, picture[0, 0].numpy(), title, vmin=0, vmax=1)
    return figure


def checkerboards() -> Figure:
    """The same smooth input through three untrained layers of each kind."""
    figure = Figure(figsize=(WIDE, HIGH), layout="constrained")
    for panel, kind in zip(figure.subplots(1, 4), ("deconv-plain", "shuffle", "resize", "deconv")):
        torch.manual_seed(3)
        kernel = 3 if kind in ("resize", "shuffle") else 4
        layers = [Upsample(kind=kind, in_channels=8, out_channels=8, stride=2, kernel=kernel) for _ in range(3)]
        for layer in layers:
            for weight in layer.parameters():
                torch.nn.init.normal_(weight, std=0.2 if weight.dim() > 1 else 0.0)
        x = 1 + 0.05 * torch.randn(16, 8, 8, 8, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            for layer in layers:
                x = layer(x)
        energy = checkerboard_energy(x, 4)
        shown(panel, x[0, 0, 16:48, 16:48].numpy(), f"{kind}: peaks of {energy:.1f}")
    return figure


def rate_distortion() -> Figure:
    """A Laplacian source under uniform quantisers: R + lambda D is least where the slope is -lambda."""
    values = np.random.default_rng(0).laplace(size=200_000)
    points = []
    for step in np.geomspace(0.3, 8, 40):
        indices = np.round(values / step)
        share = np.unique(indices, return_counts=True)[1] / len(values)
        points.append((-(share * np.log2(share)).sum(), ((values - step * indices) ** 2).mean()))
    rate, error = np.array(points).T
    figure = Figure(figsize=(WIDE, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.plot(error, rate, ".-", label="uniform quantisers of growing step")
    for weight in (0.7, 2.0, 8.0):
        best = int(np.argmin(rate + weight * error))
        span = np.array([max(error[best] - 0.6 / weight, 0), error[best] + 0.6 / weight])
        axes.plot(span, rate[best] - weight * (span - error[best]), "--", label=f"lambda {weight:g}")
        axes.plot(error[best], rate[best], "o", color="black", markersize=4)
    axes.set(xlabel="distortion D, mean squared error", ylabel="rate R, bits a sample", xlim=(0, 2.1), ylim=(0, 4))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return figure


def margins() -> Figure:
    """What cross-entropy sees of the angle between a face and its own person, without and with a margin."""
    angle = np.linspace(0, np.pi, 200)
    figure = Figure(figsize=(WIDE, 3.2), layout="constrained")
    axes = figure.subplots()
    for margin in (0.0, 0.25, 0.5):
        moved = angle + margin
        seen = np.where(moved < np.pi, np.cos(moved), np.cos(angle))
        axes.plot(np.degrees(angle), seen, label=f"margin {margin:g} rad" if margin else "none: the cosine")
    axes.set(xlabel="angle between face and person, degrees", ylabel="similarity that the loss sees")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return figure


def main(folder: Path) -> None:
    """Write every figure."""
    folder.mkdir(parents=True, exist_ok=True)
    matplotlib.rcParams |= {"svg.hashsalt": "unpool", "svg.fonttype": "none"}
    for draw in (adjoint, switches, checkerboards, rate_distortion, margins):
        draw().savefig(folder / f"{draw.__name__}.svg", metadata={"Date": None})


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "docs" / "pictures" / "theory")
