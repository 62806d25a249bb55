"""From a parsed file to the picture, tile by tile: only what a region needs is read, and little is kept."""

import numpy as np
import torch
from torch import Tensor

from unpool.codec import lossless
from unpool.codec.bitstream import LatentCoder
from unpool.codec.container import Container, Header
from unpool.codec.tiling import STRIDE, Box, latent_size, synthesise
from unpool.errors import PictureError
from unpool.images import exif
from unpool.images.picture import Picture


def decode(parsed: Container, region: Box | None, coder: LatentCoder | None, look: bool = False) -> Picture:
    """The picture in a parsed file, or a region of it; `coder` is needed for lossy files, `look` says by which way."""
    header = parsed.header
    top, left, height, width = region or (0, 0, header.height, header.width)
    if min(top, left) < 0 or min(height, width) < 1 or top + height > header.height or left + width > header.width:
        given = f"{left},{top},{width},{height}"
        raise PictureError(
            f"the region {given} (x, y, width, height) leaves the {header.width}x{header.height} picture"
        )
    wanted = (top, left, height, width)
    kind = np.uint16 if header.deep else np.uint8
    depth, channels = 8 * kind().itemsize, 1 if header.grey else 3
    samples = np.empty((height, width, channels), kind)
    latents = None if coder is None else _Latents(coder, parsed)
    for number in _tiles_in(header, wanted):
        box = header.box(number)
        if latents is None:
            values = lossless.decode(parsed.tile(number), box[2], box[3], channels, depth)
        else:
            values = _lossy_tile(latents, header, box, look)
        _paste(samples, values, box, wanted)
    alpha = None
    if header.alpha:
        alpha = np.empty((height, width, 1), kind)
        for number in _tiles_in(header, wanted):
            box = header.box(number)
            _paste(alpha, lossless.decode(parsed.alpha_tile(number), box[2], box[3], 1, depth), box, wanted)
    said = parsed.exif()
    kept = None if said is None else exif.cleaned(exif.parsed(said), keep_location=True)[0]  # a file may say anything
    return Picture(samples, None if alpha is None else alpha[:, :, 0], kept)


def _lossy_tile(latents: "_Latents", header: Header, box: Box, look: bool) -> np.ndarray:
    values = synthesise(latents.coder.codec, latents.box, (header.height, header.width), box, header.tenths, look)
    if header.grey:
        values = values.mean(0, keepdim=True)
    return values.mul(255).round_().clamp_(0, 255).to(torch.uint8).permute(1, 2, 0).cpu().numpy()


def _tiles_in(header: Header, box: Box, around: int = 0) -> list[int]:
    """The tiles that a box, widened by `around` pixels, touches."""
    top, left, height, width = box
    rows = range(
        max(0, top - around) // header.tile, (min(header.height, top + height + around) - 1) // header.tile + 1
    )
    last = (min(header.width, left + width + around) - 1) // header.tile
    columns = range(max(0, left - around) // header.tile, last + 1)
    return [row * header.columns + column for row in rows for column in columns]


def _paste(target: np.ndarray, values: np.ndarray, box: Box, wanted: Box) -> None:
    """Copy what a box and the wanted region share."""
    top, left = max(box[0], wanted[0]), max(box[1], wanted[1])
    bottom, right = min(box[0] + box[2], wanted[0] + wanted[2]), min(box[1] + box[3], wanted[1] + wanted[3])
    target[top - wanted[0] : bottom - wanted[0], left - wanted[1] : right - wanted[1]] = values[
        top - box[0] : bottom - box[0], left - box[1] : right - box[1]
    ]


class _Latents:
    """The latents of a file's tiles, decoded when they are needed and forgotten two rows of tiles later."""

    def __init__(self, coder: LatentCoder, parsed: Container) -> None:
        self.coder, self.parsed = coder, parsed
        self.decoded: dict[int, Tensor] = {}

    def box(self, box: Box) -> Tensor:
        """Latents (M, h, w) of a box of latents, of whatever tiles it touches."""
        header = self.parsed.header
        top, left, height, width = (value * STRIDE for value in box)
        inside = top, left, min(height, header.height - top), min(width, header.width - left)
        needed = _tiles_in(header, inside)
        oldest = (needed[0] // header.columns - 1) * header.columns
        self.decoded = {number: values for number, values in self.decoded.items() if number >= oldest}
        joined = torch.empty((self.coder.codec.latents, box[2], box[3]), dtype=torch.int16)
        for number in needed:
            values = self._tile(number)
            row, column = (value // STRIDE for value in header.box(number)[:2])
            rows = slice(max(row, box[0]), min(row + values.shape[1], box[0] + box[2]))
            columns = slice(max(column, box[1]), min(column + values.shape[2], box[1] + box[3]))
            joined[:, rows.start - box[0] : rows.stop - box[0], columns.start - box[1] : columns.stop - box[1]] = (
                values[:, rows.start - row : rows.stop - row, columns.start - column : columns.stop - column]
            )
        return joined

    def _tile(self, number: int) -> Tensor:
        if number not in self.decoded:
            header = self.parsed.header
            size = latent_size(*header.box(number)[2:])
            self.decoded[number] = self.coder.decode(self.parsed.tile(number), size, header.tenths)
        return self.decoded[number]
