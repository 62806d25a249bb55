"""The JSON of `unpool bench codec` as a page: docs/codec-results.md, a plot, and crops at equal size.

`python examples/codec_results.py benchmarks/codec.json [docs]`; the plot needs `unpool[plots]`.
"""

import io
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from PIL import Image
from skimage.data import chelsea

import unpool
from unpool.images.picture import Picture
from unpool.images.writing import write

matplotlib.use("Agg")
from matplotlib import pyplot

NAMES = {
    "unpool": "unpool, effort 2",
    "unpool_effort1": "unpool, effort 1",
    "jpeg_plain": "JPEG, plain",
    "jpeg": "JPEG, optimised and progressive",
    "jpeg2000": "JPEG 2000",
    "webp": "WebP, method 6",
    "avif": "AVIF",
    "jpeg_xl": "JPEG XL",
}
SIZE = 9_000  # bytes of each file of the crops
CROP = (60, 110, 150, 220)  # top, left, height, width


def plot(figures: dict[str, Any], path: Path) -> None:
    """Mean quality over mean rate, a line a codec."""
    lines: dict[str, list[dict[str, float]]] = defaultdict(list)
    for name, point in figures["points"].items():
        lines[name.rsplit(" ", 1)[0]].append(point)
    drawing, axes = pyplot.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
    for panel, key, label in zip(axes, ("psnr_rgb", "ms_ssim_db"), ("PSNR of RGB, dB", "MS-SSIM, dB")):
        for name, points in lines.items():
            ordered = sorted(points, key=lambda point: point["bits_per_pixel"])
            wide = 2.5 if name == "unpool" else 1.2
            rates = [point["bits_per_pixel"] for point in ordered]
            panel.plot(rates, [point[key] for point in ordered], ".-", label=NAMES.get(name, name), linewidth=wide)
        panel.set(xscale="log", xlabel="bits per pixel", ylabel=label)
        panel.grid(alpha=0.3)
    axes[0].legend(fontsize=8)
    drawing.savefig(path)
    pyplot.close(drawing)


def nearest(photo: np.ndarray, kind: str, **options: Any) -> tuple[int, np.ndarray]:
    """The largest file of a format that is not above SIZE, decoded."""
    low, high, best = 0, 100, b""
    while low <= high:
        middle, buffer = (low + high) // 2, io.BytesIO()
        Image.fromarray(photo).save(buffer, kind, quality=middle, **options)
        if buffer.tell() <= SIZE:
            best, low = buffer.getvalue(), middle + 1
        else:
            high = middle - 1
    return len(best), np.asarray(Image.open(io.BytesIO(best)).convert("RGB"))


def crops(path: Path) -> str:
    """The photograph and four codecs at the same bytes, cut and doubled; returns what each is."""
    photo = chelsea()
    ours = unpool.compress(photo, size=SIZE)
    shown = {
        "the photograph": (photo.size, photo),
        "unpool": (len(ours), unpool.decompress(ours).samples),
        "JPEG, optimised and progressive": nearest(photo, "JPEG", optimize=True, progressive=True, subsampling=2),
        "WebP": nearest(photo, "WEBP", method=6),
        "AVIF": nearest(photo, "AVIF", speed=2),
    }
    top, left, height, width = CROP
    cut = [one[top : top + height, left : left + width] for _, one in shown.values()]
    doubled = [np.kron(one, np.ones((2, 2, 1), np.uint8)) for one in (*cut, np.full_like(cut[0], 255))]
    rows = [np.concatenate(doubled[at : at + 2], axis=1) for at in (0, 2, 4)]
    write(Picture(np.concatenate(rows)), path, quality=95)
    texts = []
    for name, (size, decoded) in shown.items():
        error = np.mean((photo.astype(float) - decoded) ** 2)
        told = f", {10 * np.log10(255**2 / error):.1f} dB" if error else ""
        texts.append(f"{name} ({size:,} bytes{told})")
    return "; ".join(texts)


def table(figures: dict[str, Any]) -> str:
    """Every codec against plain JPEG, the published ones marked."""
    rows = ["| codec | RGB-PSNR, % | MS-SSIM, % | overlap |", "|---|---|---|---|"]
    for name, row in figures["against_jpeg_plain"].items():
        if name != "jpeg_plain":
            values = f"{row['bd_rate_psnr_rgb']:+.1f} | {row['bd_rate_ms_ssim']:+.1f} | {row['overlap_psnr_rgb']:.2f}"
            rows.append(f"| {NAMES.get(name, name)} | {values} |")
    for name, percent in figures["published_vs_jpeg_plain_not_measured_here"].items():
        rows.append(f"| {name} (published, not measured here) | {percent:+.1f} | | |")
    return "\n".join(rows)


def main(source: Path, folder: Path) -> None:
    """Write page, plot and crops."""
    figures = json.loads(source.read_text(encoding="utf-8"))
    pictures = folder / "pictures" / "codec"
    pictures.mkdir(parents=True, exist_ok=True)
    plot(figures, pictures / "rate-distortion.svg")
    told = crops(pictures / "crops.webp")
    left_out = ("wing", "quick", "seconds", "covers", "model", "quality_setting")
    plain = {key: value for key, value in figures.items() if isinstance(value, int | float) and key not in left_out}
    plain |= {f"effort 3: {key}": value for key, value in figures.get("effort3", {}).items()}
    plain |= {f"memory: {key}": value for key, value in figures.get("memory", {}).items()}
    rows = "\n".join(f"| {key.replace('_', ' ')} | {value:.4g} |" for key, value in plain.items())
    hardware = figures["hardware"]
    page = f"""# The codec measured

Written by `python examples/codec_results.py {source}` from a run of `unpool bench codec` on {hardware["date"][:10]}
({hardware["cpu"]}, {hardware["threads"]} threads; {len(figures["pictures"])} Kodak pictures; {figures["covers"]}).

BD-rate against plain JPEG (4:2:0, neither optimised nor progressive), PCHIP, mean of the pictures' figures: percent of
bits for the same quality, negative is better. Overlap: the share of plain JPEG's range of qualities that both reach.

{table(figures)}

![Rate and distortion](pictures/codec/rate-distortion.svg)

![Crops at equal size](pictures/codec/crops.webp)

*scikit-image's `chelsea` (Stefan van der Walt, CC0), row by row: {told}.*

| figure | value |
|---|---|
{rows}
"""
    (folder / "codec-results.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else "docs"))
