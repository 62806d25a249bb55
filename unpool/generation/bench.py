"""The generation wing measured: distances to held-out pictures, copying, checkerboards, speed, upsampling."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unpool.errors import DataError, UnpoolError
from unpool.generation import classic
from unpool.generation.api import Generation, all_features, load_generation
from unpool.generation.digits_bench import digits
from unpool.generation.expansion import comparison, parted
from unpool.generation.features import FEATURES, features, fid, kid, nearest, precision_recall, sharpness
from unpool.generation.pictures import Pictures, pictures
from unpool.nn.checkerboard import checkerboard_energy
from unpool.nn.deconv import KINDS
from unpool.zoo.loading import load
from unpool.zoo.measure import interleaved, macs, parameters
from unpool.zoo.weights import load_module, shipped

Report = Callable[[str], None]
_STRIDE = 4  # of the checkerboard's frequencies: those of the last two upsamplings
_QUICK, _MOST = {"fashion": 1500, "faces": 300}, 5000
_OF_A_PERSON = (5, 10, 20)  # pictures that a small recogniser trains on
_TRAINED = 250  # steps of each half of the training that compares upsamplings


def bench(*, quick: bool, data: Path | None, report: Report) -> dict[str, Any]:
    """The wing's figures. A figure whose model or set is missing here is None; `notes` says which and why."""
    notes: list[str] = []
    figures: dict[str, Any] = {"features": FEATURES}
    for name in ("fashion", "faces"):
        report(f"{name}: features")
        figures |= _against_held_out(name, quick, data, notes)
    figures |= _speed(quick)
    figures |= digits(quick=quick, data=data, report=report, notes=notes)
    figures["upsampling"] = {} if quick else _upsampling(data, report, notes)
    figures |= {} if quick else _few_real_ones(data, report, notes)
    return figures | {"notes": notes}


def _against_held_out(name: str, quick: bool, data: Path | None, notes: list[str]) -> dict[str, Any]:
    empty = dict.fromkeys(_top(name, {}, {}))
    if f"generation/{name}" not in shipped():
        notes.append(f"generation/{name} has no weights here")
        return empty
    try:
        training, held_out = (pictures(name, part, data) for part in ("train", "held-out"))
    except DataError as error:
        notes.append(str(error))
        return empty
    made = load_generation(name, "cpu")
    count = min(_QUICK[name] if quick else _MOST, len(held_out))
    real, labels = _drawn(held_out, count, seed=0)
    sets: dict[str, Tensor | None] = {"real": _drawn(training, count, seed=1)[0]}
    sets["ours"] = _generated(made, count, labels)
    if name == "fashion":
        sets["classic"] = _classic(labels, notes)
    sets["Gaussian autoencoder"] = _autoencoder(name, _drawn(training, 1000, seed=2)[0], count, notes)
    sets["PCA-Gaussian"] = pca_gaussian(_drawn(training, 2000, seed=2)[0], count)
    reference = features(real, name)
    known = {key: features(values, name) for key, values in sets.items() if values is not None}
    rows = {key: _row(reference, value) for key, value in known.items()}
    energy = checkerboard_energy(real, _STRIDE)
    for key, values in sets.items():
        if values is not None:
            rows[key]["checkerboard_ratio"] = checkerboard_energy(values, _STRIDE) / energy
            rows[key]["sharpness"] = sharpness(real, values)
    # A copy is missed where its original is left out: only `quick` makes do with those drawn above.
    trained = known["real"] if quick else all_features(training, name)
    copying = {
        "compared_with": len(trained),
        "generated": float(nearest(known["ours"], trained)[0].median()),
        "held_out": float(nearest(reference, trained)[0].median()),
    }
    tables = {f"{name}_pictures": count, f"{name}_against_held_out": rows, f"{name}_distance_to_training": copying}
    return _top(name, rows, copying) | tables


def _top(name: str, rows: dict[str, dict[str, Any]], copying: dict[str, float]) -> dict[str, Any]:
    """The figures that stand on their own."""

    def value(row: str, key: str) -> Any:
        return rows.get(row, {}).get(key)

    if name == "fashion":
        return {
            "kid_fashion": value("ours", "kid"),
            "kid_fashion_classic": value("classic", "kid"),
            "checkerboard_ratio_classic": value("classic", "checkerboard_ratio"),
        }
    return {
        "kid_faces": value("ours", "kid"),
        "kid_faces_upper": value("ours", "kid_upper"),
        "kid_faces_pca": value("PCA-Gaussian", "kid"),
        "precision_faces": value("ours", "precision"),
        "recall_faces": value("ours", "recall"),
        "checkerboard_ratio": value("ours", "checkerboard_ratio"),
    }


def _row(reference: Tensor, other: Tensor) -> dict[str, Any]:
    estimate = kid(reference, other)
    precision, recall = precision_recall(reference, other)
    distance = fid(reference, other)
    return {
        "kid": estimate.value,
        "kid_error": estimate.error,
        "kid_upper": estimate.upper,
        "fid": distance,
        "precision": precision,
        "recall": recall,
    }


def _drawn(source: Pictures, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """`count` pictures (N, C, H, W) in [0, 1] and their labels, drawn without repetition."""
    chosen = torch.randperm(len(source), generator=torch.Generator().manual_seed(seed))[:count].numpy()
    return source.tensor(chosen), torch.from_numpy(source.labels[chosen])


def _generated(made: Generation, count: int, labels: Tensor) -> Tensor:
    latents, _ = made.latents(count)
    return made.tensor(latents, labels if made.classes else None)


def _classic(labels: Tensor, notes: list[str]) -> Tensor | None:
    if "classic/deconv-generator" not in shipped():
        notes.append("classic/deconv-generator has no weights here")
        return None
    network = load_module("classic/deconv-generator")[0]
    assert isinstance(network, classic.DeconvGenerator)
    with torch.no_grad():
        return network.generate(labels, torch.Generator().manual_seed(0))


def _autoencoder(name: str, training: Tensor, count: int, notes: list[str]) -> Tensor | None:
    """Pictures that the autoencoders wing decodes from a Gaussian fitted to its codes."""
    if f"autoencoders/{name}" not in shipped():
        notes.append(f"autoencoders/{name} has no weights here")
        return None
    coder = load(f"autoencoders/{name}", "cpu")
    codes = coder.encode(list(training))
    drawn = np.random.default_rng(0).multivariate_normal(codes.mean(0), np.cov(codes.T), count)
    return coder.decode_tensor(drawn.astype(np.float32))


def pca_gaussian(training: Tensor, count: int, *, components: int = 128, seed: int = 0) -> Tensor:
    """`count` samples of a Gaussian fitted to pictures (M, C, H, W) in their `components` main directions."""
    flat = training.flatten(1)
    mean = flat.mean(0)
    torch.manual_seed(seed)  # pca_lowrank draws from the global generator
    _, deviations, directions = torch.pca_lowrank(flat - mean, q=min(components, *flat.shape), center=False, niter=2)
    scale = deviations / (len(flat) - 1) ** 0.5
    drawn = torch.randn(count, len(scale), generator=torch.Generator().manual_seed(seed)) * scale
    return (mean + drawn @ directions.T).view(count, *training.shape[1:]).clamp(0, 1)


def _speed(quick: bool) -> dict[str, Any]:
    models = [name for name in ("faces", "fashion") if f"generation/{name}" in shipped()]
    made = {name: load_generation(name, "cpu") for name in models}
    calls = {}
    for name, one in made.items():
        latents, labels = one.latents(64)
        calls[name] = lambda one=one, latents=latents, labels=labels: one.tensor(latents, labels)
    times = interleaved(calls, repeats=3 if quick else 15) if calls else {}
    table = {
        name: {
            "images_per_second": 64 / times[name]["median"],
            "low": 64 / times[name]["high"],
            "high": 64 / times[name]["low"],
            "parameters": parameters(one.module),
            "mmacs_a_picture": macs(one.module, *one.module.example_inputs()) / 1e6,
        }
        for name, one in made.items()
    }
    first = table.get("faces", table.get("fashion", {}))
    return {"images_per_second": first.get("images_per_second"), "models": table}


def _few_real_ones(data: Path | None, report: Report, notes: list[str]) -> dict[str, Any]:
    """Accuracy of classifiers of clothes and of people trained on few real pictures, also with generated ones."""
    tables: dict[str, Any] = {}
    for part in (_few_clothes, _few_faces):
        try:
            tables |= part(data, report)
        except UnpoolError as error:
            notes.append(str(error))
    return tables


def _few_clothes(data: Path | None, report: Report) -> dict[str, Any]:
    training, held_out = (pictures("fashion", part, data) for part in ("train", "held-out"))
    (real, labels), (tested, answers) = _drawn(training, 5000, seed=4), _drawn(held_out, 5000, seed=5)
    made, others = load_generation("fashion", "cpu"), torch.arange(len(real), len(real) + len(tested))
    tables = {}
    for each in (10, 100):
        report(f"training on {each} pictures a class")
        tables[f"accuracy_{each}_a_class"] = comparison(
            torch.cat([real, tested]),
            torch.cat([labels, answers]),
            lambda seed, each=each: (parted(labels, each, 0, seed)[0], others),  # type: ignore[misc]
            made,
        )
    return tables


def _few_faces(data: Path | None, report: Report) -> dict[str, Any]:
    """People whom the generator never saw; of each, pictures that are not among the first 20 drawn are tested."""
    held_out = pictures("faces", "held-out", data)
    counts = np.bincount(held_out.labels)
    many = np.flatnonzero(counts >= max(_OF_A_PERSON) + 4)
    if len(many) < 2:
        raise DataError("too few people are held out to compare recognisers trained on few pictures")
    chosen = np.flatnonzero(np.isin(held_out.labels, many))
    shown, people = held_out.tensor(chosen), torch.from_numpy(np.searchsorted(many, held_out.labels[chosen]))
    made = load_generation("faces", "cpu")
    report(f"latents of {len(shown)} pictures of {len(many)} people")
    latents = torch.cat([made.invert(part, steps=100)[0] for part in shown.split(64)])
    tables: dict[str, Any] = {"people": len(many), "pictures_of_people": len(shown)}
    for each in _OF_A_PERSON:
        report(f"training on {each} pictures a person")
        tables[f"accuracy_{each}_a_person"] = comparison(
            shown,
            people,
            lambda seed, each=each: parted(people, each, max(_OF_A_PERSON), seed),  # type: ignore[misc]
            made,
            latents=latents,
        )
    return tables


def _upsampling(data: Path | None, report: Report, notes: list[str]) -> dict[str, dict[str, Any]]:
    """The same generator with each way of upsampling, trained alike for a short time from the same seed."""
    from unpool.train import recipe as recipes
    from unpool.train.loop import train

    try:
        real, labels = _drawn(pictures("fashion", "held-out", data), 1000, seed=0)
    except DataError as error:
        notes.append(str(error))
        return {}
    reference, energy = features(real, "fashion"), checkerboard_energy(real, _STRIDE)
    table = {}
    for kind in KINDS:
        report(f"upsampling by {kind}: {2 * _TRAINED} steps")
        chosen = recipes.load(
            "generation/fashion", [f"upsample={kind}", f"start={_TRAINED}", "best=null", "evaluate_every=1000000"]
        )
        with tempfile.TemporaryDirectory() as folder:
            train(chosen, Path(folder), data=data, steps=2 * _TRAINED, device="cpu")
            made = load_generation(str(Path(folder) / "fashion.safetensors"), "cpu")
        values = _generated(made, len(labels), labels)
        estimate = kid(reference, features(values, "fashion"))
        table[kind] = {
            "kid": estimate.value,
            "kid_error": estimate.error,
            "checkerboard_ratio": checkerboard_energy(values, _STRIDE) / energy,
            "parameters": parameters(made.module),
            "pictures_seen": 2 * _TRAINED * chosen.batch,
        }
    return table
