"""Rectifiers caught at tensor level, however a network calls them, and what flows back through them instead of the
gradient."""

from collections import Counter
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

Rule = Literal["deconvnet", "guided"]
Bounds = tuple[Tensor, float, bool]  # the rectified tensor, its upper bound, whether in place

_INFINITY = float("inf")
_aten = torch.ops.aten


class _Rectify(torch.autograd.Function):
    """clamp(x, 0, high), through which only positive signals flow back: all of them (`deconvnet`: Zeiler and Fergus
    2014), or those where the rectifier was open (`guided`: Springenberg et al. 2015)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, high: float, in_place: bool, guided: bool) -> Tensor:
        if high == _INFINITY:
            y = torch.relu_(x) if in_place else torch.relu(x)
        else:
            y = x.clamp_(0, high) if in_place else x.clamp(0, high)
        if in_place:
            ctx.mark_dirty(x)
        if guided:
            ctx.save_for_backward(y)
        ctx.high = high
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, signal: Tensor) -> tuple[Tensor, None, None, None]:
        positive = torch.relu(signal)
        for y in ctx.saved_tensors:  # one where guided, none otherwise; checkpointing lets them be asked for once
            if ctx.high == _INFINITY:
                positive = _aten.threshold_backward(positive, y, 0)
            else:
                positive = _aten.hardtanh_backward(positive, y, 0, ctx.high)
        return positive, None, None, None


def _number(value: Any) -> float | None:
    """A bound as a number: None for none, NaN for a tensor of several values."""
    if value is None:
        return None
    if isinstance(value, Tensor):
        return float(value.detach()) if value.numel() == 1 else float("nan")
    return float(value)


def _relu(in_place: bool = False) -> Callable[..., Bounds]:
    def bounds(input: Tensor, inplace: bool = in_place) -> Bounds:
        return input, _INFINITY, inplace

    return bounds


def _relu6(input: Tensor, inplace: bool = False) -> Bounds:
    return input, 6.0, inplace


def _hardtanh(in_place: bool = False) -> Callable[..., Bounds | None]:
    def bounds(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = in_place) -> Bounds | None:
        return (input, float(max_val), inplace) if min_val == 0 and max_val > 0 else None

    return bounds


def _clamp(in_place: bool = False) -> Callable[..., Bounds | None]:
    def bounds(input: Tensor, min: Any = None, max: Any = None) -> Bounds | None:
        low, high = _number(min), _number(max)
        high = _INFINITY if high is None else high
        return (input, high, in_place) if low == 0 and high > 0 else None

    return bounds


def _threshold(in_place: bool = False) -> Callable[..., Bounds | None]:
    def bounds(input: Tensor, threshold: float, value: float, inplace: bool = in_place) -> Bounds | None:
        return (input, _INFINITY, inplace) if threshold == 0 and value == 0 else None

    return bounds


def _maximum(input: Tensor, other: Any = None, *_: Any, **__: Any) -> Bounds | None:
    """maximum(x, 0) in either order; `max` along a dimension is no rectifier."""
    if not isinstance(other, Tensor):
        return None
    for x, zero in ((input, other), (other, input)):
        if not zero.requires_grad and zero.numel() <= x.numel() and not bool(zero.any()):
            return x, _INFINITY, False
    return None


_RECTIFIERS: dict[Any, Callable[..., Bounds | None]] = {
    **dict.fromkeys((F.relu, torch.relu, Tensor.relu, _aten.relu), _relu()),
    **dict.fromkeys((torch.relu_, Tensor.relu_, _aten.relu_), _relu(in_place=True)),
    **dict.fromkeys((F.relu6, _aten.relu6), _relu6),
    **dict.fromkeys((F.hardtanh, _aten.hardtanh), _hardtanh()),
    **dict.fromkeys((F.hardtanh_, _aten.hardtanh_), _hardtanh(in_place=True)),
    **dict.fromkeys((torch.clamp, Tensor.clamp, torch.clip, Tensor.clip, _aten.clamp), _clamp()),
    **dict.fromkeys((torch.clamp_min, Tensor.clamp_min, _aten.clamp_min), _clamp()),
    **dict.fromkeys((torch.clamp_, Tensor.clamp_, torch.clip_, Tensor.clip_, _aten.clamp_), _clamp(in_place=True)),
    **dict.fromkeys((torch.clamp_min_, Tensor.clamp_min_, _aten.clamp_min_), _clamp(in_place=True)),
    **dict.fromkeys((F.threshold, torch.threshold, _aten.threshold), _threshold()),
    **dict.fromkeys((torch.threshold_, _aten.threshold_), _threshold(in_place=True)),
    **dict.fromkeys((torch.maximum, Tensor.maximum, torch.fmax, Tensor.fmax, _aten.maximum), _maximum),
    **dict.fromkeys((torch.max, Tensor.max), _maximum),
}

_OTHERS: dict[Any, str] = {
    **dict.fromkeys((F.silu, _aten.silu, _aten.silu_), "SiLU"),
    **dict.fromkeys((F.gelu, _aten.gelu), "GELU"),
    **dict.fromkeys((F.leaky_relu, F.leaky_relu_, _aten.leaky_relu, _aten.leaky_relu_), "LeakyReLU"),
    **dict.fromkeys((F.prelu, torch.prelu, Tensor.prelu), "PReLU"),
    **dict.fromkeys((F.rrelu, F.rrelu_, torch.rrelu, torch.rrelu_), "RReLU"),
    **dict.fromkeys((F.elu, F.elu_, _aten.elu, _aten.elu_), "ELU"),
    **dict.fromkeys((F.selu, torch.selu, torch.selu_), "SELU"),
    **dict.fromkeys((F.celu, torch.celu, torch.celu_), "CELU"),
    **dict.fromkeys((F.glu,), "GLU"),
    **dict.fromkeys((F.mish, _aten.mish), "Mish"),
    **dict.fromkeys((F.hardswish, _aten.hardswish, _aten.hardswish_), "Hardswish"),
    **dict.fromkeys((F.hardsigmoid, _aten.hardsigmoid), "Hardsigmoid"),
    **dict.fromkeys((F.softplus, _aten.softplus), "Softplus"),
    **dict.fromkeys((F.softsign,), "Softsign"),
    **dict.fromkeys((F.softshrink, F.hardshrink, torch.hardshrink, F.tanhshrink), "Shrink"),
    **dict.fromkeys((F.logsigmoid,), "LogSigmoid"),
    **dict.fromkeys((F.sigmoid, torch.sigmoid, torch.sigmoid_, Tensor.sigmoid, Tensor.sigmoid_), "Sigmoid"),
    **dict.fromkeys((F.tanh, torch.tanh, torch.tanh_, Tensor.tanh, Tensor.tanh_), "Tanh"),
}
# A function of the first table that is called with other bounds than a rectifier's is an activation left alone, too.
_OTHER_BOUNDS = {
    F.hardtanh: "Hardtanh",
    F.hardtanh_: "Hardtanh",
    F.threshold: "Threshold",
    torch.threshold_: "Threshold",
}


class Interception(TorchFunctionMode):
    """While it is entered, and in its thread alone, rectifiers follow `rule` on the way back; None leaves the gradient.

    Attributes:
        caught: calls of rectifiers so far, on anything but a parameter.
        left_alone: calls of other activations so far, by name.
        counting: set to False for calls that are not to be counted.
    """

    def __init__(self, rule: Rule | None) -> None:
        super().__init__()
        self.rule = rule
        self.caught = 0
        self.left_alone: Counter[str] = Counter()
        self.counting = True

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        func = func.overloadpacket if isinstance(func, torch._ops.OpOverload) else func
        found = _RECTIFIERS.get(func)
        if found is not None:
            bounds = found(*args, **kwargs)
            if bounds is None:
                if func in _OTHER_BOUNDS and self.counting:
                    self.left_alone[_OTHER_BOUNDS[func]] += 1
            elif bounds[0].is_floating_point() and not isinstance(bounds[0], nn.Parameter):
                x, high, in_place = bounds
                self.caught += self.counting
                if self.rule is not None and x.requires_grad and torch.is_grad_enabled():
                    return _Rectify.apply(x, high, in_place, self.rule == "guided")
        elif func in _OTHERS and self.counting:
            self.left_alone[_OTHERS[func]] += 1
        return func(*args, **kwargs)
