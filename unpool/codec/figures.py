"""What the codec's bench measures besides rate and distortion: speed, memory, sizes, how well wishes are met."""

import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from unpool.codec import api
from unpool.images.metrics import psnr_rgb
from unpool.images.picture import Picture
from unpool.zoo.measure import interleaved, macs, peak_memory

TILE = 128  # of the pictures whose tiles' borders are looked at


def speed(codec: api.PictureCodec, picture: Picture) -> dict[str, float]:
    """Megapixels a second at effort 1, beside AVIF as Pillow writes it by default, taking turns."""
    millions = picture.height * picture.width / 1e6
    image = picture.to_pil()
    avif = io.BytesIO()
    image.save(avif, "AVIF")
    file = codec.compress(picture, 50)
    timed = interleaved(
        {
            "encode": lambda: codec.compress(picture, 50, effort=1),
            "encode_effort2": lambda: codec.compress(picture, 50),
            "decode": lambda: codec.decompress(file),
            "avif_encode": lambda: image.save(io.BytesIO(), "AVIF"),
            "avif_decode": lambda: Image.open(io.BytesIO(avif.getvalue())).load(),
        },
        repeats=5,
    )
    answer = {f"{name}_mp_per_s": millions / seconds["median"] for name, seconds in timed.items()}
    pixels = 1000 * picture.height * picture.width
    return answer | {
        "kmac_per_pixel_encode": macs(lambda: codec.compress(picture, 50)) / pixels,
        "kmac_per_pixel_decode": macs(lambda: codec.decompress(file)) / pixels,
        "threads": torch.get_num_threads(),
    }


def sizes(codec: api.PictureCodec, pictures: Sequence[Picture]) -> dict[str, float]:
    """Real files against the network's own estimate, and lossless files against PNG and WebP, over these pictures."""
    estimates = sum(_estimate(codec, one) for one in pictures)
    real = 8 * sum(len(codec.compress(one, 50, effort=1)) for one in pictures)
    exact = sum(len(api.compress_lossless(one)) for one in pictures)
    png = sum(_pillow_size(one, "PNG", optimize=True) for one in pictures)
    webp = sum(_pillow_size(one, "WEBP", lossless=True, quality=100, method=6) for one in pictures)
    return {
        "file_size_gap_percent": 100 * (real / estimates - 1),
        "lossless_vs_png_percent": 100 * (exact / png - 1),
        "lossless_vs_webp_percent": 100 * (exact / webp - 1),
    }


def _estimate(codec: api.PictureCodec, picture: Picture) -> float:
    """The model's own estimate of a file's bits; the Kodak pictures are whole numbers of 64 pixels."""
    with torch.inference_mode():
        output = codec.module(picture.rgb().to(codec.device), torch.tensor([50.0], device=codec.device))
    return float(output["latent_bits"] + output["hyper_bits"])


def _pillow_size(picture: Picture, kind: str, **options: Any) -> int:
    buffer = io.BytesIO()
    picture.to_pil().save(buffer, kind, **options)
    return buffer.tell()


def wishes(codec: api.PictureCodec, pictures: Sequence[Picture]) -> dict[str, float]:
    """The worst that rate control did: off a wished rate and PSNR, and of a wished size the least share used."""
    rate, decibels, share = 0.0, 0.0, []
    for picture in pictures:
        pixels = picture.height * picture.width
        for bpp in (0.4, 1.0):
            rate = max(rate, abs(8 * len(codec.compress(picture, bpp=bpp)) / pixels / bpp - 1))
        for psnr in (31.0, 35.0):
            decoded = codec.decompress(codec.compress(picture, psnr=psnr))
            decibels = max(decibels, abs(float(psnr_rgb(picture.rgb(), decoded.rgb())) - psnr))
        # One wish of a fixed size, and one that is large, but that the qualities reach on this picture.
        for size in (pixels // 12, len(codec.compress(picture, 90))):
            share.append(len(codec.compress(picture, size=size)) / size)
    return {
        "bpp_error_percent_max": 100 * rate,
        "psnr_error_db_max": decibels,
        "size_used_percent_min": 100 * min(share),
        "size_used_percent_max": 100 * max(share),
    }


def seams(codec: api.PictureCodec, picture: Picture) -> float:
    """The mean step across borders of tiles of 128 pixels relative to that elsewhere.

    Divided by the same figure of the picture in one tile: what lies at those places by chance is not counted.
    """
    whole, tiled = (_step_ratio(codec.decompress(codec.compress(picture, 50, tile=side))) for side in (2048, TILE))
    return tiled / whole


def _step_ratio(decoded: Picture) -> float:
    values = decoded.samples.astype(np.float64)
    across, elsewhere = [], []
    for axis in (0, 1):
        steps = np.abs(np.diff(values, axis=axis)).mean(axis=(1 - axis, 2))
        border = np.arange(1, len(steps) + 1) % TILE == 0
        across.append(steps[border].mean())
        elsewhere.append(steps[~border].mean())
    return float(np.mean(across) / np.mean(elsewhere))


def memory(side: int) -> dict[str, float]:
    """Peak memory, each in a fresh process, of a square picture's way to a file and back, without the library's own."""
    with tempfile.TemporaryDirectory() as folder:
        place = str(Path(folder) / "square.unp")
        answer = {"pixels": side**2, "picture_mb": 3 * side**2 / 1e6}
        for name in ("compress", "decompress"):
            found = peak_memory(f"unpool.codec.figures:{name}_square", place, side)
            answer |= {f"{name}_peak_mb": (found["peak"] - found["before"]) / 1e6}
    return answer


def compress_square(place: str, side: int) -> None:
    """Write a square picture as a file."""
    samples = np.empty((side, side, 3), np.uint8)
    # In bytes throughout: no copy is larger than the picture.
    slow, slower, fast = ((np.arange(side) // period).astype(np.uint8) for period in (2, 3, 1))
    np.add(slow[:, None], slower, out=samples[..., 0])
    np.bitwise_xor(slower[:, None], fast, out=samples[..., 1])
    samples[..., 2] = fast
    Path(place).write_bytes(api.compress(Picture(samples), effort=1))


def decompress_square(place: str, side: int) -> None:
    """Decode a file."""
    assert api.decompress(Path(place).read_bytes()).height == side
