"""`compress` and `decompress`: pictures in memory to `.unp` bytes and back."""

import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unpool.codec import container, lossless, rate
from unpool.codec.bitstream import LatentCoder, Trade
from unpool.codec.checking import check
from unpool.codec.container import Header
from unpool.codec.decoding import decode
from unpool.codec.fitting import fit
from unpool.codec.model import Codec
from unpool.codec.refining import refine
from unpool.codec.tiling import Box, analyse
from unpool.errors import BitstreamError, ModelError, PictureError
from unpool.images.picture import Picture
from unpool.images.reading import Source, read
from unpool.zoo.record import Record
from unpool.zoo.runtime import choose_device, prepare
from unpool.zoo.weights import load_module, shipped, tensor_hash

MODEL = "codec/photo"
TILE = 1024
EFFORTS = (1, 2, 3)
_NEAR_BITS, _NEAR_DECIBELS = 0.02, 0.1  # how far from a wish a file may be: share of its bits, and dB
_TRADE = 32.0  # bits a squared step of error is worth, chosen on held-out photographs
_DECODER_SIDE = (
    *("synthesis.", "hyper_synthesis.", "passes.", "log_inverse_gain", "hyper_scale"),
    *("table_frequencies", "table_sizes", "certain"),
)
_KEEP_PIXELS = 24_000_000  # up to here the latents of all tiles stay in memory while a rate is searched


def identity(codec: Codec) -> bytes:
    """The first 8 bytes of the SHA-256 of a codec's decoder side: what a file needs to be decoded."""
    tensors = {name: value for name, value in codec.state_dict().items() if name.startswith(_DECODER_SIDE)}
    return bytes.fromhex(tensor_hash(tensors))[: container.IDENTITY_BYTES]


class PictureCodec:
    """A codec ready for use: `compress` and `decompress` with one network.

    Args:
        module: the network.
        record: its record.
        device: where it runs.
    """

    def __init__(self, module: Codec, record: Record, device: torch.device | str = "cpu") -> None:
        self.module = prepare(module, device)
        self.record = record
        self.device = torch.device(device)
        self.identity = identity(module)
        self.coder = LatentCoder(self.module)

    def compress(
        self,
        picture: Source,
        quality: float = 50,
        *,
        effort: int = 2,
        bpp: float | None = None,
        psnr: float | None = None,
        size: int | None = None,
        tile: int = TILE,
    ) -> bytes:
        """A picture as the bytes of a `.unp` file; see `unpool.codec.api.compress`."""
        return _Encoding(self, read(picture), effort, tile).find(quality, bpp, psnr, size)

    def decompress(
        self,
        data: bytes,
        *,
        region: Box | None = None,
        max_pixels: int = container.MAX_PIXELS,
        look: bool = False,
    ) -> Picture:
        """The picture in the bytes of a `.unp` file; see `unpool.codec.api.decompress`.

        look: by the model's second synthesis, which invents texture where the faithful one blurs.
        """
        if look and self.module.look is None:
            raise ModelError(f"{self.record.name} has no second synthesis: train one with the recipe codec/look")
        parsed = container.parse(data, max_pixels)
        if not parsed.header.lossless and parsed.header.identity != self.identity:
            raise BitstreamError(f"this file was not made with the model {self.record.name}: use unpool.decompress")
        return decode(parsed, region, self.coder, look)


class _Encoding:
    """One picture on its way into a file: its latents are computed once, then coded at any quality."""

    def __init__(self, codec: PictureCodec, picture: Picture, effort: int, tile: int) -> None:
        if picture.bit_depth != 8:
            raise PictureError(
                "this picture has 16 bits per sample and lossy .unp files hold 8: use lossless (--lossless), which "
                "keeps every bit, or picture.with_depth(8)"
            )
        if effort not in EFFORTS:
            raise PictureError(f"effort is {effort}: give 1, 2 or 3")
        self.codec, self.picture, self.effort = codec, picture, effort
        common = _header_fields(picture, tile)
        self.header = functools.partial(Header, identity=codec.identity, **common)
        self.extras = _extras(picture, tile)
        self.boxes = [self.header(tenths=10).box(number) for number in range(self.header(tenths=10).tiles)]
        self.keep = picture.height * picture.width <= _KEEP_PIXELS
        self.analysed: dict[Box, Tensor] = {}
        self.coded: dict[int, bytes] = {}

    def find(self, quality: float, bpp: float | None, psnr: float | None, size: int | None) -> bytes:
        if sum(wish is not None for wish in (bpp, psnr, size)) > 1:
            raise PictureError("give one of bpp, psnr and size, not several")
        if any(wish is not None and not 0 < wish < math.inf for wish in (bpp, psnr, size)):
            raise PictureError("bpp, psnr and size must be finite and above 0")
        if size is not None:
            trial = rate.search(lambda t: len(self.code(t)), size, tolerance=0.015, never_above=True)
            if trial.value > size:
                raise PictureError(
                    f"this picture does not fit into {size} bytes: quality 1 needs {trial.value:.0f}; make it smaller"
                )
            return self.code(trial.tenths)
        if bpp is not None:
            trial = rate.search(self.bpp, bpp, tolerance=0.015)
            _check_reached(trial, self.bpp, bpp, _NEAR_BITS * bpp, "bits per pixel")
            return self.code(trial.tenths)
        if psnr is not None:
            trial = rate.search(self.psnr, psnr, tolerance=0.05, logarithmic=False)
            _check_reached(trial, self.psnr, psnr, _NEAR_DECIBELS, "dB")
            return self.code(trial.tenths)
        if not 1 <= quality <= 100:
            raise PictureError(f"quality is {quality}: give 1 to 100")
        return self.code(round(quality * 10))

    def code(self, tenths: int) -> bytes:
        """The file at ten times a quality."""
        if tenths not in self.coded:
            self.coded[tenths] = self._code(tenths)
        return self.coded[tenths]

    def _code(self, tenths: int) -> bytes:
        streams = []
        for box in self.boxes:
            y = self._latents(box)
            if self.effort == 3:
                streams.append(refine(self.codec.coder, y, self.pixels(box), tenths, Trade(_TRADE)))
            else:
                trade = Trade(_TRADE) if self.effort == 2 else None
                streams.append(self.codec.coder.encode(y * self.codec.module.gains(tenths)[0], tenths, trade)[0])
        header = self.header(tenths=tenths)
        before, after = self.extras
        return container.write(header, [*before, *streams, *after])

    def bpp(self, tenths: int) -> float:
        """Bits of the file for each pixel."""
        return 8 * len(self.code(tenths)) / (self.picture.height * self.picture.width)

    def psnr(self, tenths: int) -> float:
        """Decibels of the decoded file, over all channels."""
        decoded = self.codec.decompress(self.code(tenths)).samples.astype(np.float64)
        error = np.mean((decoded - self.picture.samples) ** 2)
        return float(10 * np.log10(255.0**2 / max(error, 1e-6)))

    def pixels(self, box: Box) -> Tensor:
        return self.picture.tensor(box).expand(1, 3, -1, -1)

    def _latents(self, box: Box) -> Tensor:
        if box in self.analysed:
            return self.analysed[box]
        size = self.picture.height, self.picture.width
        y = analyse(self.codec.module, self.pixels, size, box)
        if self.keep:
            self.analysed[box] = y
        return y


def _check_reached(trial: rate.Trial, measure: Callable[[int], float], wished: float, near: float, unit: str) -> None:
    """PictureError where even the lowest or the highest quality leaves a picture on the same side of what is wished.

    Between them steps may be coarse, and then the nearest is taken.
    """
    above = trial.value > wished
    end = rate.LOW if above else rate.HIGH
    if abs(trial.value - wished) > near and (measure(end) > wished) == above:
        raise PictureError(
            f"{wished:g} {unit} are out of reach for this picture: quality {end / 10:g} gives {measure(end):.3g}"
        )


def _header_fields(picture: Picture, tile: int) -> dict[str, Any]:
    if tile.bit_count() != 1 or not 2**container.TILE_LOW <= tile <= 2**container.TILE_HIGH:
        raise PictureError(f"tile is {tile}: give a power of two of 64 to 2048")
    if max(picture.height, picture.width) > container.MAX_SIDE:
        raise PictureError(f"a .unp file holds at most {container.MAX_SIDE} pixels a side")
    return {
        "width": picture.width,
        "height": picture.height,
        "tile": tile,
        "grey": picture.grey,
        "alpha": picture.alpha is not None,
        "exif": _exif(picture) is not None,
    }


def _exif(picture: Picture) -> bytes | None:
    return picture.exif if picture.exif and len(picture.exif) <= container.MAX_EXIF else None


def _extras(picture: Picture, tile: int) -> tuple[list[bytes], list[bytes]]:
    """The parts before and after the picture's tiles: EXIF, and the alpha plane, which is always lossless."""
    exif = _exif(picture)
    alpha = [] if picture.alpha is None else _lossless_tiles(picture.alpha[:, :, None], tile)
    return ([] if exif is None else [exif]), alpha


def _lossless_tiles(samples: np.ndarray, tile: int) -> list[bytes]:
    depth = 8 * samples.dtype.itemsize
    grid = Header(samples.shape[1], samples.shape[0], 0, bytes(8), tile, lossless=True)
    boxes = [grid.box(number) for number in range(grid.tiles)]
    return [lossless.encode(samples[t : t + h, le : le + w], depth, fit) for t, le, h, w in boxes]


def compress_lossless(picture: Source, *, tile: int = TILE) -> bytes:
    """A picture of 8 or 16 bits as the bytes of a `.unp` file that gives back every bit. Needs no model."""
    known = read(picture)
    header = Header(
        tenths=0, identity=bytes(8), lossless=True, deep=known.bit_depth == 16, **_header_fields(known, tile)
    )
    before, after = _extras(known, tile)
    return container.write(header, [*before, *_lossless_tiles(known.samples, tile), *after])


@functools.lru_cache(maxsize=4)
def load_codec(name: str | Path = MODEL, device: str = "auto") -> PictureCodec:
    """A codec by its model's name or weight file, kept for further calls."""
    where = choose_device(device)
    module, record = load_module(name)
    if not isinstance(module, Codec):
        raise ModelError(f"{name} is no codec: give one whose name begins with codec/")
    try:
        check(module)
    except ValueError as error:
        raise ModelError(f"{name} cannot decode files safely: {error}; get it again") from None
    return PictureCodec(module, record, where)


def codec_of(wanted: bytes, device: str = "auto") -> PictureCodec:
    """The shipped codec whose decoder has this identity; BitstreamError if there is none."""
    for name in shipped():
        if name.startswith("codec/") and load_codec(name, device).identity == wanted:
            return load_codec(name, device)
    raise BitstreamError(
        f"this file needs the decoder {wanted.hex()}, which is not among this unpool's; "
        "files of format 0 are experimental and are read only by the version that wrote them"
    )


def compress(
    picture: Source,
    quality: float = 50,
    *,
    lossless: bool = False,
    effort: int = 2,
    bpp: float | None = None,
    psnr: float | None = None,
    size: int | None = None,
    tile: int = TILE,
    model: str | Path = MODEL,
    device: str = "auto",
) -> bytes:
    """A picture as the bytes of a `.unp` file.

    Args:
        picture: anything `unpool.read` takes; 8 bits per sample, or up to 16 with `lossless`.
        quality: 1 to 100, continuous, about 0.08 to 2 bits per pixel.
        lossless: keep every bit; `quality` and the model are not used, and no rate may be asked for.
        effort: 1 rounds, 2 weighs bits against error, 3 refines the latents of this one picture (slow).
        bpp: bits per pixel to meet within 2 %, in place of the quality.
        psnr: decibels to meet within 0.1, in place of the quality.
        size: bytes that are not to be exceeded, in place of the quality.
        tile: side of the tiles in pixels, 64 to 2048, a power of two.
        model: a model's name or a weight file.
        device: "auto", "cpu" or "cuda".

    Raises:
        PictureError: a setting out of range, a size that cannot be met, or 16 bits without `lossless`.
    """
    if lossless:
        if (bpp, psnr, size) != (None, None, None):
            raise PictureError("lossless keeps every bit, whatever that takes: leave out bpp, psnr and size")
        return compress_lossless(picture, tile=tile)
    return load_codec(model, device).compress(picture, quality, effort=effort, bpp=bpp, psnr=psnr, size=size, tile=tile)


def decompress(
    data: bytes,
    *,
    region: Box | None = None,
    max_pixels: int = container.MAX_PIXELS,
    model: str | Path | None = None,
    device: str = "auto",
) -> Picture:
    """The picture in the bytes of a `.unp` file.

    Args:
        data: the file.
        region: (top, left, height, width) in pixels; only its tiles and their neighbours are read.
        max_pixels: the size above which a picture is refused, by its header.
        model: a weight file to decode with; by default the shipped one that the file names.
        device: "auto", "cpu" or "cuda".

    Raises:
        BitstreamError: no `.unp` file, a damaged one, or one that needs another version.
        PictureError: a region that leaves the picture.
    """
    parsed = container.parse(data, max_pixels)
    if parsed.header.lossless:
        return decode(parsed, region, None)
    codec = codec_of(parsed.header.identity, device) if model is None else load_codec(model, device)
    return codec.decompress(data, region=region, max_pixels=max_pixels)
