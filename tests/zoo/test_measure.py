import time

import pytest
import torch
from torch import nn

from unpool.errors import UnpoolError
from unpool.zoo.measure import hardware, interleaved, macs, parameters, peak_memory


@pytest.mark.parametrize(
    ("module", "shape", "wanted"),
    [
        (nn.Conv2d(3, 8, 3, padding=1), (1, 3, 10, 10), 3 * 8 * 9 * 100),
        (nn.Conv2d(8, 8, 3, padding=1, groups=8), (2, 8, 5, 5), 8 * 9 * 25 * 2),
        (nn.Conv1d(8, 4, 3), (1, 8, 12), 8 * 4 * 3 * 10),
        (nn.ConvTranspose2d(4, 8, 4, stride=2, padding=1), (1, 4, 5, 5), 4 * 8 * 16 * 25),
        (nn.Linear(3, 7), (2, 5, 3), 3 * 7 * 10),
        (nn.Sequential(nn.ReLU(), nn.BatchNorm2d(3)), (1, 3, 4, 4), 0),
    ],
)
def test_macs_by_hand(module, shape, wanted):
    assert macs(module.eval(), torch.zeros(shape)) == wanted


def test_macs_see_functions_and_attention():
    weight = torch.zeros(8, 3, 3, 3)
    assert macs(lambda x: torch.conv2d(x, weight), torch.zeros(1, 3, 5, 5)) == 3 * 8 * 9 * 9
    attention = nn.MultiheadAttention(8, 2, batch_first=True).eval()
    projections, products = 4 * 5 * 8 * 8, 2 * 5 * 5 * 8
    assert macs(attention, *[torch.zeros(1, 5, 8)] * 3) == projections + products


def test_parameters_count_shared_weights_once():
    first = nn.Linear(3, 3)
    assert parameters(nn.Sequential(first, first)) == 12


def test_timings_are_interleaved():
    order = []
    figures = interleaved(
        {"a": lambda: order.append("a"), "b": lambda: (order.append("b"), time.sleep(0.002))}, repeats=5
    )
    assert order == ["a", "b"] * 6
    assert figures["b"]["median"] >= 0.002
    assert figures["b"]["low"] <= figures["b"]["median"] <= figures["b"]["high"]


def test_peak_memory_is_of_a_fresh_child():
    figures = peak_memory("numpy:ones", 5_000_000)
    assert 38e6 < figures["peak"] - figures["before"] < 60e6
    with pytest.raises(UnpoolError, match="ZeroDivisionError"):
        peak_memory("operator:truediv", 1, 0)


def test_hardware_names_machine_versions_and_date():
    found = hardware()
    assert found["threads"] == torch.get_num_threads()
    assert found["versions"]["torch"] == torch.__version__
    assert found["date"].endswith("+00:00")
