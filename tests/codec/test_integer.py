"""Integer layers: exact whatever the order, the kind of product, and the number of threads."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unpool.codec.integer import LIMIT, IntegerConv


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 3]), st.floats(1e-3, 20))
def test_inference_is_integer_arithmetic(seed, kernel, size):
    torch.manual_seed(seed)
    layer = IntegerConv(inputs=5, outputs=7, kernel=kernel, rectified=bool(seed % 2)).eval()
    with torch.no_grad():
        layer.weight.mul_(size)
        layer.bias.normal_(std=3)
    x = torch.randint(0, 256, (1, 5, 6, 9)).float()
    weight, bias, shift = (one.long() for one in layer.integers())
    total = torch.nn.functional.conv2d(x.double(), weight.double(), padding=kernel // 2).long()
    wide = shift[:, None, None]
    expected = ((total + bias[:, None, None] + ((1 << wide) >> 1)) >> wide).clamp(layer.low, layer.high)
    assert torch.equal(layer(x).long(), expected)
    assert torch.equal(layer.train()(x).long(), expected)


def test_sums_stay_below_the_limit_even_for_wide_rows():
    layer = IntegerConv(inputs=600, outputs=2, kernel=3)
    with torch.no_grad():
        layer.weight.uniform_(0.5, 1.2)
    weight, bias, _ = layer.integers()
    bound = weight.long().abs().flatten(1).sum(1) * 255 + bias.abs()
    assert int(bound.max()) < LIMIT
    assert int(weight.abs().max()) > 0
    x = torch.full((1, 600, 3, 3), 255.0)
    assert torch.equal(layer.eval()(x), layer.train()(x))


def test_new_weights_are_seen_without_leaving_eval_mode():
    first, second = (IntegerConv(inputs=3, outputs=3).eval() for _ in range(2))
    x = torch.randint(0, 256, (1, 3, 4, 4)).float()
    first(x)
    first.load_state_dict(second.state_dict())
    assert torch.equal(first(x), second(x))


def test_gradients_pass_through():
    layer = IntegerConv(inputs=3, outputs=4, rectified=False)
    x = torch.randint(0, 50, (2, 3, 4, 4)).float().requires_grad_()
    layer(x).sum().backward()
    assert x.grad is not None
    assert np.allclose(x.grad[0, :, 0, 0], layer.weight.detach().sum((0, 2, 3)), atol=0.1)


def test_a_row_that_cannot_be_exact_is_refused():
    layer = IntegerConv(inputs=1, outputs=1)
    with torch.no_grad():
        layer.weight.fill_(1e6)
    with pytest.raises(ValueError, match="above 127"):
        layer.integers()
