"""A network with no wing's api behind it: a picture in, the network's own output out."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unpool.errors import ModelError
from unpool.images.reading import as_picture
from unpool.zoo.record import Record
from unpool.zoo.runtime import inference


class Plain:
    """Calls `.module` on a picture that was brought to the form its record asks for."""

    def __init__(self, module: nn.Module, record: Record, device: torch.device) -> None:
        self.module = module
        self.record = record
        self.device = device

    def prepare(self, picture: Any) -> Tensor:
        """The network's input (1, C, H, W): grey where it takes one channel, resized where its record names a size."""
        values = as_picture(picture).rgb()
        wanted = self.record.preprocessing
        if _input_channels(self.module) == 1:
            values = values.mul(torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)
        if wanted.size is not None and tuple(values.shape[-2:]) != tuple(wanted.size):
            values = F.interpolate(values, tuple(wanted.size), mode="bicubic", antialias=True, align_corners=False)
        low, high = wanted.range
        values = values.clamp(0, 1) * (high - low) + low
        mean, std = (torch.tensor(one, dtype=torch.float32)[:, None, None] for one in (wanted.mean, wanted.std))
        return ((values - mean) / std).to(self.device)

    def __call__(self, picture: Any) -> Any:
        """What the network gives for a picture."""
        try:
            with inference(self.device, exact=True):
                return self.module(self.prepare(picture))
        except (TypeError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise ModelError(
                f"{self.record.name} does not run on a single picture ({reason}); use its .module"
            ) from None


def _input_channels(module: nn.Module) -> int:
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            return part.in_channels
        if isinstance(part, nn.Linear):
            return 1 if part.in_features % 3 else 3
    return 3
