"""How much better are the shipped models on what trained them than on what did not?"""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from unpool.codec.api import PictureCodec
from unpool.faces.damage import reduced
from unpool.faces.enlarger import both_ways
from unpool.faces.verification import best_threshold, draw_pairs, similarities
from unpool.images.degradations import JPEG
from unpool.images.metrics import psnr_rgb, psnr_y
from unpool.images.picture import Picture
from unpool.images.resampling import imresize
from unpool.questions.portion import decibels
from unpool.restoration.damage import damage
from unpool.train.data.faces import faces, halves
from unpool.train.data.fashion import FashionSamples
from unpool.train.data.pack import Pack
from unpool.train.data.photos import photos
from unpool.train.recipe import load
from unpool.zoo.measure import parameters
from unpool.zoo.weights import load_module, shipped

Measure = Callable[[nn.Module, bool, int, Path | None], Tensor]
CELEBA = ["celeba_aligned", "celeba_small", "celeba"]
_SEEDS = "draws from seeds: no picture has a right answer that it could know by heart"
_FEATURES = "draws from features that only its own wing computes"
_SOUND = "works on sounds, which only its own wing reads"
_TEXT = "works on sentences, which only its own wing reads"
NOT_ASKED = {  # by how a name begins
    "explanation/invert": _FEATURES,
    "generation/faces": _SEEDS,
    "generation/fashion": _SEEDS,
    "generation/sentences": _TEXT,
    "generation/digit": _SOUND,
}


def _garments(training: bool, most: int, data: Path | None) -> tuple[Tensor, Tensor]:
    samples = FashionSamples("train" if training else "test", data)
    return torch.from_numpy(samples.batch(0, most)), torch.from_numpy(samples.labels[:most])


def _faces(size: int, training: bool, most: int, data: Path | None, sources: list[str] = CELEBA) -> Tensor:
    pack = faces(size, data)
    present = [name for name in sources if name in set(pack.column("source").tolist())]
    held_out = halves(pack, present)[1]  # the half that never chose weights either
    return _planes(pack, _even(pack.where(part="train", source=present) if training else held_out, most))


def _photos(training: bool, most: int, data: Path | None, side: int = 192) -> list[Tensor]:
    """The middle of photographs, (1, 3, H, W), sides multiples of 12."""
    pack, found = photos(data), []
    for index in _even(pack.where(part="train" if training else "validation"), most):
        samples = pack[int(index)]
        rows, columns = (min(side, length) // 12 * 12 for length in samples.shape[:2])
        top, left = (samples.shape[0] - rows) // 2, (samples.shape[1] - columns) // 2
        found.append(_tensor(samples[top : top + rows, left : left + columns]))
    return found


def _even(indices: np.ndarray, most: int) -> np.ndarray:
    return indices[np.linspace(0, len(indices) - 1, min(most, len(indices))).round().astype(int)]


def _planes(pack: Pack, indices: np.ndarray) -> Tensor:
    return torch.cat([_tensor(pack[int(i)]) for i in indices])


def _tensor(samples: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(samples.transpose(2, 0, 1)))[None].float() / 255


def _reconstruction(network: nn.Module, training: bool, most: int, data: Path | None) -> Tensor:
    return decibels(network, _garments(training, most, data)[0])


def _class(network: nn.Module, training: bool, most: int, data: Path | None) -> Tensor:
    pictures, labels = _garments(training, most, data)
    return (network(pictures).argmax(1) == labels).double()


def _generator(network: nn.Module, training: bool, most: int, data: Path | None) -> Tensor:
    classifier: Any = load_module("classic/cnn-classifier")[0]
    pictures = _garments(training, most, data)[0]
    return psnr_rgb(network(classifier.features(pictures)).clamp(0, 1), pictures)


def _face(network: nn.Module, training: bool, most: int, data: Path | None) -> Tensor:
    return decibels(network, _faces(64, training, most, data))


def _named_face(network: nn.Module, training: bool, most: int, data: Path | None) -> Tensor:
    return decibels(network, _faces(64, training, most, data, ["celeba_aligned"]))


def _person(network: nn.Module, training: bool, most: int, data: Path | None) -> Tensor:
    """Everybody trained; held out are some pictures of each. What its task counts by, as it counts."""
    task = load("explanation/faces-vgg").make_task(data)
    if not training:
        task.networks = {"classifier": network}
        figures = task.evaluate()
        right = round(figures["accuracy"] * figures["held_out_pictures"])
        return (torch.arange(int(figures["held_out_pictures"])) < right).double()
    whole: Any = task.dataset()
    chosen = _even(np.arange(len(whole)), most)
    pictures = torch.stack([whole.plain(int(i)) for i in chosen])
    people = torch.tensor([whole.numbers[int(i)] for i in chosen])
    return (network((pictures - 0.5) / 0.25).argmax(1) == people).double()


def _plain_conv(network: nn.Module, training: bool, most: int, data: Path | None) -> Tensor:
    return torch.cat([decibels(network, picture) for picture in _photos(training, most, data)])


def _enlarged(scale: int) -> Measure:
    def gain(network: nn.Module, training: bool, most: int, data: Path | None) -> Tensor:
        """dB over bicubic, of Y: photographs differ more from one another than methods do."""
        gains = []
        for clean in _photos(training, most, data):
            small = imresize(clean, 1 / scale).clamp(0, 1)
            plain = psnr_y(imresize(small, scale), clean, crop=scale)
            gains.append(psnr_y(network(small), clean, crop=scale) - plain)
        return torch.cat(gains)

    return gain


def _mended(kind: str, scale: int = 1) -> Measure:
    def gain(network: nn.Module, training: bool, most: int, data: Path | None) -> Tensor:
        """dB over the damaged picture, enlarged bicubically where the network enlarges."""
        (spoil,) = damage(kind, scale).probes.values()
        gains = []
        for number, clean in enumerate(_photos(training, most, data)):
            bad = spoil(clean, torch.Generator().manual_seed(number))
            plain = bad if scale == 1 else imresize(bad, scale).clamp(0, 1)
            gains.append(psnr_rgb(network(bad).clamp(0, 1), clean) - psnr_rgb(plain, clean))
        return torch.cat(gains)

    return gain


def _denoised(network: nn.Module, training: bool, most: int, data: Path | None) -> Tensor:
    """dB over the noisy picture, sigma 25."""
    gains = []
    for number, clean in enumerate(_photos(training, most, data)):
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(number))
        bad = clean + 25 / 255 * noise
        gains.append(psnr_rgb(network(bad).clamp(0, 1), clean) - psnr_rgb(bad.clamp(0, 1), clean))
    return torch.cat(gains)


def _unblocked(network: nn.Module, training: bool, most: int, data: Path | None) -> Tensor:
    """dB over the picture as JPEG of quality 20 gives it back."""
    gains = []
    for clean in _photos(training, most, data):
        bad = JPEG(20)(clean, torch.Generator())
        gains.append(psnr_rgb(network(bad).clamp(0, 1), clean) - psnr_rgb(bad, clean))
    return torch.cat(gains)


def _large_face(network: nn.Module, training: bool, most: int, data: Path | None) -> Tensor:
    """dB over bicubic."""
    clean = _faces(128, training, most, data, ["celeba_aligned"])
    small = imresize(clean, size=(16, 16)).clamp(0, 1)
    made = torch.cat([both_ways(network, piece) for piece in small.split(16)]).clamp(0, 1)
    return psnr_rgb(made, clean) - psnr_rgb(imresize(small, size=(128, 128)).clamp(0, 1), clean)


def _same_person(network: nn.Module, training: bool, most: int, data: Path | None) -> Tensor:
    """Whether pairs of `most` faces of 16 pixels are told right, at the threshold that suits these pairs best.

    The faces are of some people, all of each: among few faces of many people no two would be of one.
    """
    pack = faces(128, data)
    source = ["celeba_aligned", "named_aligned"]
    indices = pack.where(part="train", source=source) if training else halves(pack, source)[1]  # [0] chose weights
    rng = np.random.default_rng(0)
    people = rng.permutation(np.unique(pack.labels[indices]))
    indices = np.concatenate([indices[pack.labels[indices] == person] for person in people])[:most]
    clean = _planes(pack, indices)[:, :, 8:120, 8:120]
    codes = torch.cat([network(piece)[0] for piece in reduced(clean, 16).split(32)])
    same, apart = (similarities(codes, pairs) for pairs in draw_pairs(pack.labels[indices], rng))
    limit = best_threshold(same, apart)
    return torch.from_numpy(np.concatenate([same >= limit, apart < limit])).double()


def _compressed(network: nn.Module, training: bool, most: int, data: Path | None) -> Tensor:
    """dB over JPEG (optimised) of as many bytes."""
    codec = PictureCodec(network, load_module("codec/photo")[1])  # type: ignore[arg-type]
    gains = []
    for clean in _photos(training, max(2, most // 4), data, side=384):
        picture = Picture.from_tensor(clean)
        packed = codec.compress(picture, 40)
        ours = codec.decompress(packed).tensor()
        gains.append(psnr_rgb(ours, clean) - psnr_rgb(_tensor(_jpeg(picture.samples, len(packed))), clean))
    return torch.cat(gains)


def _jpeg(samples: np.ndarray, most_bytes: int) -> np.ndarray:
    """The best JPEG file that is no larger, decoded; the smallest there is where all are."""
    low, high, best = 1, 95, b""
    while low <= high:
        middle, buffer = (low + high) // 2, io.BytesIO()
        Image.fromarray(samples).save(buffer, "JPEG", quality=middle, optimize=True, subsampling=2)
        if buffer.tell() <= most_bytes or middle == 1:
            best, low = buffer.getvalue(), middle + 1
        else:
            high = middle - 1
    return np.asarray(Image.open(io.BytesIO(best)).convert("RGB"))


# Name -> figure, how it is taken, and at most how many pictures (or pairs) of each kind in a full run.
MODELS: dict[str, tuple[str, Measure, int]] = {
    "classic/dense-autoencoder": ("psnr", _reconstruction, 5000),
    "classic/deconvnet": ("psnr", _reconstruction, 5000),
    "classic/deconv-generator": ("psnr", _generator, 2000),
    "classic/cnn-classifier": ("accuracy", _class, 5000),
    "classic/conv-deconv": ("psnr", _plain_conv, 48),
    "classic/face-deconv": ("psnr", _named_face, 200),
    "autoencoders/faces": ("psnr", _face, 500),
    "autoencoders/faces-denoising": ("psnr", _face, 500),
    "autoencoders/faces-supervised": ("psnr", _face, 500),
    "restoration/sr-x2": ("dB over bicubic", _enlarged(2), 48),
    "restoration/sr-x3": ("dB over bicubic", _enlarged(3), 48),
    "restoration/sr-x4": ("dB over bicubic", _enlarged(4), 48),
    "restoration/photo-x2": ("dB over bicubic", _mended("photo", 2), 48),
    "restoration/photo-x4": ("dB over bicubic", _mended("photo", 4), 48),
    "restoration/deblur": ("dB over blurred", _mended("deblur"), 48),
    "restoration/denoise": ("dB over noisy", _denoised, 48),
    "restoration/jpeg": ("dB over JPEG", _unblocked, 48),
    "faces/sr-x8": ("dB over bicubic", _large_face, 200),
    "faces/recogniser": ("pairs right at 16 pixels", _same_person, 400),
    "codec/photo": ("dB over JPEG of as many bytes", _compressed, 48),
    "explanation/faces-vgg": ("accuracy", _person, 600),
}
_OF_GARMENTS = (_reconstruction, _generator, _class)
_SHARES = ("accuracy", "pairs right at 16 pixels")


@torch.inference_mode()
def held_out(
    data: Path | None,
    garments: Path | None,
    report: Callable[[str], None],
    *,
    share: float = 1.0,
    models: tuple[str, ...] = tuple(MODELS),
) -> dict[str, Any]:
    """A row for each shipped model: its figure on training and on held-out pictures, and the gap with its error.

    garments: the data folder of the models that see nothing but Fashion-MNIST. share: of a full run's pictures.
    models: those to ask; what does not ship (a recipe without weights so far) is passed over.
    """
    rows: list[dict[str, Any]] = []
    for name in (name for name in models if name in shipped()):
        report(f"{name} on training and held-out pictures")
        figure, measure, most = MODELS[name]
        network, _ = load_module(name)
        place, count = garments if measure in _OF_GARMENTS else data, max(8, round(share * most))
        inside, outside = (measure(network, training, count, place) for training in (True, False))
        gap = float(inside.mean() - outside.mean())
        error = float((inside.var() / len(inside) + outside.var() / len(outside)).sqrt())
        rows.append(
            {
                "model": name,
                "parameters": parameters(network),
                "figure": figure,
                "training": float(inside.mean()),
                "held_out": float(outside.mean()),
                "gap": gap,
                "standard_error": error,
                "pictures": min(len(inside), len(outside)),
            }
        )
    decibel = [row["gap"] for row in rows if row["figure"] not in _SHARES]
    shares = [row["gap"] for row in rows if row["figure"] in _SHARES]
    clear = [row for row in rows if row["gap"] > 2 * row["standard_error"]]
    return {
        "shipped_models_asked": len(rows),
        "shipped_models_clearly_better_in_training": len(clear),
        "shipped_largest_gap_db": max(decibel, default=None),
        "shipped_largest_gap_share": max(shares, default=None),
        "shipped": rows,
        "shipped_not_asked": [{"model": name, "why": why_not(name)} for name in shipped() if name not in models],
    }


def why_not(name: str) -> str | None:
    """Why a shipped model is not asked."""
    return next((why for beginning, why in NOT_ASKED.items() if name.startswith(beginning)), None)
