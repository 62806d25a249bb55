"""The codec beside JPEG, JPEG 2000, WebP, AVIF and JPEG XL, in one run."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from unpool.codec import api
from unpool.codec.curves import bd_rate
from unpool.codec.fuzzing import fuzz
from unpool.codec.peers import Peer, peers
from unpool.images.metrics import ms_ssim_rgb, psnr_rgb
from unpool.images.picture import Picture
from unpool.images.reading import read
from unpool.train.data.find import find
from unpool.zoo.measure import interleaved, macs, peak_memory
from unpool.zoo.weights import locate

QUICK = (3, 13)  # numbers of the Kodak pictures of the quick run
QUALITIES = (1.0, 12.0, 25.0, 40.0, 55.0, 70.0, 85.0, 100.0)
QUICK_QUALITIES = (1.0, 25.0, 55.0, 100.0)
MEASURES = ("psnr_rgb", "ms_ssim")
# Percent against plain JPEG on Kodak over RGB-PSNR, as their authors or CompressAI published them; not measured here.
PUBLISHED = {
    "bmshj2018-factorized": -44.5,
    "bmshj2018-hyperprior": -55.0,
    "mbt2018-mean": -58.0,
    "ELIC": -68.0,
}
Curves = dict[str, list[tuple[float, float, float]]]  # (bits per pixel, PSNR, MS-SSIM in decibels) by codec


def bench(*, quick: bool, data: Path | None, report: Callable[[str], None]) -> dict[str, Any]:
    """Rate-distortion on Kodak, speed, memory, lossless sizes, hostile files."""
    codec = api.load_codec()
    files = sorted(path for path in find("photos/test/kodak", data).iterdir() if path.is_file())
    if quick:
        files = [files[number - 1] for number in QUICK]
    pictures = [read(path) for path in files]
    curves: list[Curves] = []
    for path, picture in zip(files, pictures):
        report(f"rate and distortion: {path.stem}")
        curves.append(_curves(codec, picture, quick))
    answer: dict[str, Any] = {"pictures": [path.stem for path in files], "model": codec.record.name}
    answer |= _compared(curves)
    report("speed")
    answer |= _speed(codec, pictures[0])
    answer |= _facts(codec, pictures, quick)
    report("hostile files")
    found = fuzz(locate(api.MODEL), 2000 if quick else 100_000)
    answer |= {"fuzz_mutations": found["mutations"], "fuzz_failures": found["failures"]}
    answer["points"] = _mean_points(curves)
    answer["published_vs_jpeg_plain_not_measured_here"] = PUBLISHED
    return answer


def _quality_of(picture: Picture, decoded: np.ndarray) -> tuple[float, float]:
    first, second = picture.rgb(), Picture(np.ascontiguousarray(decoded)).rgb()
    similarity = float(ms_ssim_rgb(first, second))
    return float(psnr_rgb(first, second)), -10 * float(np.log10(max(1 - similarity, 1e-6)))


def _curves(codec: api.PictureCodec, picture: Picture, quick: bool) -> Curves:
    def ours(effort: int) -> Peer:
        return Peer(
            QUICK_QUALITIES if quick else QUALITIES,
            lambda pixels, quality: codec.compress(Picture(pixels), quality, effort=effort),
            lambda file: codec.decompress(file).samples,
        )

    pixels, count = picture.samples, picture.height * picture.width
    found: Curves = {}
    own = {"unpool": ours(2)} if quick else {"unpool": ours(2), "unpool_effort1": ours(1)}
    for name, peer in {**own, **peers(quick)}.items():
        found[name] = []
        for setting in peer.settings:
            file = peer.encode(pixels, setting)
            found[name].append((8 * len(file) / count, *_quality_of(picture, peer.decode(file))))
    return found


def _compared(curves: Sequence[Curves]) -> dict[str, Any]:
    """BD-rates per picture, then averaged; the table holds every codec against plain JPEG."""
    answer: dict[str, Any] = {}
    names = {"jpeg": "jpeg", "jpeg_plain": "jpeg_plain", "webp": "webp", "avif": "avif", "jpeg_xl": "jpeg_xl"}
    for name, reference in names.items():
        answer[f"bd_rate_vs_{name}"] = _mean_bd(curves, "unpool", reference, 1)[0]
    table: dict[str, dict[str, float]] = {}
    for name in curves[0]:
        row: dict[str, float] = {}
        for number, measure in enumerate(MEASURES, start=1):
            percent, overlap = _mean_bd(curves, name, "jpeg_plain", number)
            row |= {f"bd_rate_{measure}": percent, f"overlap_{measure}": overlap}
        table[name] = row
    return answer | {"against_jpeg_plain": table}


def _mean_bd(curves: Sequence[Curves], name: str, reference: str, measure: int) -> tuple[float, float]:
    found = []
    for one in curves:
        pairs = [[(point[0], point[measure]) for point in one[which]] for which in (name, reference)]
        result = bd_rate(pairs[0], pairs[1])
        if result is not None:
            found.append(result)
    return (
        (float("nan"), 0.0)
        if not found
        else (float(np.mean([a for a, _ in found])), float(np.mean([b for _, b in found])))
    )


def _mean_points(curves: Sequence[Curves]) -> dict[str, dict[str, float]]:
    """The mean point of each setting, for a plot."""
    rows = {}
    for name in curves[0]:
        for number in range(len(curves[0][name])):
            rate, psnr, similarity = np.mean([one[name][number] for one in curves], axis=0).tolist()
            rows[f"{name} {number}"] = {"bits_per_pixel": rate, "psnr_rgb": psnr, "ms_ssim_db": similarity}
    return rows


def _speed(codec: api.PictureCodec, picture: Picture) -> dict[str, float]:
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
    return answer | {"threads": torch.get_num_threads()}


def _facts(codec: api.PictureCodec, pictures: Sequence[Picture], quick: bool) -> dict[str, float]:
    picture = pictures[0]
    pixels = picture.height * picture.width
    file = codec.compress(picture, 50)
    estimates = [_estimate(codec, one) for one in pictures]
    real = [8 * len(codec.compress(one, 50)) for one in pictures]
    some = pictures[: 2 if quick else None]
    exact = sum(len(api.compress_lossless(one)) for one in some)
    memory = peak_memory("unpool.codec.bench:there_and_back", 2048)
    return {
        "kmac_per_pixel_encode": macs(lambda: codec.compress(picture, 50)) / pixels / 1000,
        "kmac_per_pixel_decode": macs(lambda: codec.decompress(file)) / pixels / 1000,
        "file_size_gap_percent": 100 * (sum(real) / sum(estimates) - 1),
        "lossless_vs_png_percent": 100 * (exact / sum(_pillow_size(one, "PNG", optimize=True) for one in some) - 1),
        "lossless_vs_webp_percent": 100
        * (exact / sum(_pillow_size(one, "WEBP", lossless=True, quality=100, method=6) for one in some) - 1),
        "seam_step_ratio": _seams(codec, picture),
        "peak_memory_mb_4mp": (memory["peak"] - memory["before"]) / 1e6,
    }


def there_and_back(side: int) -> None:
    """Compress and decompress a square picture, for a measurement of memory."""
    rows, columns = np.mgrid[:side, :side]
    samples = np.stack([(rows + columns) % 256, rows % 256, columns % 256], axis=-1).astype(np.uint8)
    api.decompress(api.compress(samples))


def _estimate(codec: api.PictureCodec, picture: Picture) -> float:
    """The model's own estimate of a file's bits; the Kodak pictures are whole numbers of 64 pixels."""
    with torch.inference_mode():
        output = codec.module(picture.rgb().to(codec.device), torch.tensor([50.0], device=codec.device))
    return float(output["latent_bits"] + output["hyper_bits"])


def _pillow_size(picture: Picture, kind: str, **options: Any) -> int:
    buffer = io.BytesIO()
    picture.to_pil().save(buffer, kind, **options)
    return buffer.tell()


def _seams(codec: api.PictureCodec, picture: Picture) -> float:
    """The mean step between neighbours across borders of tiles of 128 pixels, relative to that elsewhere."""
    decoded = codec.decompress(codec.compress(picture, 30, tile=128)).samples.astype(np.float64)
    across, elsewhere = [], []
    for axis in (0, 1):
        steps = np.abs(np.diff(decoded, axis=axis)).mean(axis=(1 - axis, 2))
        border = np.arange(1, len(steps) + 1) % 128 == 0
        across.append(steps[border].mean())
        elsewhere.append(steps[~border].mean())
    return float(np.mean(across) / np.mean(elsewhere))
