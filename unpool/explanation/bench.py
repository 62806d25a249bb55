"""`unpool bench explanation`: maps, speed and memory beside Captum, each method's honesty, what inversions keep."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from unpool.errors import DataError, MissingExtraError
from unpool.explanation.api import METHODS, Class, explain
from unpool.explanation.honesty import STAGES, judged, randomised
from unpool.explanation.model import PlainCNN
from unpool.explanation.predictors import FeatureInverter
from unpool.explanation.shadow import shadow
from unpool.explanation.subject import Subject
from unpool.images.metrics import psnr_rgb
from unpool.train.data.find import find
from unpool.zoo.loading import load
from unpool.zoo.measure import interleaved, peak_memory
from unpool.zoo.weights import shipped

_BATCH = 8
_TARGETS = 3
_SIDE = 128
# Options under which the slow methods are judged on many photographs, and said so in the table.
_CHEAPER: dict[str, dict[str, Any]] = {
    "integrated-gradients": {"steps": 8},
    "smoothgrad": {"samples": 8},
    "occlusion": {"window": 56, "stride": 28},
}


def bench(*, quick: bool, data: Path | None, report: Callable[[str], None]) -> dict[str, Any]:
    """The wing's figures; see docs/explanation.md for what each means."""
    try:
        import captum.attr  # noqa: F401
    except ImportError:
        raise MissingExtraError("the bench's peer, Captum,", "bench") from None
    report("maps beside Captum")
    figures: dict[str, Any] = {"max_abs_difference": 0.0}
    speeds = {}
    for name, network in networks().items():
        figures["max_abs_difference"] = max(figures["max_abs_difference"], difference(network))
        speeds[name] = speed(network, repeats=3 if quick else 15)
    ours, peer, several = (_mean(speeds, key) for key in ("unpool", "captum", "unpool_several_targets"))
    figures |= {"maps_per_second": ours, "peer_maps_per_second": peer, "maps_per_second_several_targets": several}
    report("memory")
    figures |= memory()
    report("inversions")
    figures |= inversions(data, 6 if quick else None, report)
    report("honesty of each method")
    table, count = honesty(data, 1 if quick else 100, tuple(METHODS)[:4] if quick else tuple(METHODS), report)
    return {**figures, "honesty_photographs": count, "speed": speeds, "methods": table}


def networks() -> dict[str, nn.Module]:
    """Two sequential networks with max pooling and one residual network, of plain `nn.ReLU` modules, at random
    weights."""
    torch.manual_seed(0)
    vgg = PlainCNN(widths=[[32], [64, 64], [128, 128], [128, 128]], classes=100).layers
    zf = nn.Sequential(
        *(nn.Conv2d(3, 48, 7, 2, 1), nn.ReLU(), nn.MaxPool2d(3, 2, 1)),
        *(nn.Conv2d(48, 96, 5, 2, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)),
        *(nn.Conv2d(96, 128, 3, 1, 1), nn.ReLU(), nn.Conv2d(128, 128, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(128 * 16, 100)),
    )
    return {"vgg-like": vgg.eval(), "zf-like": zf.eval(), "residual": PlainResidual().eval()}


class _Block(nn.Module):
    """Two convolutions beside a shortcut, rectified after the sum (He et al. 2016).

    Rectified before it, Captum is no peer: it hooks the rectifier's input, and where that goes elsewhere, too, it
    throws the other way's signal away.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(width, width, 3, 1, 1, bias=False) for _ in range(2))
        self.norm1, self.norm2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        self.relu1, self.relu2 = nn.ReLU(), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W), the same out."""
        return self.relu2(x + self.norm2(self.second(self.relu1(self.norm1(self.first(x))))))


class PlainResidual(nn.Sequential):
    """A residual network of plain `nn.ReLU` modules, each called once, as Captum needs: (N, 3, H, W) -> (N, 100)."""

    def __init__(self) -> None:
        super().__init__(nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU())
        for before, after in ((32, 32), (32, 64), (64, 128)):
            self.extend([nn.Conv2d(before, after, 3, 2, 1), nn.BatchNorm2d(after), nn.ReLU(), _Block(after)])
        self.extend([nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 100)])


def _input() -> Tensor:
    return torch.randn(_BATCH, 3, _SIDE, _SIDE, generator=torch.Generator().manual_seed(1))


def _captum(network: nn.Module, method: str, x: Tensor, target: int) -> Tensor:
    from captum.attr import Deconvolution, GuidedBackprop

    peer = {"deconvnet": Deconvolution, "guided": GuidedBackprop}[method]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return peer(network).attribute(x.clone().requires_grad_(), target=target)


def difference(network: nn.Module) -> float:
    """max |a - b| / max |b| over DeconvNet and guided backpropagation, a ours and b Captum's."""
    x, worst = _input(), 0.0
    for method in ("deconvnet", "guided"):
        theirs = _captum(network, method, x, 3)
        ours = explain(network, x, target=3, method=method).maps
        worst = max(worst, float((ours - theirs).abs().max() / theirs.abs().max()))
    return worst


def speed(network: nn.Module, repeats: int) -> dict[str, float]:
    """DeconvNet maps a second of a batch of 8: Captum's, ours, and ours of several targets from one forward pass."""
    x = _input()
    targets = list(range(_TARGETS))
    times = interleaved(
        {
            "captum": lambda: _captum(network, "deconvnet", x, 3),
            "unpool": lambda: explain(network, x, target=3, method="deconvnet"),
            "unpool_several_targets": lambda: explain(network, x, target=targets, method="deconvnet"),
        },
        repeats=repeats,
    )
    maps = {"captum": _BATCH, "unpool": _BATCH, "unpool_several_targets": _BATCH * _TARGETS}
    return {name: maps[name] / seconds["median"] for name, seconds in times.items()}


def _mean(speeds: dict[str, dict[str, float]], key: str) -> float:
    """The geometric mean over networks."""
    return float(np.exp(np.mean([np.log(row[key]) for row in speeds.values()])))


def memory_of(who: str) -> None:
    """Twenty DeconvNet batches on the VGG-like network: what a fresh process runs to have its peak measured."""
    torch.set_num_threads(2)
    network, x = networks()["vgg-like"], _input()
    for _ in range(20):
        if who == "captum":
            _captum(network, "deconvnet", x, 3)
        else:
            explain(network, x, target=3, method="deconvnet")


def memory() -> dict[str, float]:
    """Peak resident memory of `memory_of` in MB, above what the process held before."""
    peaks = {who: peak_memory("unpool.explanation.bench:memory_of", who) for who in ("unpool", "captum")}
    return {
        f"{prefix}peak_memory_mb": (peaks[who]["peak"] - peaks[who]["before"]) / 1e6
        for who, prefix in (("unpool", ""), ("captum", "peer_"))
    }


def inversions(data: Path | None, limit: int | None, report: Callable[[str], None]) -> dict[str, Any]:
    """PSNR (RGB) of each shipped inversion on held-out pictures, and how many the explained network calls the same.

    The two top-level figures are the means over EfficientNet-Lite0's depths.
    """
    from unpool.explanation.task import held_out_pictures

    table: dict[str, dict[str, Any]] = {}
    known: dict[str, list[Tensor]] = {}
    for name in shipped():
        if not name.startswith("explanation/invert"):
            continue
        inverter: FeatureInverter = load(name)
        kind = inverter.record.recipe["options"]["pictures"]
        try:
            if kind not in known:
                known[kind] = held_out_pictures(inverter.subject, kind, data)[:limit]
        except DataError as error:
            report(f"inversions left out: {error}")
            return {"inversion_psnr": None, "inversion_same_class": None, "inversions": {}}
        table[name] = {"layer": inverter.layer, **inverted(inverter, known[kind])}
    rows = [row for name, row in table.items() if "lite0" in name]
    means = {key: float(np.mean([row[key] for row in rows])) if rows else None for key in ("psnr", "same_class")}
    return {
        "inversion_psnr": means["psnr"],
        "inversion_same_class": means["same_class"],
        "inversions": table,
    }


def inverted(inverter: FeatureInverter, pictures: list[Tensor]) -> dict[str, float]:
    """`psnr` and `same_class` over pictures (1, 3, side, side) in [0, 1], and their number."""
    subject, ratios, same = inverter.subject, [], []
    with torch.no_grad():
        for picture in pictures:
            x = subject.normalised(picture)
            drawn = inverter.drawn(x).cpu()
            ratios.append(float(psnr_rgb(drawn, picture)))
            same.append(int(subject.module(x).argmax()) == int(subject.module(subject.normalised(drawn)).argmax()))
    return {"psnr": float(np.mean(ratios)), "same_class": float(np.mean(same)), "pictures": len(same)}


def honesty(
    data: Path | None, count: int, methods: tuple[str, ...], report: Callable[[str], None]
) -> tuple[dict[str, dict[str, Any]], int]:
    """Scores of each method on labelled photographs, for the labelled class: mean and standard deviation.

    Returns the table and how many photographs it stands on: 0 where they are missing.
    """
    from unpool.zoo.imagenet import classes

    order = {synset: number for number, (synset, _) in enumerate(classes())}
    try:
        folder = find("photos", data)
        files = [path for path in sorted(folder.rglob("n*_*.*")) if path.stem.partition("_")[0] in order]
    except DataError as error:
        report(f"honesty left out: {error}")
        return {}, 0
    chosen = files[:: max(1, len(files) // count)][:count]
    subject = Subject("efficientnet-lite0")
    twin = shadow(subject.module)
    mixed = randomised([shadow(subject.module) for _ in range(STAGES)])
    rows: dict[str, list[tuple[float, ...]]] = {method: [] for method in methods}
    for number, path in enumerate(chosen, 1):
        report(f"photograph {number} of {len(chosen)}")
        label = order[path.stem.partition("_")[0]]
        x = subject.inputs(path)
        for method in methods:
            options = _CHEAPER.get(method, {})
            found = explain(subject, x, target=Class(label), method=method, **options)
            scores = judged(twin, mixed, x, found.maps[0], found.target, found.layer, method, options)
            rows[method].append((scores.insertion, scores.deletion, scores.randomisation, found.seconds))
    names = ("insertion", "deletion", "randomisation", "seconds")
    table: dict[str, dict[str, Any]] = {}
    for method, values in rows.items():
        columns = np.array(values).T if values else np.zeros((4, 0))
        table[method] = {name: float(np.mean(column)) for name, column in zip(names, columns)}
        table[method] |= {f"{name}_spread": float(np.std(column)) for name, column in zip(names, columns)}
        table[method] |= {"options": _CHEAPER.get(method, {})}
    return table, len(chosen)
