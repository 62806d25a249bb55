"""Models as ONNX, checked against the network they came from."""

import io
import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from unpool.errors import MissingExtraError, ModelError
from unpool.images.atomic import atomic
from unpool.zoo.record import Record

TOLERANCE = 1e-4
_SIDE = 64  # side of the example picture of a network that takes any size


@dataclass(frozen=True)
class Exported:
    """An ONNX model: its bytes, the largest difference seen from the network, and whether height and width are free."""

    content: bytes
    difference: float
    any_size: bool


def example_inputs(module: nn.Module, record: Record) -> tuple[Tensor, ...]:
    """Inputs that fit a network: its own `example_inputs()` where it has one, else a picture (1, 3, height, width)."""
    own = getattr(module, "example_inputs", None)
    if callable(own):
        return own()
    generator = torch.Generator().manual_seed(0)
    return (torch.rand(1, 3, *(record.preprocessing.size or (_SIDE, _SIDE)), generator=generator),)


def feed_forward(module: nn.Module) -> bool:
    """Whether a network is a plain function of tensors; one that is not says `feed_forward = False` in its class."""
    return bool(getattr(module, "feed_forward", True))


def export(module: nn.Module, record: Record) -> Exported:
    """`module` as an ONNX model whose outputs in onnxruntime equal its own to 1e-4 (of the largest value, if above 1).

    The batch is free; height and width too, where the record names no size and the graph really holds for others.
    Raises `ModelError` for a network that is not feed-forward or whose export differs.
    """
    if not feed_forward(module):
        raise ModelError(f"{record.name} is not one feed-forward network, so it has no ONNX form")
    inputs = example_inputs(module, record)
    picture_like = len(inputs) == 1 and inputs[0].dim() == 4
    if picture_like and record.preprocessing.size is None:
        content = _trace(module, inputs, free=(0, 2, 3))
        try:
            height, width = inputs[0].shape[-2:]
            other = torch.rand(
                2, inputs[0].shape[1], height + 16, width + 32, generator=torch.Generator().manual_seed(1)
            )
            difference = max(_difference(content, module, inputs), _difference(content, module, (other,)))
        except Exception as error:  # onnxruntime's errors have no common base: any of them means "not for this size"
            if isinstance(error, MissingExtraError):
                raise
            difference = float("inf")
        if difference <= TOLERANCE:
            return Exported(content, difference, any_size=True)
    content = _trace(module, inputs, free=(0,))
    twice = tuple(torch.cat([t, t]) for t in inputs)
    difference = max(_difference(content, module, inputs), _difference(content, module, twice))
    if not difference <= TOLERANCE:
        raise ModelError(
            f"{record.name}: its ONNX form differs from the network by {difference:.1e}; nothing was written"
        )
    return Exported(content, difference, any_size=False)


def write(path: Path | str, exported: Exported) -> None:
    """Write an exported model to `path`, atomically."""
    with atomic(path) as beside:
        beside.write_bytes(exported.content)


def _trace(module: nn.Module, inputs: tuple[Tensor, ...], free: tuple[int, ...]) -> bytes:
    names = [f"input{i}" if i else "input" for i in range(len(inputs))]
    axis = {0: "batch", 2: "height", 3: "width"}
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        # The tracing exporter: a tenth of the other one's time, and exact on these networks.
        torch.onnx.export(
            module.eval(),
            inputs,
            buffer,  # type: ignore[arg-type]
            dynamo=False,
            opset_version=18,
            input_names=names,
            dynamic_axes={name: {i: axis[i] for i in free} for name in names},
        )
    return buffer.getvalue()


def _difference(content: bytes, module: nn.Module, inputs: tuple[Tensor, ...]) -> float:
    try:
        import onnxruntime
    except ImportError:
        raise MissingExtraError("checking an ONNX export", "export") from None
    onnxruntime.set_default_logger_severity(3)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    feed = {slot.name: tensor.numpy() for slot, tensor in zip(session.get_inputs(), inputs)}
    with torch.no_grad():
        wanted = _flat(module(*inputs))
    worst = 0.0
    for ours, theirs in zip(wanted, session.run(None, feed), strict=True):
        if ours.shape != theirs.shape:
            return math.inf
        apart = float((ours - torch.from_numpy(theirs)).abs().max() / ours.abs().max().clamp(min=1))
        worst = max(worst, apart if math.isfinite(apart) else math.inf)
    return worst


def _flat(outputs: Any) -> list[Tensor]:
    """The tensors among a network's outputs, in the order in which the exporter numbers them."""
    if isinstance(outputs, Tensor):
        return [outputs]
    values = outputs.values() if isinstance(outputs, dict) else outputs
    return [tensor for value in values for tensor in _flat(value)]
