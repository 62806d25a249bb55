import pytest
import torch

from unpool.generation.model import Generator
from unpool.zoo.record import Record
from unpool.zoo.weights import save


def _file(folder, name, **config):
    torch.manual_seed(0)
    record = Record(
        name=f"generation/{name}",
        task="generation",
        network="unpool.generation.model:Generator",
        config=config,
        trained_on=("nothing",),
    )
    path = folder / f"{name}.safetensors"
    save(path, Generator(**config), record)
    return str(path)


@pytest.fixture(scope="session")
def plain(tmp_path_factory):
    """Weights of a small generator of 16x16 colour pictures without classes."""
    config = {"latent": 8, "size": (16, 16), "widths": (4, 8), "strides": (2, 2)}
    return _file(tmp_path_factory.mktemp("weights"), "plain", **config, output="sigmoid")


@pytest.fixture(scope="session")
def classy(tmp_path_factory):
    """Weights of a small generator of 12x12 grey pictures of three classes."""
    config = {"latent": 8, "classes": 3, "size": (12, 12), "channels": 1, "widths": (4, 8), "strides": (2, 2)}
    return _file(tmp_path_factory.mktemp("weights"), "classy", **config, output="sigmoid")
