"""Where a run computes: its device, its processes, how they share gradients and agree, and how they are stopped."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from datetime import timedelta

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy
from torch import Tensor

from unpool.errors import UnpoolError
from unpool.zoo.runtime import choose_device, inference_dtype


class ProcessLost(UnpoolError):
    """Another process of the run was killed, failed, or cannot be reached any more."""


@contextlib.contextmanager
def _together() -> Iterator[None]:
    """What only all processes can do; ProcessLost if one of them is gone."""
    try:
        yield
    except RuntimeError as error:  # of the sockets' backend; torch.distributed.DistBackendError is one too
        raise ProcessLost("another process of this run has ended or cannot be reached") from error


def make_fabric(device: str, devices: int, nodes: int, precision: str, lost_after: float) -> Fabric:
    """Fabric on `devices` processes of each of `nodes` machines.

    precision: "auto", "fp32" or "bf16".
    lost_after: seconds for which an exchange waits. The end of a process closes its connections, which is noticed at
        once nearly always, but not always; and a machine that loses its network closes nothing.
    """
    chosen = choose_device(device)
    bf16 = precision == "bf16" or (precision == "auto" and inference_dtype(chosen) is torch.bfloat16)
    if chosen.type == "cuda":
        torch.set_float32_matmul_precision("high")
    return Fabric(
        accelerator=chosen.type,
        devices=devices,
        num_nodes=nodes,
        strategy=DDPStrategy(timeout=timedelta(seconds=lost_after)) if devices * nodes > 1 else "auto",
        precision="bf16-mixed" if bf16 else "32-true",
    )


def share_gradients(fabric: Fabric, parameters: list[Tensor]) -> None:
    """Average gradients over processes, so that they are those of one process on the joint batch.

    One explicit reduction after `backward` serves every kind of loss alike, double backward included.
    """
    if fabric.world_size == 1:
        return
    flat = torch.cat([(p.grad if p.grad is not None else torch.zeros_like(p)).flatten() for p in parameters])
    with _together():
        shared = fabric.all_reduce(flat, reduce_op="mean")
    assert isinstance(shared, Tensor)
    for parameter, part in zip(parameters, shared.split([p.numel() for p in parameters]), strict=True):
        layout = torch.channels_last if parameter.dim() == 4 else torch.contiguous_format
        parameter.grad = part.view(parameter.shape).contiguous(memory_format=layout)


def agreed(fabric: Fabric, mine: float) -> float:
    """The first process's number, in every process."""
    with _together():
        return mine if fabric.world_size == 1 else float(fabric.broadcast(mine))


def wait_for_all(fabric: Fabric) -> None:
    """Go on when every process is here."""
    with _together():
        fabric.barrier()


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
