"""Where and how a network runs: device, number format, memory layout."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import nn

from unpool.errors import ModelError

Module = TypeVar("Module", bound=nn.Module)


def choose_device(device: "str | torch.device" = "auto") -> torch.device:
    """ "auto" (a GPU where there is one), "cpu" or "cuda"; `ModelError` for a device that is not there."""
    if str(device) == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise ModelError(f"there is no device {str(device)!r}; use auto, cpu or cuda") from None
    if chosen.type not in ("cpu", "cuda"):
        raise ModelError(f"device {str(device)!r} is not supported; use auto, cpu or cuda")
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise ModelError(
            f"device {str(device)!r} was asked for, but PyTorch sees {torch.cuda.device_count()} GPUs here; use cpu"
        )
    return chosen


def bf16_hardware() -> bool:
    """Whether this processor multiplies in bfloat16 itself (AVX512-BF16 or AMX); without, it is slower than float32."""
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def inference_dtype(device: "str | torch.device" = "cpu") -> torch.dtype:
    """float32, or bfloat16 where `device` computes in it."""
    chosen = torch.device(device)
    fast = torch.cuda.is_bf16_supported(including_emulation=False) if chosen.type == "cuda" else bf16_hardware()
    return torch.bfloat16 if fast else torch.float32


def prepare(module: Module, device: "str | torch.device" = "cpu") -> Module:
    """`module` in eval mode on `device`, its 4-D weights channels-last; the weights stay float32."""
    module = module.eval().to(device)
    return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


@contextmanager
def inference(device: "str | torch.device" = "cpu", exact: bool = False) -> Iterator[None]:
    """No gradients, and `inference_dtype` by autocast. exact: float32 whatever the processor offers."""
    dtype = inference_dtype(device)
    enabled = dtype is not torch.float32 and not exact
    with torch.inference_mode(), torch.autocast(torch.device(device).type, dtype=torch.bfloat16, enabled=enabled):
        yield
