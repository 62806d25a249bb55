"""The spoken digits measured: heard by a judge who never met a generated one, and freed of noise."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from unpool.errors import DataError
from unpool.generation.digits import classes_of, recordings, thinned
from unpool.generation.digits_task import gains
from unpool.generation.features import nearest, precision_recall
from unpool.generation.waveform import FRAMES, Spectrogram
from unpool.zoo.loading import load
from unpool.zoo.weights import shipped

_TRAINED = 400  # steps of each training that compares spectrograms with waveforms
_GRIFFIN_LIM = 20

Report = Callable[[str], None]
_MODELS = ("generation/digits", "generation/digit-judge", "generation/digits-denoiser")
NAMED = ("digit_accuracy", "digit_accuracy_real", "digit_recall", "digit_recall_real")


def digits(*, quick: bool, data: Path | None, report: Report, notes: list[str]) -> dict[str, Any]:
    """Figures of `generation/digits`, on the 300 recordings of the test part and as many generated ones."""
    empty: dict[str, Any] = dict.fromkeys(NAMED)
    missing = [name for name in _MODELS if name not in shipped()]
    if missing:
        notes.append(f"{', '.join(missing)}: no weights here")
        return empty
    try:
        test, other, training = (recordings(part, data) for part in ("test", "validation", "train"))
    except DataError as error:
        notes.append(str(error))
        return empty
    report("spoken digits")
    voices, judge, denoiser = (load(name, "cpu") for name in _MODELS)
    said, classes = torch.from_numpy(test.digits), torch.from_numpy(classes_of(test))
    clean = torch.from_numpy(test.samples)
    latents = voices.latents(len(test))
    # The real ones to compare with are those that neither the judge nor the generator was trained on.
    sets = {"real": torch.from_numpy(other.samples), "ours": voices.waves(latents, classes, iterations=_GRIFFIN_LIM)}
    if not quick:
        sets["ours without texture"] = voices.waves(latents, classes, texture=0.0, iterations=_GRIFFIN_LIM)
        known_classes = torch.from_numpy(classes_of(training))
        sets["Gaussian"] = _gaussian(torch.from_numpy(training.samples), known_classes, classes)
    told, reference = judge(clean)
    known = judge(torch.from_numpy(training.samples))[1]
    rows = {}
    for name, samples in sets.items():
        answers, features = judge(samples)
        precision, recall = precision_recall(reference, features)
        own = torch.from_numpy(other.digits) if name == "real" else said
        rows[name] = {
            "accuracy": float((answers.argmax(1) == own).float().mean()),
            "precision": precision,
            "recall": recall,
            "distance_to_training": float(nearest(features, known)[0].median()),
        }
    rows["test"] = {
        "accuracy": float((told.argmax(1) == said).float().mean()),
        "distance_to_training": float(nearest(reference, known)[0].median()),
    }
    figures = {
        "digit_accuracy": rows["ours"]["accuracy"],
        "digit_accuracy_real": rows["test"]["accuracy"],
        "digit_recall": rows["ours"]["recall"],
        "digit_recall_real": rows["real"]["recall"],
        "digit_recordings": len(test),
        "digits_against_test": rows,
        "digits_denoised": {
            "ours": gains(denoiser, clean),
            "Wiener filter": gains(wiener, clean),
        },
    }
    return figures | ({} if quick else {"digits_as": _forms(data, report)})


def _gaussian(samples: Tensor, known: Tensor, classes: Tensor, components: int = 64) -> Tensor:
    """Waveforms of levels drawn from a Gaussian of each class, in the main directions of all recordings."""
    levels = torch.cat([thinned(part) for part in samples.split(100)])
    flat = levels.flatten(1)
    mean = flat.mean(0)
    torch.manual_seed(0)  # pca_lowrank draws from the global generator
    _, _, directions = torch.pca_lowrank(flat - mean, q=components, center=False, niter=1)
    codes = (flat - mean) @ directions
    means = torch.stack([codes[known == c].mean(0) for c in range(int(known.max()) + 1)])
    factor = torch.linalg.cholesky(torch.cov((codes - means[known]).T))
    noise = torch.randn(len(classes), components, generator=torch.Generator().manual_seed(0))
    drawn = (mean + (means[classes] + noise @ factor.T) @ directions.T).view(-1, *levels.shape[1:])
    made = F.interpolate(drawn.clamp(0, 1), FRAMES, mode="linear")
    return torch.cat([Spectrogram().wave(part, _GRIFFIN_LIM) for part in made.split(50)])


def wiener(noisy: Tensor) -> Tensor:
    """The classical method: each bin weakened by what of its power is noise, whose level the quietest tenth tells."""
    spectrogram = Spectrogram()
    transformed = spectrogram.transform(noisy)
    power = transformed.abs().square()
    # White noise's power is exponential: a tenth lies below 0.105 of its mean.
    noise = power.flatten(1).quantile(0.1, dim=1)[:, None, None] / 0.105
    smooth = F.avg_pool2d(power[:, None], 3, 1, 1, count_include_pad=False)[:, 0]
    return spectrogram.samples(transformed * (1 - noise / smooth.clamp(min=1e-12)).clamp(min=0.05))


def _forms(data: Path | None, report: Report) -> dict[str, dict[str, float]]:
    """The same time of training on spectrograms and on waveforms: what the judge says."""
    from unpool.train import recipe as recipes
    from unpool.train.loop import train

    towers = ["widths=[16, 32, 64, 96, 96]", "strides=[4, 4, 4, 4, 4]", "blocks=[0, 0, 1, 1, 1]"]
    forms = {"spectrograms": [], "waveforms": ["waveform=true", *towers]}
    table = {}
    for name, settings in forms.items():
        report(f"digits as {name}: {_TRAINED} steps")
        chosen = recipes.load("generation/digits", [*settings, "evaluate_every=1000000", "ema=null"])
        with tempfile.TemporaryDirectory() as folder:
            table[name] = train(chosen, Path(folder), data=data, steps=_TRAINED, device="cpu")
    return table
