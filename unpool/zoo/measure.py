"""Figures that every bench needs: parameters, multiplications, interleaved timings, peak memory, and the machine."""

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from unpool.errors import UnpoolError

_PACKAGES = ("unpool", "torch", "numpy", "pillow", "scikit-image", "scikit-learn", "onnxruntime")


def hardware() -> dict[str, Any]:
    """The machine, its thread count, package versions and the date (UTC), for a bench's JSON."""
    capabilities = torch.cpu.get_capabilities()
    return {
        "cpu": capabilities.get("cpu_name") or platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: version for name in _PACKAGES if (version := _version(name))},
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def parameters(module: nn.Module) -> int:
    """Number of weights, shared ones counted once.

    >>> parameters(nn.Linear(3, 2))
    8
    """
    return sum(p.numel() for p in module.parameters())


def macs(module: Callable[..., Any], *inputs: Any) -> int:
    """Multiply-accumulates of one call: convolutions, transposed convolutions, matrix products and attention.

    Counted at tensor level, so functional calls are seen too. Additions, activations and normalisations are left out,
    as is usual.

    >>> macs(nn.Conv2d(3, 8, 3, padding=1), torch.zeros(1, 3, 10, 10)) == 3 * 8 * 9 * 100
    True
    """
    counter = FlopCounterMode(display=False)
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # its one fused call is not counted
    try:
        with torch.no_grad(), counter:
            module(*inputs)
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    return counter.get_total_flops() // 2


def interleaved(
    candidates: Mapping[str, Callable[[], Any]], repeats: int = 7, warmup: int = 1
) -> dict[str, dict[str, float]]:
    """Seconds a call, the candidates taking turns so that a busy moment of the machine falls on all of them.

    Returns for each name the median, and low and high: the 10th and 90th percentile.
    """
    for _ in range(warmup):
        for call in candidates.values():
            call()
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(repeats):
        for name, call in candidates.items():
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    return {name: _spread(values) for name, values in seconds.items()}


def _spread(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    last = len(ordered) - 1
    return {
        "median": statistics.median(ordered),
        "low": ordered[round(0.1 * last)],
        "high": ordered[round(0.9 * last)],
    }


_CHILD = """
import importlib, json, sys
request = json.loads(sys.argv[1])
module, _, name = request["target"].partition(":")
function = getattr(importlib.import_module(module), name)
from unpool.zoo.measure import high_water
before = high_water()
function(*request["arguments"])
print(json.dumps({"before": before, "peak": high_water()}))
"""


def peak_memory(target: str, *arguments: Any) -> dict[str, int]:
    """Peak resident memory, in bytes, of calling `target` in a fresh process.

    target: "package.module:function".
    arguments: plain values (they travel as JSON).
    Returns `peak`, and `before`: what was in use once the function was imported and before it was called.
    """
    request = json.dumps({"target": target, "arguments": arguments})
    done = subprocess.run([sys.executable, "-c", _CHILD, request], capture_output=True, text=True, check=False)
    if done.returncode:
        raise UnpoolError(f"measuring the memory of {target} failed: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


def high_water() -> int:
    """The most memory, in bytes, that this process has had resident."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would also count what the parent had before exec
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
