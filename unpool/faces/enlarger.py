"""A face of 16 pixels enlarged eight times: the network, and how it is trained."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from unpool.faces.loss import picture_loss
from unpool.faces.model import Mixing
from unpool.images.metrics import eight_bit, psnr_rgb, ssim_y
from unpool.images.resampling import imresize
from unpool.nn.blocks import Residual
from unpool.nn.conv import conv
from unpool.nn.deconv import Upsample
from unpool.train.data.faces import SHARP, faces, filled, halves, inside, present
from unpool.train.task import Loss, Options, Task
from unpool.zoo.weights import take_over

SMALL, LARGE = 16, 128
_CUT = ("named_aligned", "all_age_faces_aligned")  # parts of a face are missing in some
_WHOLE = 0.8  # share of the frame that a face fills at least; what is missing is filled
SEEN = (*SHARP, *_CUT)
_HELD_OUT = 128


class FaceEnlarger(nn.Module):
    """An aligned face of 16x16 pixels to one of 128x128, by deconvolutions that cannot make checkerboards.

    channels: at 16, 32 and 64 pixels. blocks: pairs of a residual block and a mixing layer at 16 pixels.
    """

    def __init__(self, *, channels: tuple[int, int, int] = (48, 32, 16), blocks: int = 3) -> None:
        super().__init__()
        first, second, third = channels
        self.place = nn.Parameter(torch.zeros(1, first, SMALL, SMALL))
        self.enter = conv(in_channels=3, out_channels=first)
        self.body = nn.Sequential(
            *[layer for _ in range(blocks) for layer in (Mixing(cells=SMALL**2), Residual(channels=first))]
        )
        self.up = nn.Sequential(
            Upsample(in_channels=first, out_channels=second),
            Residual(channels=second),
            Upsample(in_channels=second, out_channels=third),
            nn.ReLU(),
            Upsample(in_channels=third, out_channels=3, gain=0.0),
        )

    def forward(self, small: Tensor) -> Tensor:
        """(N, 3, 16, 16) in [0, 1] -> (N, 3, 128, 128), not clipped: bicubic enlargement and what the network adds."""
        plain = F.interpolate(small, scale_factor=LARGE / SMALL, mode="bicubic", align_corners=False)
        return plain + self.up(self.body(self.enter(small - 0.5) + self.place))


def both_ways(network: nn.Module, small: Tensor) -> Tensor:
    """What a network makes of faces (N, 3, 16, 16), and of their mirror images turned back: the mean of the two.

    Faces are all but symmetric, so the two answers err in other ways (Timofte et al. 2016, "self-ensemble").
    """
    made: Tensor = (network(small) + network(small.flip(3)).flip(3)) / 2
    return made


def _lost_psnr(made: Tensor, true: Tensor) -> Tensor:
    """The mean logarithm of the faces' squared errors, (N, 3, H, W); errors below 8 bits' rounding hardly count."""
    rounding = 1 / 12 / 255**2
    return torch.log((made - true).square().mean((1, 2, 3)) / rounding + 1).mean()


class EnlargeOptions(Options):
    """The network's size, and how faces are moved before they are reduced."""

    channels: tuple[int, int, int] = (48, 32, 16)
    blocks: int = Field(3, ge=1)
    shift: int = Field(2, ge=0, le=8, description="largest shift of a training face, pixels of 128")
    loss: Literal["charbonnier", "psnr"] = Field("psnr", description="psnr: the mean of the faces' PSNR itself")
    start: str | None = Field(None, description="weights of the same shape to go on from")


class SharpFaces:
    """Faces of 128 pixels that were not enlarged from less and whose source pictures fill the frame, or nearly.

    Those of `SHARP` sets come twice as often as others.
    """

    def __init__(self, options: EnlargeOptions, data: Path | None) -> None:
        self.shift, self.pack = options.shift, faces(LARGE, data)
        sharp = self.pack.where(part="train", source=SHARP)
        others = self.pack.where(part=["train", "unnamed"], source=_CUT)
        # `bollywood`, a part of the named set, was enlarged from 64 pixels.
        whole = [i for i in others if "bollywood" not in self.pack.names[i] and inside(self.pack[i]).mean() >= _WHOLE]
        self.indices = np.concatenate([sharp, sharp, np.array(whole, dtype=np.int64)])

    def __len__(self) -> int:
        return len(self.indices)

    def name(self, index: int) -> str:
        """The picture's file name."""
        return self.pack.names[self.indices[index]]

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Tensor]:
        """`face` (3, 128, 128) uint8, mirrored by chance and shifted by a few pixels (its border repeated)."""
        face = filled(self.pack[self.indices[index]])
        if rng.integers(2):
            face = face[:, ::-1]
        down, right = rng.integers(-self.shift, self.shift + 1, 2)
        places = np.arange(LARGE)
        face = face[np.clip(places + down, 0, LARGE - 1)][:, np.clip(places + right, 0, LARGE - 1)]
        return {"face": torch.from_numpy(face.transpose(2, 0, 1).copy())}


class Enlarge(Task):
    """Train a `FaceEnlarger` on faces reduced by bicubic."""

    Options: ClassVar[type[Options]] = EnlargeOptions

    def __init__(self, options: EnlargeOptions, data: Path | None = None) -> None:
        super().__init__(options, data)
        self.config = options.model_dump(include={"channels", "blocks"})
        enlarger = FaceEnlarger(**self.config)
        if options.start is not None:
            self.went_on_from = take_over(enlarger, options.start)
        self.networks = {"enlarger": enlarger}
        self.optimisers = {"enlarger": ["enlarger"]}
        self.figures: dict[str, float] = {}

    def dataset(self) -> SharpFaces:
        """Sharp training faces."""
        return SharpFaces(self.options, self.data)

    def losses(self, batch: dict[str, Tensor], step: int, generator: torch.Generator) -> Iterator[Loss]:
        """One distance between the enlarged and the sharp faces."""
        large = batch["face"].float() / 255
        small = eight_bit(imresize(large, size=(SMALL, SMALL)))
        distance = picture_loss if self.options.loss == "charbonnier" else _lost_psnr
        yield Loss("enlarger", distance(self.networks["enlarger"](small), large))

    def evaluate(self) -> dict[str, float]:
        """PSNR over RGB and SSIM of Y on people held out, and the same of bicubic enlargement."""
        pack = faces(LARGE, self.data)
        held = halves(pack, SHARP)[0][:_HELD_OUT]
        large = torch.stack([torch.from_numpy(pack[int(i)].transpose(2, 0, 1).copy()) for i in held]).float() / 255
        small = eight_bit(imresize(large, size=(SMALL, SMALL)))
        made = {
            "": both_ways(self.networks["enlarger"], small.to(self.device)).cpu(),
            "_bicubic": imresize(small, size=(LARGE, LARGE)),
        }
        for name, enlarged in made.items():
            self.figures[f"psnr{name}"] = float(psnr_rgb(eight_bit(enlarged), large).mean())
            self.figures[f"ssim{name}"] = float(ssim_y(eight_bit(enlarged), large, crop=0).mean())
        return self.figures

    def record(self) -> dict[str, Any]:
        """What it is and what it must not be used for."""
        gain = self.figures.get("psnr", float("nan")) - self.figures.get("psnr_bicubic", float("nan"))
        return {
            "task": "faces",
            "network": "unpool.faces.enlarger:FaceEnlarger",
            "config": self.config,
            "preprocessing": {"size": (SMALL, SMALL)},
            "trained_on": present(faces(LARGE, self.data), SEEN),
            "data_licence": "research only",
            "headline": f"people held out: {gain:+.2f} dB against bicubic, 16 to 128 pixels",
            "notes": "These sets allow research use only. What it adds is a likely face, not the "
            "face that was there. Retrain with `unpool train faces/sr-x8`.",
        }
