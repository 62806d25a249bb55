"""Every model of the zoo through the same checks."""

from pathlib import Path

import pytest
import torch

from unpool.zoo import weights
from unpool.zoo.export import TOLERANCE, example_inputs, export, feed_forward
from unpool.zoo.loading import load
from unpool.zoo.table import PACKAGED, PREDICTORS
from unpool.zoo.weights import load_module, read_record

SHIPPED = list(weights.shipped())
ALL = [*PACKAGED, *SHIPPED]

# Megabytes of shipped weights a wing.
BUDGET = {
    "explanation": 4.0,
    "classic": 2.0,
    "codec": 4.0,
    "restoration": 4.0,
    "autoencoders": 2.5,
    "generation": 4.0,
    "faces": 6.5,
}


@pytest.fixture(scope="module", params=ALL)
def model(request):
    return load_module(request.param)


def test_loads_ready_to_run(model):
    module, record = model
    assert not module.training
    assert record.sha256
    assert record.task in PREDICTORS


def test_gives_the_same_twice(model):
    module, record = model
    again, _ = load_module(record.name)
    inputs = example_inputs(module, record) if feed_forward(module) else None
    if inputs is None:
        pairs = zip(module.state_dict().values(), again.state_dict().values())
    else:
        with torch.no_grad():
            pairs = zip(_flat(module(*inputs)), _flat(again(*inputs)))
    for one, other in pairs:
        assert torch.equal(one, other)
        assert torch.isfinite(one.float()).all()


def test_equals_its_onnx_form(model):
    module, record = model
    if not feed_forward(module):
        pytest.skip(f"{record.name} is not feed-forward")
    assert export(module, record).difference <= TOLERANCE


@pytest.mark.parametrize("name", SHIPPED)
def test_record_is_complete(name):
    record = read_record(name)
    assert record.name == name
    assert record.task == name.split("/")[0]
    assert record.trained_on
    assert record.licence
    assert record.headline
    assert record.figures
    assert record.recipe
    assert record.budget.seed is not None
    assert record.budget.hardware
    assert record.budget.minutes


@pytest.mark.parametrize("name", SHIPPED)
def test_its_recipe_is_still_there(name):
    from unpool.train.recipe import shipped

    assert read_record(name).recipe["name"] in shipped()


@pytest.mark.parametrize("wing", sorted({name.split("/")[0] for name in SHIPPED}))
def test_the_wing_keeps_its_budget(wing):
    size = sum(Path(path).stat().st_size for name, path in weights.shipped().items() if name.startswith(f"{wing}/"))
    assert size <= BUDGET[wing] * 1e6


@pytest.mark.parametrize("name", ALL)
def test_answers_a_user(name):
    predictor = load(name, device="cpu")
    assert predictor.record == load_module(name)[1]
    assert isinstance(predictor.module, torch.nn.Module)


def _flat(outputs):
    if isinstance(outputs, torch.Tensor):
        return [outputs]
    values = outputs.values() if isinstance(outputs, dict) else outputs
    return [tensor for value in values for tensor in _flat(value)]
