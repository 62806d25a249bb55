"""What a code is worth, beside PCA and Fisherfaces with as many numbers, on people that no model saw.

Peers are fitted on the CelebA pictures that trained the models; `pca_lfw` is fitted inside LFW's folds instead, on the
other nine. LFW trains nothing else and chooses nothing.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unpool.autoencoders import lfw
from unpool.autoencoders.api import Coder, to_8_bit
from unpool.autoencoders.classification import few_labels
from unpool.autoencoders.lessons import CURVE_MINUTES, joint, of_code_sizes, trained
from unpool.autoencoders.maps import faithfulness, places_of
from unpool.autoencoders.neighbours import auroc, nearest_is_same
from unpool.autoencoders.peers import Eigenfaces, Fisherfaces
from unpool.autoencoders.samples import FaceSamples, held_out
from unpool.autoencoders.task import PROBES, probe
from unpool.autoencoders.verification import accuracy_on, cosines, mean_and_error
from unpool.images.metrics import psnr_rgb, ssim_y
from unpool.images.reading import read
from unpool.train.data.find import find
from unpool.zoo.loading import load
from unpool.zoo.measure import interleaved

SIZE, NUMBERS = 64, 64
CODE_SIZES = (8, 16, 32, 64, 128, 256, 512)
MODELS = {"conv": "faces", "denoising": "faces-denoising", "supervised": "faces-supervised"}
_REFINE = 8
_QUICK = {"held_out": 400, "lfw_pairs_each": 30, "fisher_components": 192}


def bench(*, quick: bool, data: Path | None, report: Callable[[str], None]) -> dict[str, Any]:
    """Every measurement of the wing; `quick` takes the subset that the answer names and trains nothing."""
    report("faces and principal components")
    samples = FaceSamples(SIZE, data)
    train = samples.pictures()
    components = _QUICK["fisher_components"] if quick else max(CODE_SIZES)
    pca = Eigenfaces(train, components)
    fisher = Fisherfaces(train, samples.labels, NUMBERS, pca)
    pictures, people = held_out(SIZE, data, test=True, most=_QUICK["held_out"] if quick else None)
    coders = {name: load(f"autoencoders/{file}", "cpu") for name, file in MODELS.items()}
    answer: dict[str, Any] = {"subset": _QUICK if quick else "everything", "fitted_on": len(train)}

    report("reconstruction")
    answer |= _reconstruction(coders, pca, pictures, [n for n in CODE_SIZES if n <= components])
    answer |= _denoising(coders, pca, pictures[:: 1 if quick else 2])
    answer["anomaly_auroc"] = _anomaly(coders["conv"], pca, pictures, data)

    encoders: dict[str, Callable[[Tensor], np.ndarray]] = {name: coder.encode for name, coder in coders.items()}
    answer["code_size"] = None
    if not quick:
        answer["code_size"] = _curve(of_code_sizes(CODE_SIZES, data, report), pca, pictures)
        report("training the dense peer")
        encoders["dense"] = trained("autoencoders/faces-dense", data).encode
    encoders["pca"] = lambda x: pca.encode(x, numbers=NUMBERS)
    encoders["pca_whitened"] = lambda x: pca.encode(x, whiten=True, numbers=NUMBERS)
    encoders["fisherfaces"] = fisher.encode
    answer["nearest_neighbour"] = {name: nearest_is_same(encode(pictures), people) for name, encode in encoders.items()}

    few = pictures[:600]
    codes = {name: encode(few) for name, encode in encoders.items()}
    answer["map"] = {name: faithfulness(code, places_of(code)) for name, code in codes.items()}

    report("LFW")
    answer |= _recognition(encoders, lfw.load_pairs(SIZE, data, each=_QUICK["lfw_pairs_each"] if quick else None))
    answer |= {"fashion_mnist_few_labels": None, "fashion_mnist_joint": None}
    if not quick:
        report("Fashion-MNIST with few labels")
        answer["fashion_mnist_few_labels"] = few_labels(trained("autoencoders/fashion", data).encode, 32, data)
        answer["fashion_mnist_joint"] = joint(data, report)

    report("speed")
    batch = pictures[:64]
    with torch.inference_mode():
        seconds = interleaved(
            {name: lambda c=coder: c.module.encode(batch) for name, coder in coders.items()}
            | {"pca": lambda: pca.encode(batch)}
        )
    answer["encode_faces_per_second"] = len(batch) / seconds["conv"]["median"]
    answer["seconds_a_batch_of_64"] = seconds
    return answer


def _reconstruction(coders: Mapping[str, Coder], pca: Eigenfaces, pictures: Tensor, sizes: list[int]) -> dict[str, Any]:
    codes = {name: coder.encode(pictures) for name, coder in coders.items()}
    table = {name: _quality(coders[name].decode_tensor(code), pictures) for name, code in codes.items()}
    better = coders["conv"].encode(pictures, refine=_REFINE)
    table[f"conv refined in {_REFINE} steps"] = _quality(coders["conv"].decode_tensor(better), pictures)
    bytes_, low, step = to_8_bit(codes["conv"])
    table["conv in 8 bit"] = _quality(coders["conv"].decode_tensor(low + step * bytes_), pictures)
    every = pca.encode(pictures)
    for numbers in sizes:
        table[f"pca {numbers}"] = _quality(pca.decode(every[:, :numbers]), pictures)
    bytes_, low, step = to_8_bit(every[:, :NUMBERS])
    table[f"pca {NUMBERS} in 8 bit"] = _quality(pca.decode(low + step * bytes_), pictures)
    at_64 = {"psnr_at_64": table["conv"]["psnr_rgb"], "psnr_pca_at_64": table[f"pca {NUMBERS}"]["psnr_rgb"]}
    return at_64 | {"reconstruction": table}


def _curve(coders: Mapping[int, Coder], pca: Eigenfaces, pictures: Tensor) -> dict[str, dict[str, float]]:
    """Quality against code size, of autoencoders all trained here for the same time, and of PCA."""
    every, table = pca.encode(pictures), {}
    for numbers, coder in coders.items():
        table[f"conv {numbers}"] = _quality(coder.decode_tensor(coder.encode(pictures)), pictures) | {
            "minutes": CURVE_MINUTES
        }
        table[f"pca {numbers}"] = _quality(pca.decode(every[:, :numbers]), pictures)
    return table


def _quality(made: Tensor, wanted: Tensor) -> dict[str, float]:
    return {"psnr_rgb": float(psnr_rgb(made, wanted).mean()), "ssim_y": float(ssim_y(made, wanted, crop=0).mean())}


def _denoising(coders: Mapping[str, Coder], pca: Eigenfaces, pictures: Tensor) -> dict[str, Any]:
    table: dict[str, dict[str, float]] = {}
    for seed, name in enumerate(PROBES):
        bad = probe(pictures, seed, name)
        made = {label: coder.decode_tensor(coder.encode(bad)) for label, coder in coders.items()}
        made["pca"] = pca.decode(pca.encode(bad, numbers=NUMBERS))
        table[name] = {label: float(psnr_rgb(again, pictures).mean()) for label, again in made.items()}
    gain = float(np.mean([row["denoising"] - row["pca"] for row in table.values()]))
    return {"denoising_gain_db": gain, "psnr_rgb_of_damaged_faces": table}


def _anomaly(coder: Coder, pca: Eigenfaces, faces: Tensor, data: Path | None) -> dict[str, float]:
    """AUROC of the reconstruction error for telling faces from central squares of photographs of other things."""
    folder = find("photos/train/everyday", data)
    others = torch.cat([coder.prepare(read(path)) for path in sorted(folder.iterdir())[::4]])
    made = {
        "conv": [coder.decode_tensor(coder.encode(part)) for part in (faces, others)],
        "pca": [pca.decode(pca.encode(part, numbers=NUMBERS)) for part in (faces, others)],
    }
    scores = {
        name: [(again - part).square().flatten(1).mean(1).numpy() for again, part in zip(both, (faces, others))]
        for name, both in made.items()
    }
    return {name: auroc(*pair) for name, pair in scores.items()}


def _recognition(encoders: Mapping[str, Callable[[Tensor], np.ndarray]], pairs: lfw.Pairs) -> dict[str, Any]:
    table = {}
    for name, encode in encoders.items():
        codes = encode(pairs.pictures)
        table[name] = lfw.verify(codes, pairs)
        bytes_, low, step = to_8_bit(codes)
        table[name]["lfw_accuracy_8_bit"] = lfw.verify(low + step * bytes_, pairs)["lfw_accuracy"]
    table |= _pca_in_folds(pairs)
    accuracy = {name: row["lfw_accuracy"] for name, row in table.items()}
    return {
        "lfw_accuracy_conv": accuracy["conv"],
        "lfw_accuracy_supervised": accuracy["supervised"],
        "lfw_accuracy_pca": max(accuracy["pca"], accuracy["pca_whitened"]),
        "lfw_accuracy_pca_lfw": max(accuracy["pca_lfw"], accuracy["pca_lfw_whitened"]),
        "lfw_accuracy_dense": accuracy.get("dense"),
        "lfw_pairs": len(pairs.same),
        "recognition": table,
        "recognition_note": "CelebA gives numbers, not names: a person of LFW may be among those trained on.",
    }


def _pca_in_folds(pairs: lfw.Pairs) -> dict[str, dict[str, float]]:
    """View 2 with components fitted, for each fold, on the pictures of the other nine; plain and whitened."""
    accuracies: dict[str, list[float]] = {"pca_lfw": [], "pca_lfw_whitened": []}
    for number in np.unique(pairs.fold):
        test = pairs.fold == number
        used = np.unique(np.concatenate([pairs.first[~test], pairs.second[~test]]))
        pca = Eigenfaces(pairs.pictures[used], NUMBERS)
        for name, whiten in (("pca_lfw", False), ("pca_lfw_whitened", True)):
            codes = pca.encode(pairs.pictures, whiten=whiten)
            scores = cosines(codes[pairs.first], codes[pairs.second])
            accuracies[name].append(accuracy_on(test, scores, pairs.same))
    means = {name: mean_and_error(values) for name, values in accuracies.items()}
    return {name: {"lfw_accuracy": mean, "standard_error": error} for name, (mean, error) in means.items()}
