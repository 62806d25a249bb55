import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from unpool.nn.pooling import MaxPool, Unpool, max_pool, unpool


@st.composite
def poolings(draw):
    dimensions = draw(st.sampled_from([1, 2]))
    kernel = draw(st.integers(1, 4))
    size = tuple(draw(st.integers(kernel, kernel + 7)) for _ in range(dimensions))
    return size, {
        "kernel": kernel,
        "stride": draw(st.integers(1, 4)),
        "padding": draw(st.integers(0, kernel // 2)),
        "ceil_mode": draw(st.booleans()),
    }


@settings(max_examples=25, deadline=None)
@given(poolings(), st.integers(0, 2**31))
def test_maxima_stay_in_place(drawn, seed):
    size, arguments = drawn
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(seed)) + 5
    values, switches = max_pool(x, **arguments)
    back = unpool(values, switches, size)
    chosen = torch.zeros(2, 3, x[0, 0].numel(), dtype=torch.bool).scatter(2, switches.flatten(2), True).view_as(x)
    torch.testing.assert_close(back, torch.where(chosen, x, 0))


@settings(max_examples=25, deadline=None)
@given(poolings(), st.integers(0, 2**31))
def test_add_is_the_adjoint_of_pooling(drawn, seed):
    size, arguments = drawn
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(seed), requires_grad=True)
    values, switches = max_pool(x, **arguments)
    y = torch.randn(values.shape, generator=torch.Generator().manual_seed(seed + 1))
    (gradient,) = torch.autograd.grad(values, x, y)
    torch.testing.assert_close(unpool(y, switches, size, rule="add"), gradient)


def test_the_last_window_wins_under_overwrite():
    switches = torch.tensor([[[2, 0, 2]]])
    values = torch.tensor([[[1.0, 5.0, 7.0]]], requires_grad=True)
    placed = unpool(values, switches, (4,), rule="overwrite")
    assert placed.tolist() == [[[5.0, 0.0, 7.0, 0.0]]]
    placed.sum().backward()
    assert values.grad.tolist() == [[[0.0, 1.0, 1.0]]]
    assert unpool(values, switches, (4,), rule="add").tolist() == [[[5.0, 0.0, 8.0, 0.0]]]


def test_equals_torch_without_overlap():
    x = torch.randn(1, 2, 9, 7)
    values, switches = MaxPool(kernel=2)(x)
    for rule in ("add", "overwrite"):
        mine = Unpool(rule=rule)(values, switches, (9, 7))
        torch.testing.assert_close(mine, F.max_unpool2d(values, switches, 2, output_size=(9, 7)))


def test_bad_arguments():
    values, switches = max_pool(torch.randn(1, 1, 4, 4), 2)
    with pytest.raises(ValueError, match="rule must be"):
        unpool(values, switches, (4, 4), rule="mean")
    with pytest.raises(ValueError, match="rule must be"):
        Unpool(rule="mean")
    with pytest.raises(ValueError, match="size needs 2"):
        unpool(values, switches, (4,))
    with pytest.raises(ValueError, match="differ in shape"):
        unpool(values[..., :1], switches, (4, 4))
    with pytest.raises(ValueError, match="max_pool takes"):
        max_pool(torch.zeros(4, 4), 2)
