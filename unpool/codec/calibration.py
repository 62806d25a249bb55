"""Tables fitted to what a trained codec really produces, in place of the Gaussians that it was trained with."""

import numpy as np
import torch
from torch import Tensor

from unpool.codec.bitstream import LatentCoder, choose
from unpool.codec.entropy import SCALES, UNIT, gaussian_tables
from unpool.codec.model import Codec
from unpool.codec.tables import TOTAL, Tables, frequencies
from unpool.codec.tiling import analyse

QUALITIES = (10, 150, 300, 450, 600, 750, 900, 1000)  # in tenths
RARE = 1 / 256  # below this share of symbols other than 0, not coding them costs less than coding them
_PRIOR = 200.0  # how many symbols the Gaussian counts for


@torch.inference_mode()
def calibrate(codec: Codec, pictures: Tensor) -> None:
    """Round a codec's weights to half precision, as weight files hold them, and fit its tables to pictures.

    Args:
        codec: trained; put into eval mode.
        pictures: uint8 (N, 3, H, W); each is coded at one of eight qualities.
    """
    codec.eval()
    codec.load_state_dict({k: v.half().float() if v.is_floating_point() else v for k, v in codec.state_dict().items()})
    codec.set_tables(gaussian_tables())
    start = codec.tables()
    widest = int(start.half_width.max())
    counts = np.zeros((SCALES, 2 * widest + 2))
    for number, picture in enumerate(pictures):
        _count(codec, start, picture, QUALITIES[number % len(QUALITIES)], counts)
    codec.set_tables(_fitted(start, counts))


def _count(codec: Codec, tables: Tables, picture: Tensor, tenths: int, counts: np.ndarray) -> None:
    """Add a picture's symbols to counts (tables, -W .. W and further out)."""
    height, width = picture.shape[1:]
    box = (0, 0, height, width)
    y = analyse(codec, lambda _box: picture[None].float() / 255, (height, width), box) * codec.gains(tenths)[0]
    coder = LatentCoder(codec)
    hyper, wanted = coder.hyper(y), y.cpu().numpy().reshape(-1)
    widest = counts.shape[1] // 2 - 1

    def code(where: np.ndarray | None, mean: np.ndarray, index: np.ndarray) -> np.ndarray:
        values = hyper if where is None else choose(wanted[where] - mean / np.float32(UNIT), index, tables, 0.0)
        place = np.where(np.abs(values) > widest, 2 * widest + 1, values + widest)
        np.add.at(counts, (index, place), 1)
        return values

    coder.walk((y.shape[1], y.shape[2]), tenths, code)


def _fitted(start: Tables, counts: np.ndarray) -> Tables:
    widest = counts.shape[1] // 2 - 1
    fitted, certain = [], 0
    for index, (prior, half) in enumerate(zip(start.frequency, start.half_width.tolist())):
        seen = counts[index, widest - half : widest + half + 1]
        both = (seen + seen[::-1]) / 2  # a residual's sign carries no information
        outside = counts[index].sum() - seen.sum()
        chances = np.append(both, outside) + _PRIOR * prior / TOTAL
        fitted.append(frequencies(chances))
        if certain == index and chances[half] >= (1 - RARE) * chances.sum():
            certain = index + 1
    return Tables(fitted, certain)
