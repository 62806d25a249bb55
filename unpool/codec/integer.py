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

    Example:
        >>> round_half_up(torch.tensor([-0.5, 0.49, 0.5, 2.5]))
        tensor([0., 0., 1., 3.])
    """
    return x + (torch.floor(x + 0.5) - x).detach()


class IntegerConv(nn.Module):
    """A stride-1 convolution from integers to integers: `clamp(round(x * W / 2**shift + b), low, high)`.

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
        self.kernel = kernel
        self.input_max = input_max
        self.low, self.high = (0, 255) if rectified else (-32767, 32767)
        fan = inputs * kernel * kernel
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel) * (2.0 / fan) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(outputs))  # in units of BIAS_UNIT integers
        self._exact: tuple[Tensor, Tensor] | None = None

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
        """int8 weights (outputs, inputs, k, k), int64 biases and shifts (outputs): what the file format speaks of."""
        shift = self.shifts()
        step = torch.exp2(shift)
        weight = torch.floor(self.weight.detach().double() * step[:, None, None, None] + 0.5)
        bias = torch.floor(self.bias.detach().double() * BIAS_UNIT * step + 0.5)
        bound = weight.abs().flatten(1).sum(1) * self.input_max + bias.abs() + (EXTRA_MAX + 1) * step
        if bool((weight.abs() > WEIGHT_MAX).any()) or bool((bound >= LIMIT).any()):
            raise ValueError("a row of this integer convolution could leave the exact range of float32")
        return weight.to(torch.int8), bias.to(torch.int64), shift.to(torch.int64)

    def train(self, mode: bool = True) -> "IntegerConv":
        """Forget the weights prepared for inference whenever the mode changes."""
        self._exact = None
        return super().train(mode)

    def _load_from_state_dict(self, *arguments: Any) -> None:
        self._exact = None
        super()._load_from_state_dict(*arguments)

    def forward(self, x: Tensor, extra: Tensor | None = None) -> Tensor:
        """Integers (N, inputs, h, w) to (N, outputs, h, w), in float32; `extra` (N, outputs, 1, 1) joins the bias."""
        if self.training:
            step = torch.exp2(self.shifts()).to(self.weight.dtype)
            wide = step[:, None, None, None]
            weight = round_half_up(self.weight * wide) / wide
            bias = round_half_up(self.bias * BIAS_UNIT * step) / step
            y = functional.conv2d(x, weight, bias, padding=self.kernel // 2)
        else:
            if self._exact is None or self._exact[0].device != x.device:
                with torch.inference_mode(False), torch.no_grad():  # they outlive this call and may meet gradients
                    integer, offset, shift = self.integers()
                    scale = torch.exp2(-shift.double())
                    rows = integer.flatten(1).double() * scale[:, None]
                    self._exact = (rows.float().to(x.device), (offset.double() * scale).float()[:, None].to(x.device))
            y = self._product(x, *self._exact)
        if extra is not None:
            y = y + extra.clamp(-EXTRA_MAX, EXTRA_MAX)
        return torch.clamp(round_half_up(y), self.low, self.high)

    def _product(self, x: Tensor, rows: Tensor, offset: Tensor) -> Tensor:
        """Unfold and multiply: no algorithm that would leave the integers on its way (Winograd, FFT)."""
        count, _, height, width = x.shape
        if self.kernel == 1:
            columns = x.flatten(2)
        else:
            columns = functional.unfold(x, self.kernel, padding=self.kernel // 2)
        return (torch.matmul(rows, columns) + offset).view(count, -1, height, width)
