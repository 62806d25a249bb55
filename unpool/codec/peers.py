"""The picture formats people use today, as functions from pixels to bytes, for comparisons."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Peer:
    """A format: its settings from coarse to fine, and pixels (H, W, 3) uint8 with a setting to a file and back."""

    settings: tuple[float, ...]
    encode: Callable[[np.ndarray, float], bytes]
    decode: Callable[[bytes], np.ndarray]


def _pillow(kind: str, **options: Any) -> Callable[[np.ndarray, float], bytes]:
    def encode(pixels: np.ndarray, setting: float) -> bytes:
        buffer = io.BytesIO()
        chosen = {key: (int(setting) if value is None else value) for key, value in options.items()}
        if kind == "JPEG2000":
            chosen["quality_layers"] = [setting]
        Image.fromarray(pixels).save(buffer, kind, **chosen)
        return buffer.getvalue()

    return encode


def _decode(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def peers(quick: bool) -> dict[str, Peer]:
    """The formats at their best settings; `quick` takes the faster ones of AVIF and JPEG XL, and fewer points."""
    step = 2 if quick else 1
    jpeg = (5.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 95.0)
    webp = (1.0, 10.0, 25.0, 40.0, 55.0, 70.0, 80.0, 88.0, 94.0)
    avif = (10.0, 30.0, 50.0, 68.0, 84.0)
    jxl = (15.0, 9.0, 6.0, 4.0, 3.0, 2.0, 1.3, 0.8)
    plain = {"quality": None, "subsampling": 2}
    return {
        "jpeg_plain": Peer(jpeg[::step], _pillow("JPEG", **plain), _decode),
        "jpeg": Peer(jpeg[::step], _pillow("JPEG", **plain, optimize=True, progressive=True), _decode),
        "jpeg2000": Peer(
            (24.0, 26.0, 28.0, 30.0, 32.0, 34.0, 36.0, 39.0)[::step],
            _pillow("JPEG2000", irreversible=True, quality_mode="dB", mct=1),
            _decode,
        ),
        "webp": Peer(webp[::step], _pillow("WEBP", quality=None, method=6), _decode),
        "avif": Peer(avif[::step], _pillow("AVIF", quality=None, speed=8 if quick else 2), _decode),
        "jpeg_xl": Peer(
            jxl[::step],
            lambda pixels, distance: bytes(
                imagecodecs.jpegxl_encode(pixels, distance=distance, effort=3 if quick else 8)
            ),
            lambda data: imagecodecs.jpegxl_decode(data),
        ),
    }
