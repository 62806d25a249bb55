"""The codec's part of the demo page: photographs beside JPEG and WebP at the same bytes."""

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from unpool.codec.api import load_codec
from unpool.images.picture import Picture

if TYPE_CHECKING:
    from unpool.images.page import Page

_QUALITY = 15
_LONGEST = 768
_PEERS: dict[str, dict[str, Any]] = {
    "WEBP": {"method": 6},
    "JPEG": {"optimize": True, "progressive": True, "subsampling": 2},
}


def sections(page: "Page", pictures: dict[str, Picture]) -> None:
    """Add one section: each picture as a `.unp` file, and as JPEG and WebP files that are as large."""
    codec = load_codec()
    page.section(
        "A learned image file",
        "The same photograph three times at the same number of bytes: in unpool's own format, as WebP and as JPEG "
        "(optimised, 4:2:0), whose quality was searched to come as near as their steps allow.",
    )
    for name, picture in pictures.items():
        shown = _shown(picture)
        file = codec.compress(shown, _QUALITY)
        ours = codec.decompress(file)
        figures = [(ours, _caption(f"{name}, .unp", shown, ours, len(file)))]
        for kind, options in _PEERS.items():
            other, size = _nearest(shown, kind, options, len(file))
            figures.append((other, _caption(f"{name}, {'WebP' if kind == 'WEBP' else kind}", shown, other, size)))
        page.figure(figures)
    page.code(
        "unpool compress photo.png -q 15\nunpool info photo.unp\nunpool decompress photo.unp -o back.png",
        "import unpool\n\ndata = unpool.compress('photo.png', quality=15)\npicture = unpool.decompress(data)",
    )


def _shown(picture: Picture) -> Picture:
    """The picture's middle, at most 768 pixels a side, 8 bits, without transparency."""
    samples = picture.with_depth(8).samples
    height, width = samples.shape[:2]
    top, left = max(0, height - _LONGEST) // 2, max(0, width - _LONGEST) // 2
    return Picture(np.ascontiguousarray(samples[top : top + _LONGEST, left : left + _LONGEST]))


def _nearest(picture: Picture, kind: str, options: dict[str, Any], size: int) -> tuple[Picture, int]:
    """Of the qualities 0 to 100 of a format, the file that is nearest to a size, decoded."""
    image, low, high = picture.to_pil(), 0, 100
    files: dict[int, bytes] = {}
    while low <= high:
        middle = (low + high) // 2
        buffer = io.BytesIO()
        image.save(buffer, kind, quality=middle, **options)
        files[middle] = buffer.getvalue()
        low, high = (middle + 1, high) if buffer.tell() < size else (low, middle - 1)
    best = min(files.values(), key=lambda file: abs(len(file) - size))
    mode = "L" if picture.grey else "RGB"
    decoded = np.asarray(Image.open(io.BytesIO(best)).convert(mode))
    return Picture(decoded.reshape(picture.samples.shape).copy()), len(best)


def _caption(name: str, picture: Picture, decoded: Picture, size: int) -> str:
    error = np.mean((picture.samples.astype(np.float64) - decoded.samples) ** 2)
    return f"{name}\n{size / 1000:.1f} kB, {10 * np.log10(255**2 / max(error, 1e-6)):.1f} dB"
