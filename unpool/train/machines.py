"""Where a run computes: its device, its processes, how they share gradients and agree, and how they are stopped."""

import contextlib
import signal
import threading
from collections.abc import Iterator

import torch
from lightning_fabric import Fabric
from torch import Tensor

from unpool.zoo.runtime import choose_device, inference_dtype


def make_fabric(device: str, devices: int, nodes: int, precision: str) -> Fabric:
    """Fabric on `devices` processes of each of `nodes` machines. precision: "auto", "fp32" or "bf16"."""
    chosen = choose_device(device)
    bf16 = precision == "bf16" or (precision == "auto" and inference_dtype(chosen) is torch.bfloat16)
    if chosen.type == "cuda":
        torch.set_float32_matmul_precision("high")
    return Fabric(
        accelerator=chosen.type,
        devices=devices,
        num_nodes=nodes,
        strategy="ddp" if devices * nodes > 1 else "auto",
        precision="bf16-mixed" if bf16 else "32-true",
    )


def share_gradients(fabric: Fabric, parameters: list[Tensor]) -> None:
    """Average gradients over processes, so that they are those of one process on the joint batch.

    One explicit reduction after `backward` serves every kind of loss alike, double backward included.
    """
    if fabric.world_size == 1:
        return
    flat = torch.cat([(p.grad if p.grad is not None else torch.zeros_like(p)).flatten() for p in parameters])
    shared = fabric.all_reduce(flat, reduce_op="mean")
    assert isinstance(shared, Tensor)
    for parameter, part in zip(parameters, shared.split([p.numel() for p in parameters]), strict=True):
        layout = torch.channels_last if parameter.dim() == 4 else torch.contiguous_format
        parameter.grad = part.view(parameter.shape).contiguous(memory_format=layout)


def agreed(fabric: Fabric, mine: float) -> float:
    """The first process's number, in every process."""
    return mine if fabric.world_size == 1 else float(fabric.broadcast(mine))


def to_device(value: Tensor, device: torch.device) -> Tensor:
    """A batch's tensor on the device, pictures channels-last."""
    if value.dim() == 4:
        return value.to(device, non_blocking=True, memory_format=torch.channels_last)
    return value.to(device, non_blocking=True)


@contextlib.contextmanager
def stop_on_signals(stop: threading.Event) -> Iterator[None]:
    """SIGINT and SIGTERM set `stop` instead of ending the process. Only the main thread may set handlers."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
