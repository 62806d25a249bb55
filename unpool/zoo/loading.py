"""`load`: a model's name to the object that answers a user's calls."""

from pathlib import Path
from typing import Any

import torch

from unpool.errors import ModelError
from unpool.zoo.runtime import choose_device, prepare
from unpool.zoo.table import PREDICTORS, resolve
from unpool.zoo.weights import load_module


def load(name: str | Path, device: "str | torch.device" = "auto") -> Any:
    """The predictor of a model: it takes paths, PIL images, arrays or tensors, and holds `.module` and `.record`.

    name: a name that `unpool models` lists, or the path of a weight file.
    device: "auto", "cpu" or "cuda".
    Raises `ModelError` for an unknown name, a damaged file, or a device that is not there.

    >>> load("efficientnet-lite0").record.task
    'classification'
    """
    where = choose_device(device)
    module, record = load_module(name)
    if record.task not in PREDICTORS:
        raise ModelError(f"{name}: this version of unpool does not know what to do with a model for {record.task!r}")
    return resolve(PREDICTORS[record.task])(prepare(module, where), record, where)
