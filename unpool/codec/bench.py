"""The codec beside JPEG, JPEG 2000, WebP, AVIF and JPEG XL, in one run."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from unpool.codec import api, figures
from unpool.codec.curves import bd_rate
from unpool.codec.fuzzing import fuzz
from unpool.codec.peers import Peer, peers
from unpool.images.metrics import ms_ssim_rgb, psnr_rgb
from unpool.images.picture import Picture
from unpool.images.reading import read
from unpool.train.data.find import find
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
    """Rate-distortion on Kodak, speed, memory, lossless sizes, hostile files.

    A quick run takes two pictures, fewer qualities, faster settings of AVIF and JPEG XL, and 2,000 mutations.
    """
    codec = api.load_codec()
    files = sorted(path for path in find("photos/test/kodak", data).iterdir() if path.is_file())
    if quick:
        files = [files[number - 1] for number in QUICK]
    pictures = [read(path) for path in files]
    curves: list[Curves] = []
    for path, picture in zip(files, pictures):
        report(f"rate and distortion: {path.stem}")
        curves.append(_curves(codec, picture, quick))
    covers = "2 pictures, fewer qualities, AVIF at speed 8, JPEG XL at effort 3" if quick else "everything"
    answer: dict[str, Any] = {"covers": covers, "pictures": [path.stem for path in files], "model": codec.record.name}
    answer |= {"quality_setting": "effort 2, the default"} | _compared(curves)
    report("speed, sizes, rate control")
    some = pictures[:1] if quick else pictures[::6]
    answer["pictures_of_sizes_and_wishes"] = len(some)
    answer |= figures.speed(codec, pictures[0]) | figures.sizes(codec, some) | figures.wishes(codec, some)
    answer["seam_step_ratio"] = float(np.mean([figures.seams(codec, picture) for picture in some]))
    report("memory")
    answer["memory"] = figures.memory(2048 if quick else 10_000)
    if not quick:
        report("effort 3")
        answer["effort3"] = _refined(codec, pictures[::6], curves[::6])
    report("hostile files and weights")
    for name, target, mutations in (("fuzz", "files", 100_000), ("fuzz_weights", "weights", 1000)):
        found = _fuzzed(target, mutations // 50 if quick else mutations)
        answer |= {f"{name}_{key}": value for key, value in found.items()}
    answer["points"] = _mean_points(curves)
    answer["published_vs_jpeg_plain_not_measured_here"] = PUBLISHED
    return answer


def _fuzzed(target: str, mutations: int) -> dict[str, int]:
    """Two children at a time."""
    with ThreadPoolExecutor(2) as pool:
        halves = pool.map(lambda seed: fuzz(locate(api.MODEL), mutations // 2, seed, target), (0, 1))
        found = list(halves)
    return {key: sum(half[key] for half in found) for key in found[0]}


def _refined(codec: api.PictureCodec, pictures: Sequence[Picture], curves: Sequence[Curves]) -> dict[str, float]:
    """What gradient steps on each picture's own latents gain, on some pictures and at four qualities."""
    found = []
    for picture, known in zip(pictures, curves):
        refined = _curve(picture, _ours(codec, 3, QUICK_QUALITIES))
        found.append({"effort3": refined, **known})
    against = {name: _mean_bd(found, "effort3", name, 1)[0] for name in ("unpool", "jpeg_plain", "webp", "avif")}
    return {"pictures": len(pictures)} | {f"bd_rate_vs_{name}": percent for name, percent in against.items()}


def _quality_of(picture: Picture, decoded: np.ndarray) -> tuple[float, float]:
    first, second = picture.rgb(), Picture(np.ascontiguousarray(decoded)).rgb()
    similarity = float(ms_ssim_rgb(first, second))
    return float(psnr_rgb(first, second)), -10 * float(np.log10(max(1 - similarity, 1e-6)))


def _ours(codec: api.PictureCodec, effort: int, qualities: tuple[float, ...]) -> Peer:
    return Peer(
        qualities,
        lambda pixels, quality: codec.compress(Picture(pixels), quality, effort=effort),
        lambda file: codec.decompress(file).samples,
    )


def _curves(codec: api.PictureCodec, picture: Picture, quick: bool) -> Curves:
    qualities = QUICK_QUALITIES if quick else QUALITIES
    own = {"unpool": _ours(codec, 2, qualities), "unpool_effort1": _ours(codec, 1, qualities)}
    return {name: _curve(picture, peer) for name, peer in {**own, **peers(quick)}.items()}


def _curve(picture: Picture, peer: Peer) -> list[tuple[float, float, float]]:
    points = []
    for setting in peer.settings:
        file = peer.encode(picture.samples, setting)
        bits_per_pixel = 8 * len(file) / (picture.height * picture.width)
        points.append((bits_per_pixel, *_quality_of(picture, peer.decode(file))))
    return points


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
