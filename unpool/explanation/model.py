"""The networks: a deconvnet built layer by layer, a plain CNN to look into, and the decoder that inverts features."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unpool.errors import ModelError
from unpool.nn.conv import adjoint
from unpool.nn.conv import conv as convolution
from unpool.nn.pooling import max_pool, unpool
from unpool.nn.towers import Decoder


@dataclass(frozen=True)
class _Step:
    """One layer on the way up: its name, and what it does to a signal that comes back down."""

    name: str
    back: Callable[[Tensor], Tensor]


class DeconvNet(nn.Module):
    """The deconvnet of a sequential CNN (Zeiler and Fergus 2014): a forward pass that records its switches, then
    projections.

    Going down, each layer is replaced by: max pooling - unpooling by the recorded switches (where overlapping windows
    chose the same sample their values are added); a rectifier - a rectifier; a convolution - the transposed convolution
    with the same filters; batch normalisation - its scale alone; average pooling, flattening and dense layers - their
    transposes.

    Args:
        network: an `nn.Sequential`, nested as deep as it likes, of Conv2d, BatchNorm2d, ReLU, ReLU6, MaxPool2d,
            AvgPool2d, AdaptiveAvgPool2d, Flatten, Linear, Dropout and Identity. It is used as it is, in evaluation
            mode, and not changed.

    Raises:
        ModelError: another kind of layer, or a network that is not sequential; `unpool.explain` takes any network.

    Examples:
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2))
        >>> deconvnet = DeconvNet(net)
        >>> features = deconvnet(torch.rand(1, 1, 8, 8))
        >>> deconvnet.project(features).shape
        torch.Size([1, 1, 8, 8])
    """

    def __init__(self, network: nn.Sequential) -> None:
        super().__init__()
        self.layers = dict(_flat(network))
        for name, layer in self.layers.items():
            if not isinstance(layer, tuple(_FORWARD)):
                raise ModelError(
                    f"layer {name!r} is a {type(layer).__name__}, which a layer-by-layer deconvnet cannot invert"
                )
        self._steps: list[_Step] = []

    @torch.no_grad()
    def forward(self, x: Tensor, layer: str | None = None) -> Tensor:
        """(N, C, H, W) up to `layer` (its output; None is the last one), keeping switches and sizes for `project`."""
        if layer is not None and layer not in self.layers:
            raise ModelError(f"there is no layer {layer!r}; there are {', '.join(self.layers)}")
        self._steps = []
        for name, module in self.layers.items():
            kind = next(k for k in _FORWARD if isinstance(module, k))
            x, back = _FORWARD[kind](module, x)
            self._steps.append(_Step(name, back))
            if name == layer:
                break
        return x

    @torch.no_grad()
    def project(self, signal: Tensor) -> Tensor:
        """A signal shaped like the last `forward`'s result down to pixels (N, C, H, W), by that pass's switches."""
        if not self._steps:
            raise ModelError("there are no switches yet: run the picture forward first")
        for step in reversed(self._steps):
            signal = step.back(signal)
        return signal

    def project_strongest(self, activation: Tensor, channel: int) -> Tensor:
        """The projection of a channel's strongest value in each picture, everything else set to zero."""
        places = activation[:, channel].flatten(1)
        where = places.argmax(1, keepdim=True)
        seed = torch.zeros_like(activation)
        seed[:, channel] = (
            torch.zeros_like(places).scatter(1, where, places.gather(1, where)).view_as(activation[:, channel])
        )
        return self.project(seed)


def _flat(network: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    if not isinstance(network, nn.Sequential):
        yield prefix.rstrip("."), network
        return
    for name, child in network.named_children():
        yield from _flat(child, f"{prefix}{name}.")


Pass = tuple[Tensor, Callable[[Tensor], Tensor]]


def _convolution(layer: nn.Conv2d, x: Tensor) -> Pass:
    if layer.padding_mode != "zeros":
        raise ModelError(f"a convolution pads with {layer.padding_mode!r}: only zero padding can be transposed here")
    size = x.shape[2:]
    return layer(x), lambda signal: adjoint(layer, signal, size=size)


def _rectifier(layer: nn.Module, x: Tensor) -> Pass:
    return (x.clamp(0, 6) if isinstance(layer, nn.ReLU6) else x.relu()), torch.relu


def _max_pooling(layer: nn.MaxPool2d, x: Tensor) -> Pass:
    size = x.shape[2:]
    y, switches = max_pool(x, layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.ceil_mode)
    return y, lambda signal: unpool(signal, switches, size, "add")


def _batch_normalisation(layer: nn.BatchNorm2d, x: Tensor) -> Pass:
    if layer.running_mean is None or layer.running_var is None:
        raise ModelError("a batch normalisation without running statistics has no fixed scale to go back through")
    scale = torch.rsqrt(layer.running_var + layer.eps) * (1 if layer.weight is None else layer.weight)
    y = F.batch_norm(x, layer.running_mean, layer.running_var, layer.weight, layer.bias, False, 0.0, layer.eps)
    return y, lambda signal: signal * scale[:, None, None]


def _linear_map(layer: nn.Module, x: Tensor) -> Pass:
    """A layer that is linear and has no weights: its transpose is its own gradient."""
    with torch.enable_grad():
        leaf = torch.zeros_like(x).requires_grad_()
        y = layer(leaf)
    return layer(x), lambda signal: torch.autograd.grad(y, leaf, signal, retain_graph=True)[0]


def _flatten(layer: nn.Flatten, x: Tensor) -> Pass:
    shape = x.shape
    return layer(x), lambda signal: signal.reshape(shape)


def _dense(layer: nn.Linear, x: Tensor) -> Pass:
    return layer(x), lambda signal: signal @ layer.weight


def _nothing(layer: nn.Module, x: Tensor) -> Pass:
    return x, lambda signal: signal


_FORWARD: dict[Any, Callable[[Any, Tensor], Pass]] = {
    nn.Conv2d: _convolution,
    nn.ReLU: _rectifier,
    nn.ReLU6: _rectifier,
    nn.MaxPool2d: _max_pooling,
    nn.BatchNorm2d: _batch_normalisation,
    nn.AvgPool2d: _linear_map,
    nn.AdaptiveAvgPool2d: _linear_map,
    nn.Flatten: _flatten,
    nn.Linear: _dense,
    nn.Dropout: _nothing,
    nn.Dropout2d: _nothing,
    nn.Identity: _nothing,
}


class PlainCNN(nn.Module):
    """A plain CNN as the VGG networks are (Simonyan and Zisserman 2015), small: something with switches to look into.

    Stages of 3x3 convolutions, each with batch normalisation and a rectifier, end in 2x2 max pooling; the mean over
    all places goes to a dense layer. `layers` is one `nn.Sequential`, so `DeconvNet(network.layers)` inverts it.

    Args:
        widths: the channels of each convolution, one sequence a stage.
        classes: how many outputs.
    """

    def __init__(self, *, widths: Sequence[Sequence[int]], classes: int, in_channels: int = 3) -> None:
        super().__init__()
        self.layers = nn.Sequential()
        before = in_channels
        for stage, channels in enumerate(widths, 1):
            for number, after in enumerate(channels, 1):
                made = convolution(in_channels=before, out_channels=after, bias=False, gain=2**0.5)
                self.layers.add_module(f"conv{stage}_{number}", made)
                self.layers.add_module(f"norm{stage}_{number}", nn.BatchNorm2d(after))
                self.layers.add_module(f"relu{stage}_{number}", nn.ReLU())
                before = after
            self.layers.add_module(f"pool{stage}", nn.MaxPool2d(2))
        self.layers.add_module("mean", nn.AdaptiveAvgPool2d(1))
        self.layers.add_module("flatten", nn.Flatten())
        self.layers.add_module("dense", nn.Linear(before, classes))

    def forward(self, x: Tensor) -> Tensor:
        """(N, in, H, W) -> logits (N, classes)."""
        return self.layers(x)


class Inverter(nn.Module):
    """A deconvolutional network that draws a picture from the features of one layer (Dosovitskiy and Brox 2016).

    Args:
        features: channels of the layer.
        widths: channels at each scale, the picture's half first; one scale for each halving up to the layer.
        blocks: residual blocks at each scale, in the same order.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, *, features: int, widths: Sequence[int], blocks: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("deviation", torch.ones(features))
        self.enter = convolution(in_channels=features, out_channels=widths[-1], kernel=1)
        self.decoder = Decoder(
            out_channels=3, widths=widths, strides=[2] * len(widths), blocks=blocks, activation="leaky"
        )

    @torch.no_grad()
    def standardise(self, features: Tensor) -> None:
        """Take mean and deviation of each channel from a sample of features (N, C, h, w)."""
        self.mean.copy_(features.mean((0, 2, 3)))
        self.deviation.copy_(features.std((0, 2, 3)).clamp(min=1e-4))

    def example_inputs(self) -> tuple[Tensor, ...]:
        """Features of a small picture."""
        generator = torch.Generator().manual_seed(0)
        return (torch.rand(1, len(self.mean), 4, 4, generator=generator),)

    def forward(self, features: Tensor) -> Tensor:
        """(N, features, h, w) -> picture (N, 3, h * 2^scales, w * 2^scales), around 0 to 1."""
        x = (features - self.mean[:, None, None]) / self.deviation[:, None, None]
        return self.decoder(self.enter(x)) + 0.5
