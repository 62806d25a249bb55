"""How restorers are trained: random crops of photographs, damaged on the fly, and figures on photographs held out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from unpool.images.metrics import eight_bit, psnr_rgb, psnr_y
from unpool.images.resampling import imresize
from unpool.nn.blocks import fuse
from unpool.restoration.damage import Damage, damage
from unpool.restoration.loss import charbonnier
from unpool.restoration.model import Restorer, begin_as_half, begin_as_identity
from unpool.train.data.photos import crop, photos
from unpool.train.task import Loss, Options, Task
from unpool.zoo.weights import load_module, take_over

_AREA_PER_SAMPLE = 256 * 256  # a picture is drawn once an epoch for each such area
_HELD_OUT = 24


class RestoreOptions(Options):
    """What is mended, by which network, and from crops of which size."""

    kind: Literal["sr", "photo", "denoise", "jpeg", "deblur"]
    scale: int = Field(1, ge=1, le=4)
    down: int = Field(1, ge=1, le=4)
    channels: int = Field(48, ge=1)
    blocks: int = Field(6, ge=1)
    upsampler: Literal["deconv", "deconv-plain", "resize", "shuffle"] = "deconv"
    kernel: int | None = Field(None, ge=1, description="of the upsampler; none is its own")
    reparameterised: bool = False
    patch: int = Field(32, ge=8, description="side of a training crop in input pixels")
    loss: Literal["charbonnier", "squared"] = Field(
        "charbonnier", description="squared: what PSNR measures, softer edges"
    )
    start: str | None = Field(
        None,
        description="weights of the same shape, without branches, to go on from; other scales and fewer blocks will do",
    )


class Crops:
    """Damaged crops with their clean originals, each (3, side, side) float32 in [0, 1]."""

    def __init__(self, options: RestoreOptions, data: Path | None) -> None:
        self.pack = photos(data)
        self.damage: Damage = damage(options.kind, options.scale)
        self.scale, self.patch = options.scale, options.patch
        pictures = self.pack.where(part="train")
        repeats = [max(1, round(self.pack[i].shape[0] * self.pack[i].shape[1] / _AREA_PER_SAMPLE)) for i in pictures]
        self.indices = np.repeat(pictures, repeats)

    def __len__(self) -> int:
        return len(self.indices)

    def name(self, index: int) -> str:
        """File name of the photograph."""
        return str(self.pack.names[self.indices[index]])

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Tensor]:
        """One crop, mirrored and turned by chance: `input` (3, patch, patch), `target` (3, scale * patch, ...)."""
        margin, scale, side = self.damage.margin, self.scale, self.patch
        samples = crop(self.pack[int(self.indices[index])], (side + 2 * margin) * scale, rng)
        if rng.integers(2):
            samples = samples.transpose(1, 0, 2)
        clean = torch.from_numpy(np.ascontiguousarray(samples.transpose(2, 0, 1))).float().div_(255)
        generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
        bad = self.damage.degradation(clean[None], generator)[0]
        top, left = (int(rng.integers(2 * margin + 1)) if self.damage.shifted else margin for _ in range(2))
        clean = clean[:, top * scale : (top + side) * scale, left * scale : (left + side) * scale]
        return {"input": bad[:, top : top + side, left : left + side], "target": clean}


class Restore(Task):
    """Train a `Restorer` for one kind of damage."""

    Options: ClassVar[type[Options]] = RestoreOptions

    def __init__(self, options: RestoreOptions, data: Path | None = None) -> None:
        super().__init__(options, data)
        self.config = options.model_dump(include={"scale", "down", "channels", "blocks", "upsampler", "kernel"})
        restorer = Restorer(**self.config, reparameterised=options.reparameterised)
        if options.start is not None:
            trained, _ = load_module(options.start)
            deeper = range(len(trained.body), options.blocks) if isinstance(trained, Restorer) else ()
            self.went_on_from = take_over(restorer, options.start, anew=["up.", *(f"body.{i}." for i in deeper)])
            for number in deeper:
                begin_as_identity(restorer.body[number])
            if isinstance(trained, Restorer):
                begin_as_half(restorer, trained)
        self.networks = {"restorer": restorer}
        self.optimisers = {"restorer": ["restorer"]}
        self.figures: dict[str, float] = {}
        self._held_out: list[tuple[str, Tensor, Tensor]] = []

    def dataset(self) -> Crops:
        """Crops of the training photographs."""
        return Crops(self.options, self.data)

    def losses(self, batch: dict[str, Tensor], step: int, generator: torch.Generator) -> Iterator[Loss]:
        """One distance between the restored and the clean crops."""
        distance = charbonnier if self.options.loss == "charbonnier" else mse_loss
        yield Loss("restorer", distance(self.networks["restorer"](batch["input"]), batch["target"]))

    def evaluate(self) -> dict[str, float]:
        """PSNR on held-out photographs for each probe of the damage, `psnr` their mean, and `before` without mending.

        On Y with a border of `scale` cut for enlargement, else over RGB.
        """
        values: dict[str, list[float]] = {}
        for name, bad, clean in self._pairs():
            restored = eight_bit(self.networks["restorer"](bad.to(self.device)).cpu())
            values.setdefault(name, []).append(self._psnr(restored, clean))
            plain = bad if self.options.scale == 1 else imresize(bad, self.options.scale)
            values.setdefault("before", []).append(self._psnr(eight_bit(plain), clean))
        means = {name: float(np.mean(figures)) for name, figures in values.items()}
        probes = [figure for name, figure in means.items() if name != "before"]
        self.figures = {"psnr": float(np.mean(probes)), **{f"psnr_{name}": figure for name, figure in means.items()}}
        return self.figures

    def _psnr(self, restored: Tensor, clean: Tensor) -> float:
        scale = self.options.scale
        return float(psnr_rgb(restored, clean) if scale == 1 else psnr_y(restored, clean, crop=scale))

    def _pairs(self) -> list[tuple[str, Tensor, Tensor]]:
        """(probe, damaged, clean) for the centre of each held-out photograph, made once."""
        if not self._held_out:
            pack, kind = photos(self.data), damage(self.options.kind, self.options.scale)
            for index in pack.where(part="validation")[:_HELD_OUT]:
                samples = _centre(pack[int(index)], 192)
                clean = torch.from_numpy(np.ascontiguousarray(samples.transpose(2, 0, 1)))[None].float() / 255
                for name, degradation in kind.probes.items():
                    bad = degradation(clean, torch.Generator().manual_seed(int(index)))
                    self._held_out.append((name, bad, clean))
        return self._held_out

    def samples(self) -> dict[str, Tensor]:
        """The first held-out photographs: damaged, restored, clean."""
        pictures = {}
        for number, (_, bad, clean) in enumerate(self._pairs()[:4]):
            restored = self.networks["restorer"](bad.to(self.device)).cpu().clamp(0, 1)
            shown = imresize(bad, self.options.scale) if self.options.scale > 1 else bad
            pictures[f"photo{number}"] = torch.cat([shown.clamp(0, 1), restored, clean], -1)
        return pictures

    def export(self) -> nn.Module:
        """The network with every branch merged: what ships and runs."""
        return fuse(self.networks["restorer"])

    def record(self) -> dict[str, Any]:
        """The record's fields that the loop does not know."""
        return {
            "network": "unpool.restoration.model:Restorer",
            "config": self.config,
            "data_licence": "research only",
            "headline": f"held-out photographs {self.figures['psnr']:.2f} dB, {self.figures['psnr_before']:.2f} before",
        }


def _centre(samples: np.ndarray, side: int) -> np.ndarray:
    """The central part of samples (H, W, C), at most `side` on each side, sides multiples of 12."""
    rows, columns = (min(side, length) // 12 * 12 for length in samples.shape[:2])
    top, left = (samples.shape[0] - rows) // 2, (samples.shape[1] - columns) // 2
    return samples[top : top + rows, left : left + columns]
