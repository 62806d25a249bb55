"""A second synthesis for the same latents, trained against a critic: texture where the faithful one must blur.

(Mentzer et al. 2020, high-fidelity generative image compression.) The file does not change; who decodes it chooses.
"""

import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from unpool.codec.loss import spread_qualities
from unpool.codec.model import Codec
from unpool.codec.task import PhotoCrops, middles
from unpool.errors import ModelError
from unpool.images.metrics import psnr_rgb
from unpool.train.task import Loss, Options, Task
from unpool.zoo.weights import load_module


class Critic(nn.Module):
    """How real a picture looks beside its faithful decoding, a score for each patch.

    Args:
        width: channels of the first layer; they double twice.
    """

    def __init__(self, *, width: int = 32) -> None:
        super().__init__()
        sizes = (6, width, 2 * width, 4 * width)
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(sizes):
            layers += [nn.Conv2d(inputs, outputs, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(sizes[-1], 1, 3, padding=1))

    def forward(self, picture: Tensor, faithful: Tensor) -> Tensor:
        """Two pictures (N, 3, H, W) in [0, 1] to scores (N, 1, H / 8, W / 8)."""
        return self.layers(torch.cat([picture, faithful], 1) - 0.5)


class LookOptions(Options):
    """`start` names the codec whose latents are looked at; `realism` is what the critic's word is worth."""

    start: str = "codec/photo"
    crop: int = Field(128, multiple_of=64, gt=0)
    width: int = Field(32, gt=0)
    realism: float = Field(0.002, gt=0)
    penalty: float = Field(0.1, ge=0)
    validation_pictures: int = Field(16, gt=0)


class Look(Task):
    """A codec's second synthesis, from photographs; the rest of the codec stays as it is."""

    Options: ClassVar[type[Options]] = LookOptions

    def __init__(self, options: LookOptions, data: Path | None = None) -> None:
        super().__init__(options, data)
        self.crops = PhotoCrops(data, options.crop)
        found, self.start = load_module(options.start)
        if not isinstance(found, Codec):
            raise ModelError(f"{options.start} is no codec: give one whose name begins with codec/")
        self.codec = Codec(**{**self.start.config, "look": True})
        missing = {f"look.{key}": value.clone() for key, value in found.synthesis.state_dict().items()}
        self.codec.load_state_dict({**missing, **found.state_dict()})
        self.codec.eval().requires_grad_(False)
        assert self.codec.look is not None
        self.codec.look.requires_grad_(True)
        self.networks = {"look": self.codec.look, "critic": Critic(width=options.width)}
        self.optimisers = {"look": ["look"], "critic": ["critic"]}

    def dataset(self) -> PhotoCrops:
        return self.crops

    @torch.no_grad()
    def _decoded(self, picture: Tensor, quality: Tensor) -> tuple[Tensor, Tensor]:
        """The latents that a file would hold, and the faithful picture."""
        output = self.codec.to(picture.device).eval()(picture, quality)
        return output["latents"], output["picture"].clamp(0, 1)

    def losses(self, batch: dict[str, Tensor], step: int, generator: torch.Generator) -> Iterator[Loss]:
        picture = batch["picture"].float() / 255
        quality = spread_qualities(len(picture), generator, picture.device)
        latents, faithful = self._decoded(picture, quality)
        look, critic = self.networks["look"], self.networks["critic"]
        real = picture.detach().clone().requires_grad_(True)
        real_score, made_score = critic(real, faithful), critic(look(latents).detach(), faithful)
        (slope,) = torch.autograd.grad(real_score.sum(), real, create_graph=True)
        worth = functional.softplus(made_score - real_score).mean()
        steepness = slope.square().flatten(1).sum(1).mean()
        yield Loss("critic", worth + self.options.penalty * steepness, {"critic": worth})
        made = look(latents)
        realism = functional.softplus(critic(picture, faithful).detach() - critic(made, faithful)).mean()
        error = functional.mse_loss(made, picture)
        yield Loss("look", error + self.options.realism * realism, {"realism": realism, "mse": error})

    def evaluate(self) -> dict[str, float]:
        """PSNR of both syntheses and the share of detail that each keeps, on held-out photographs.

        `distance` adds up what is missing or too much of the detail, in logarithms, and the loss of PSNR in bels.
        """
        pack = self.crops.pack
        pictures = middles(pack, pack.where(part="validation"))[: self.options.validation_pictures]
        sums = torch.zeros(4)
        for part in pictures.split(8):
            picture = part.to(self.device).float() / 255
            latents, faithful = self._decoded(picture, torch.full((len(part),), 20.0, device=self.device))
            look = self.networks["look"](latents).clamp(0, 1)
            for number, made in enumerate((faithful, look)):
                detail = (_detail(made) / _detail(picture).clamp_min(1e-9)).sum()
                sums[2 * number : 2 * number + 2] += torch.stack([psnr_rgb(made, picture).sum(), detail]).cpu().float()
        values = (sums / len(pictures)).tolist()
        figures = dict(zip(("psnr_faithful", "detail_faithful", "psnr_look", "detail_look"), values))
        lost = max(0.0, figures["psnr_faithful"] - figures["psnr_look"]) / 10
        return figures | {"distance": abs(math.log(max(figures["detail_look"], 1e-9))) + lost}

    def export(self) -> Codec:
        """The codec with both syntheses: the same files, the same identity."""
        shipped = Codec(**{**self.start.config, "look": True})
        shipped.load_state_dict(self.codec.state_dict())
        return shipped.eval()

    def record(self) -> dict[str, Any]:
        return {
            "network": "unpool.codec.model:Codec",
            "config": {**self.start.config, "look": True},
            "data_licence": "research only",
            "headline": f"{self.start.name} with a second synthesis that keeps texture",
        }


def _detail(picture: Tensor) -> Tensor:
    """Mean size of steps between neighbours, (N,)."""
    return (picture[..., 1:] - picture[..., :-1]).abs().mean((1, 2, 3))
