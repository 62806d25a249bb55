"""Training the codec: photographs in, rate-distortion cost down."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from unpool.codec.calibration import calibrate
from unpool.codec.integer import packed_state, unpacked_state
from unpool.codec.loss import rate_distortion, spread_qualities
from unpool.codec.model import Codec
from unpool.codec.start import start_from_components
from unpool.train.data.pack import Pack
from unpool.train.data.photos import crop, photos
from unpool.train.task import Loss, Options, Task
from unpool.zoo.weights import load_module

_VALIDATION_QUALITIES = (5.0, 35.0, 65.0, 95.0)
_VALIDATION_SIZE = 256
_CALIBRATION = 160  # photographs that the tables are fitted to
_PIXELS_A_SAMPLE = 50_000  # a large photograph is drawn from more often than a small one


class CompressOptions(Options):
    """Size of the network and of the crops; `start` names a weight file to go on from."""

    channels: int = 128
    slices: tuple[int, ...] = (32, 32, 64, 128)
    hyper: int = 64
    width: int = 96
    analysis_blocks: int = 2
    synthesis_blocks: int = 3
    low_blocks: int = 0
    anchors: int = 8
    crop: int = Field(128, multiple_of=64, gt=0)
    start: str | None = None
    validation_pictures: int = Field(16, gt=0)

    def network(self) -> dict[str, Any]:
        """The keywords of `Codec`."""
        return self.model_dump(exclude={"crop", "start", "validation_pictures"})


class PhotoCrops:
    """Crops of training photographs, uint8 (3, size, size), mirrored half the time."""

    def __init__(self, data: Path | None, size: int) -> None:
        self.pack, self.size = photos(data), size
        chosen = self.pack.where(part="train")
        area = self.pack.shapes[chosen, 0] * self.pack.shapes[chosen, 1]
        self.order = np.repeat(chosen, np.clip(area // _PIXELS_A_SAMPLE, 1, 8))

    def __len__(self) -> int:
        return len(self.order)

    def name(self, index: int) -> str:
        """The photograph's file name."""
        return self.pack.names[self.order[index]]

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
        """One crop as `picture`, uint8 (3, size, size)."""
        cut = crop(self.pack[int(self.order[index])], self.size, rng)
        return {"picture": np.ascontiguousarray(cut.transpose(2, 0, 1))}


def middles(pack: Pack, indices: Iterable[int]) -> Tensor:
    """The middles, uint8 (N, 3, 256, 256), of those photographs that are large enough."""
    size, cut = _VALIDATION_SIZE, []
    for index in indices:
        if min(pack.shapes[index, :2]) >= size:
            top, left = ((pack.shapes[index, :2] - size) // 2).tolist()
            cut.append(pack[int(index)][top : top + size, left : left + size])
    return torch.from_numpy(np.stack(cut)).permute(0, 3, 1, 2)


class Compress(Task):
    """One codec for all qualities, from photographs."""

    Options: ClassVar[type[Options]] = CompressOptions

    def __init__(self, options: CompressOptions, data: Path | None = None) -> None:
        super().__init__(options, data)
        self.crops = PhotoCrops(data, options.crop)
        self.codec = Codec(**options.network())
        if options.start is not None:
            trained, self.went_on_from = load_module(options.start)
            self.codec.load_state_dict(unpacked_state(trained))
        else:
            start_from_components(self.codec, self._patches())
        self.networks = {"codec": self.codec}
        self.optimisers = {"codec": ["codec"]}

    def _patches(self) -> Tensor:
        rng = np.random.default_rng(0)
        pack = self.crops.pack
        chosen = rng.choice(self.crops.order, 20_000)
        cut = np.stack([crop(pack[int(index)], 16, rng) for index in chosen])
        return torch.from_numpy(cut).permute(0, 3, 1, 2).float() / 255

    def dataset(self) -> PhotoCrops:
        return self.crops

    def losses(self, batch: dict[str, Tensor], step: int, generator: torch.Generator) -> Iterator[Loss]:
        picture = batch["picture"].float() / 255
        quality = spread_qualities(len(picture), generator, picture.device)
        result = rate_distortion(self.codec(picture, quality, generator), picture, quality)
        yield Loss("codec", result.cost, {"bits_per_pixel": result.bits_per_pixel, "psnr": result.psnr})

    def evaluate(self) -> dict[str, float]:
        """Cost, and bits per pixel and PSNR at four qualities, on the middles of held-out photographs."""
        figures: dict[str, float] = {}
        costs = []
        held_out = self.crops.pack.where(part="validation")
        pictures = middles(self.crops.pack, held_out)[: self.options.validation_pictures]
        for quality in _VALIDATION_QUALITIES:
            results = []
            for picture in pictures.split(8):
                part = picture.to(self.device).float() / 255
                wanted = torch.full((len(part),), quality, device=self.device)
                result = rate_distortion(self.codec(part, wanted), part, wanted)
                results.append(torch.stack([result.cost, result.bits_per_pixel, result.psnr]) * len(part))
            cost, rate, psnr = (torch.stack(results).sum(0) / len(pictures)).tolist()
            costs.append(cost)
            figures |= {f"bits_per_pixel_q{quality:.0f}": rate, f"psnr_q{quality:.0f}": psnr}
        return {"cost": float(np.mean(costs))} | figures

    def export(self) -> Codec:
        """The codec as it ships: weights as half precision holds them, tables fitted, integer networks packed."""
        some = self.crops.order[:: max(1, len(self.crops) // _CALIBRATION)]
        calibrate(self.codec, middles(self.crops.pack, some))
        shipped = Codec(**self.options.network(), packed=True)
        shipped.load_state_dict(packed_state(self.codec))
        return shipped.eval()

    def record(self) -> dict[str, Any]:
        return {
            "network": "unpool.codec.model:Codec",
            "config": {**self.options.network(), "packed": True},
            "data_licence": "research only",
            "headline": "learned image file, quality 1 to 100 with one set of weights",
        }
