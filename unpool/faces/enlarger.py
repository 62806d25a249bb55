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
from unpool.train.data.faces import SHARP, faces, halves, inside, present
from unpool.train.task import Loss, Options, Task
from unpool.zoo.weights import take_over

SMALL, LARGE = 16, 128
_NAMED = "named_aligned"  # partly enlarged or cut: its clear pictures are picked out
SEEN = (*SHARP, _NAMED)
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


class EnlargeOptions(Options):
    """The network's size, and how faces are moved before they are reduced."""

    channels: tuple[int, int, int] = (48, 32, 16)
    blocks: int = Field(3, ge=1)
    shift: int = Field(2, ge=0, le=8, description="largest shift of a training face, pixels of 128")
    loss: Literal["charbonnier", "squared"] = Field("charbonnier", description="squared: what PSNR measures, softer")
    start: str | None = Field(None, description="weights of the same shape to go on from")


class SharpFaces:
    """Faces of 128 pixels that were not enlarged from less and whose source pictures fill the frame."""

    def __init__(self, options: EnlargeOptions, data: Path | None) -> None:
        self.shift, self.pack = options.shift, faces(LARGE, data)
        self.indices = self.pack.where(part="train", source=SHARP)
        named = self.pack.where(part="train", source=_NAMED)
        clear = [i for i in named if "bollywood" not in self.pack.names[i] and inside(self.pack[i]).all()]
        self.indices = np.concatenate([self.indices, np.array(clear, dtype=np.int64)])

    def __len__(self) -> int:
        return len(self.indices)

    def name(self, index: int) -> str:
        """The picture's file name."""
        return self.pack.names[self.indices[index]]

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Tensor]:
        """`face` (3, 128, 128) uint8, mirrored by chance and shifted by a few pixels (its border repeated)."""
        face = self.pack[self.indices[index]]
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
        distance = picture_loss if self.options.loss == "charbonnier" else F.mse_loss
        yield Loss("enlarger", distance(self.networks["enlarger"](small), large))

    def evaluate(self) -> dict[str, float]:
        """PSNR over RGB and SSIM of Y on people held out, and the same of bicubic enlargement."""
        pack = faces(LARGE, self.data)
        held = halves(pack, SHARP)[0][:_HELD_OUT]
        large = torch.stack([torch.from_numpy(pack[int(i)].transpose(2, 0, 1).copy()) for i in held]).float() / 255
        small = eight_bit(imresize(large, size=(SMALL, SMALL)))
        made = {
            "": self.networks["enlarger"](small.to(self.device)).cpu(),
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
            "notes": "CelebA and the named collections allow research use only. What it adds is a likely face, not the "
            "face that was there. Retrain with `unpool train faces/sr-x8`.",
        }
