import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from unpool.nn.conv import CONV, Adjoint, adjoint, conv


@st.composite
def convolutions(draw):
    dimensions = draw(st.sampled_from([1, 2]))
    groups = draw(st.sampled_from([1, 2]))
    kernel = draw(st.tuples(*[st.integers(1, 5)] * dimensions))
    dilation = draw(st.tuples(*[st.integers(1, 2)] * dimensions))
    stride = draw(st.tuples(*[st.integers(1, 3)] * dimensions))
    padding = draw(st.sampled_from(["same", "valid", "number"]))
    if padding == "same":
        stride = (1,) * dimensions
    if padding == "number":
        padding = draw(st.tuples(*[st.integers(0, 3)] * dimensions))
    least = [d * (k - 1) + 1 for k, d in zip(kernel, dilation)]
    size = tuple(draw(st.integers(n, n + 6)) for n in least)
    made = CONV[dimensions](
        2 * groups, 3 * groups, kernel, stride=stride, padding=padding, dilation=dilation, groups=groups, bias=False
    )
    return made, size


def _mismatch(made, size, dtype):
    made = made.to(dtype)
    x = torch.randn(2, made.in_channels, *size, dtype=dtype)
    forward = made(x)
    y = torch.randn_like(forward)
    back = Adjoint(made)(y, size=size)
    assert back.shape == x.shape
    scale = forward.norm() * y.norm() + 1e-30
    return float((((forward * y).sum() - (x * back).sum()).abs() / scale).detach())


@settings(max_examples=25, deadline=None)
@given(convolutions(), st.integers(0, 2**31))
def test_adjoint_is_the_transpose(drawn, seed):
    torch.manual_seed(seed)
    assert _mismatch(*drawn, torch.float64) < 1e-12
    assert _mismatch(*drawn, torch.float32) < 1e-5


def test_adjoint_equals_autograd():
    made = conv(in_channels=3, out_channels=4, stride=2, bias=False)
    x = torch.randn(1, 3, 8, 5, requires_grad=True)
    y = torch.randn_like(made(x))
    (gradient,) = torch.autograd.grad(made(x), x, y)
    torch.testing.assert_close(adjoint(made, y, size=(8, 5)), gradient)


def test_adjoint_shares_the_weight_and_owns_only_its_bias():
    made = conv(in_channels=3, out_channels=4)
    both = nn.ModuleDict({"down": made, "up": Adjoint(made, bias=True)})
    assert set(both.state_dict()) == {"down.weight", "down.bias", "up.bias"}
    before = both["up"](torch.ones(1, 4, 3, 3))
    with torch.no_grad():
        made.weight.mul_(2)
    torch.testing.assert_close(both["up"](torch.ones(1, 4, 3, 3)), 2 * before)


def test_adjoint_refuses_what_it_cannot_do():
    made = conv(in_channels=1, out_channels=1, stride=2)
    with pytest.raises(ValueError, match="does not give size 3"):
        Adjoint(made)(torch.ones(1, 1, 3, 3), size=(9, 5))
    with pytest.raises(ValueError, match="padding_mode"):
        Adjoint(nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect"))
    with pytest.raises(ValueError, match="Conv1d or Conv2d"):
        Adjoint(nn.Linear(1, 1))


def test_dimensions_are_one_or_two():
    with pytest.raises(ValueError, match="1 or 2"):
        conv(in_channels=1, out_channels=1, dimensions=3)
