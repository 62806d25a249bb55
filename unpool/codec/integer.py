"""Convolutions whose inference is exact integer arithmetic, trained as they will run.

A decoder that predicts probabilities must predict the same ones on every machine, so nothing in it may depend on the
order of a sum. Here every activation is an integer held in float32 and every weight an int8 integer divided by a power
of two of its row. All partial sums are integers below 2**24 (proved row by row from the weights), so float32 adds them
exactly in any order; dividing by the power of two and rounding half up is exact as well. Training runs the same
arithmetic with straight-through gradients.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

LIMIT = 2**24
WEIGHT_MAX = 127
SHIFT_MAX = 20
EXTRA_MAX = 1023  # magnitude of the integers that may join a bias
BIAS_UNIT = 32.0


def round_half_up(x: Tensor) -> Tensor:
    """Round to the nearest integer, halves up, with the gradient of the identity.

    Examples:
        >>> round_half_up(torch.tensor([-0.5, 0.49, 0.5, 2.5]))
        tensor([0., 0., 1., 3.])
    """
    return x + (torch.floor(x + 0.5) - x).detach()


class IntegerLayer(nn.Module):
    """A stride-1 convolution from integers to integers: `clamp(round((x * W + B) / 2**shift), low, high)`.

    Args:
        inputs, outputs: channels.
        kernel: odd side of the kernel; the borders are padded with zeros.
        input_max: the largest magnitude an input can have; fixes how coarse the weights must be for exact sums.
        rectified: clamp the result to 0..255, else to -32767..32767.
    """

    def __init__(
        self, *, inputs: int, outputs: int, kernel: int = 1, input_max: int = 255, rectified: bool = True
    ) -> None:
        super().__init__()
        self.shape = (outputs, inputs, kernel, kernel)
        self.kernel = kernel
        self.input_max = input_max
        self.low, self.high = (0, 255) if rectified else (-32767, 32767)
        self._exact: tuple[Tensor, Tensor] | None = None

    def integers(self) -> tuple[Tensor, Tensor, Tensor]:
        """int8 weights (outputs, inputs, k, k), int32 biases and uint8 shifts (outputs): what a weight file holds."""
        raise NotImplementedError

    def train(self, mode: bool = True) -> "IntegerLayer":
        """Forget the weights prepared for inference whenever the mode changes."""
        self._exact = None
        return super().train(mode)

    def _load_from_state_dict(self, *arguments: Any) -> None:
        self._exact = None
        super()._load_from_state_dict(*arguments)

    def forward(self, x: Tensor, extra: Tensor | None = None) -> Tensor:
        """Integers (N, inputs, h, w) to (N, outputs, h, w), in float32; `extra` (N, outputs, 1, 1) joins the bias."""
        y = self._sums(x)
        if extra is not None:
            y = y + extra.clamp(-EXTRA_MAX, EXTRA_MAX)
        if not torch.is_grad_enabled():  # the same in place: rounding took as long as some of the products
            return y.add_(0.5).floor_().clamp_(self.low, self.high)
        return torch.clamp(round_half_up(y), self.low, self.high)

    def _sums(self, x: Tensor) -> Tensor:
        """The sums before rounding: unfold and multiply, no algorithm that leaves the integers (Winograd, FFT)."""
        if self._exact is None or self._exact[0].device != x.device:
            self._exact = self._prepared(x.device)
        rows, offset = self._exact
        count, _, height, width = x.shape
        columns = x.flatten(2) if self.kernel == 1 else functional.unfold(x, self.kernel, padding=self.kernel // 2)
        return torch.matmul(rows, columns).add_(offset).view(count, -1, height, width)

    def check(self) -> None:
        """ValueError if a sum could leave the integers that float32 holds."""
        weight, bias, shift = (one.double() for one in self.integers())
        bound = weight.abs().flatten(1).sum(1) * self.input_max + bias.abs() + (EXTRA_MAX + 1) * torch.exp2(shift)
        if bool((bound >= LIMIT).any()):
            raise ValueError("a row of this integer convolution could leave the exact range of float32")

    def _prepared(self, device: torch.device) -> tuple[Tensor, Tensor]:
        self.check()
        with torch.inference_mode(False), torch.no_grad():  # they outlive this call and may meet gradients
            weight, bias, shift = self.integers()
            step = torch.exp2(shift.double())
            rows, offset = weight.flatten(1) / step[:, None], bias / step
            return rows.float().to(device), offset.float()[:, None].to(device)


class IntegerConv(IntegerLayer):
    """The layer while it is trained: float weights, used as the integers that they round to."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        outputs, inputs, kernel, _ = self.shape
        self.weight = nn.Parameter(torch.randn(self.shape) * (2.0 / (inputs * kernel * kernel)) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(outputs))  # in units of BIAS_UNIT integers

    def shifts(self) -> Tensor:
        """Per row, the largest power of two for which the row is int8 and its sums stay below 2**24."""
        rows = self.weight.detach().flatten(1).abs().double()
        bias = self.bias.detach().abs().double() * BIAS_UNIT
        int8 = WEIGHT_MAX / rows.amax(1).clamp_min(1e-9)
        # Rounding adds at most one half to each weight, to the bias, and to the sum before the floor.
        slack = 0.5 * rows.shape[1] * self.input_max + 2
        exact = (LIMIT - slack) / (rows.sum(1) * self.input_max + bias + EXTRA_MAX + 1)
        # frexp gives the whole part of the logarithm exactly, on every machine.
        return (torch.frexp(torch.minimum(int8, exact)).exponent - 1).double().clamp(0, SHIFT_MAX)

    def integers(self) -> tuple[Tensor, Tensor, Tensor]:
        """The integers that the weights round to."""
        shift = self.shifts()
        step = torch.exp2(shift)
        weight = torch.floor(self.weight.detach().double() * step[:, None, None, None] + 0.5)
        bias = torch.floor(self.bias.detach().double() * BIAS_UNIT * step + 0.5)
        if bool((weight.abs() > WEIGHT_MAX).any()):
            raise ValueError("a weight of this integer convolution is above 127")
        return weight.to(torch.int8), bias.to(torch.int32), shift.to(torch.uint8)

    def _sums(self, x: Tensor) -> Tensor:
        if not self.training:
            return super()._sums(x)
        step = torch.exp2(self.shifts()).to(self.weight.dtype)
        wide = step[:, None, None, None]
        weight = round_half_up(self.weight * wide) / wide
        bias = round_half_up(self.bias * BIAS_UNIT * step) / step
        return functional.conv2d(x, weight, bias, padding=self.kernel // 2)


class PackedConv(IntegerLayer):
    """The layer as it ships: integers alone, half as large as half-precision weights, and not trainable."""

    weight: Tensor
    bias: Tensor
    shift: Tensor

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.register_buffer("weight", torch.zeros(self.shape, dtype=torch.int8))
        self.register_buffer("bias", torch.zeros(self.shape[0], dtype=torch.int32))
        self.register_buffer("shift", torch.zeros(self.shape[0], dtype=torch.uint8))

    def integers(self) -> tuple[Tensor, Tensor, Tensor]:
        """The integers as they are stored."""
        return self.weight, self.bias, self.shift


def packed_state(module: nn.Module) -> dict[str, Tensor]:
    """The state of a module for its twin whose integer layers are `PackedConv`."""
    state = dict(module.state_dict())
    for name, layer in module.named_modules():
        if isinstance(layer, IntegerConv):
            state |= {f"{name}.{key}": value for key, value in zip(("weight", "bias", "shift"), layer.integers())}
    return state


def unpacked_state(module: nn.Module) -> dict[str, Tensor]:
    """The state of a packed module for its trainable twin: weights that round to the same values."""
    state = dict(module.state_dict())
    for name, layer in module.named_modules():
        if isinstance(layer, PackedConv):
            step = torch.exp2(state.pop(f"{name}.shift").float())
            state[f"{name}.weight"] = layer.weight / step[:, None, None, None]
            state[f"{name}.bias"] = layer.bias / step / BIAS_UNIT
    return state
