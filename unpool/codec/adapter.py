"""The codec behind CompressAI's interface, so that its evaluation tools run on it. CompressAI itself is not needed."""

from typing import Any

import torch
from torch import Tensor, nn

from unpool.codec.api import PictureCodec
from unpool.codec.container import parse
from unpool.images.picture import Picture


class CompressAIAdapter(nn.Module):
    """`forward`, `compress` and `decompress` as CompressAI's models have them (Begaint et al. 2020), at one quality.

    Args:
        codec: from `unpool.load("codec/photo")`.
        quality: 1 to 100.
        effort: 1 to 3.
    """

    def __init__(self, codec: PictureCodec, quality: float = 50, effort: int = 2) -> None:
        super().__init__()
        self.codec, self.quality, self.effort = codec, quality, effort
        self.network = codec.module

    def forward(self, x: Tensor) -> dict[str, Any]:
        """(N, 3, H, W) in [0, 1], H and W multiples of 64, to `x_hat` and `likelihoods` of both sets of latents.

        A picture's bits are spread evenly over its likelihoods: their logarithms sum to the true estimate.
        """
        with torch.no_grad():
            output = self.network(x, torch.full((len(x),), float(self.quality), device=x.device))
        likelihoods = {}
        for name, bits in (("y", output["latent_bits"]), ("z", output["hyper_bits"])):
            likelihoods[name] = torch.exp2(-bits / x[0, 0].numel())[:, None, None, None].expand(-1, 1, *x.shape[2:])
        return {"x_hat": output["picture"].clamp(0, 1), "likelihoods": likelihoods}

    def compress(self, x: Tensor) -> dict[str, Any]:
        """(N, 3, H, W) in [0, 1], any size, to `strings` (one list, a file a picture) and `shape`."""
        pictures = [Picture.from_tensor(one) for one in x]
        files = [self.codec.compress(one, self.quality, effort=self.effort) for one in pictures]
        return {"strings": [files], "shape": tuple(x.shape[2:])}

    def decompress(self, strings: list[list[bytes]], shape: tuple[int, int]) -> dict[str, Tensor]:
        """The files of `compress` to `x_hat` (N, 3, H, W) in [0, 1]."""
        decoded = []
        for data in strings[0]:
            header = parse(data).header
            if (header.height, header.width) != tuple(shape):
                raise ValueError(f"a file of {header.height}x{header.width} pixels where {tuple(shape)} was said")
            decoded.append(self.codec.decompress(data).rgb())
        return {"x_hat": torch.cat(decoded)}

    def update(self, *_arguments: Any, **_settings: Any) -> bool:
        """Nothing: the tables travel with the weights."""
        return False
