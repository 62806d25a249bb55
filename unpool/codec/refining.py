"""The highest encoder effort: the latents of one picture are moved downhill on its own rate and error.

Rounding has no slope, so while they move, each latent is drawn between its two integers, ever more decidedly
(Yang et al. 2020, stochastic Gumbel annealing). The file is like any other, and so is the decoder.
"""

import functools

import torch
from torch import Tensor
from torch.nn.functional import pad

from unpool.codec.bitstream import HYPER_STRIDE, LatentCoder, Trade
from unpool.codec.entropy import UNIT
from unpool.codec.model import Codec, rate_weight

STEPS = 80
_RATE = 0.005  # larger steps overshoot: most symbols are near to a boundary in the end, and then flip
_HOT, _COLD = 0.5, 0.05  # temperature at the first and the last step


def refine(coder: LatentCoder, y: Tensor, picture: Tensor, tenths: int, trade: Trade) -> bytes:
    """The stream of a tile: the better one, by rate and error, of the plain latents and of refined ones.

    Args:
        coder: of the codec.
        y: latents (M, h, w) before gains.
        picture: (1, 3, height, width) in [0, 1], the pixels of the tile.
        tenths: ten times the quality.
        trade: how symbols are chosen in the end.
    """
    codec = coder.codec
    scaled = (y * codec.gains(tenths)[0]).clone()
    target = picture.to(scaled.device)
    moved = _descend(codec, scaled, target, tenths)
    candidates = [coder.encode(one, tenths, trade) for one in (scaled, moved)]
    costs = [_cost(codec, stream, latents, target, tenths) for stream, latents in candidates]
    return candidates[costs.index(min(costs))][0]


def _descend(codec: Codec, scaled: Tensor, target: Tensor, tenths: int) -> Tensor:
    height, width = scaled.shape[1:]
    # Whole hyper-latents are wanted: what is added beyond the tile is cut off again.
    extra = (0, -width % HYPER_STRIDE, 0, -height % HYPER_STRIDE)
    latents = pad(scaled[None], extra, mode="replicate").detach().clone().requires_grad_(True)
    quality = torch.tensor([tenths / 10], device=scaled.device)
    weight = rate_weight(quality) * 255.0**2
    pixels = target.shape[-2] * target.shape[-1]
    generator = torch.Generator(device=scaled.device).manual_seed(0)
    optimiser = torch.optim.Adam([latents], lr=_RATE)
    with torch.enable_grad():
        for step in range(STEPS):
            temperature = _HOT * (_COLD / _HOT) ** (step / STEPS)
            for group in optimiser.param_groups:
                group["lr"] = _RATE * min(1, 2 * (1 - step / STEPS))
            draw = functools.partial(_drawn, temperature=temperature, generator=generator)
            output = codec.code(latents, quality, quantise=draw)
            found = output["picture"][..., : target.shape[-2], : target.shape[-1]]
            error = (found - target).square().mean()
            cost = (output["latent_bits"] + output["hyper_bits"]) / pixels + weight * error
            optimiser.zero_grad(set_to_none=True)
            cost.sum().backward()
            optimiser.step()
    return latents.detach()[0, :, :height, :width]


def _drawn(x: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    """Values between the integers around x, near to one of them, the nearer the likelier; differentiable."""
    below = torch.floor(x.detach())
    part = (x - below).clamp(1e-4, 1 - 1e-4)
    chance = torch.rand(x.shape, generator=generator, device=x.device).clamp(1e-6, 1 - 1e-6)
    lean = (torch.atanh(part) - torch.atanh(1 - part)) / temperature
    return below + torch.sigmoid((lean + torch.logit(chance)) / temperature)


@torch.inference_mode()
def _cost(codec: Codec, stream: bytes, latents: Tensor, target: Tensor, tenths: int) -> float:
    inverse = codec.gains(tenths)[1] / UNIT
    found = codec.synthesis((latents.to(inverse.device).float() * inverse)[None])
    error = (found[..., : target.shape[-2], : target.shape[-1]].clamp(0, 1) - target).square().mean()
    weight = rate_weight(torch.tensor(tenths / 10))
    return 8 * len(stream) / (target.shape[-2] * target.shape[-1]) + float(weight * 255.0**2 * error.cpu())
