"""From a finished run to a weight file with its record."""

import json
import platform
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as to_bytes

from unpool.images.atomic import atomic
from unpool.train.recipe import Recipe
from unpool.train.task import Task
from unpool.zoo.record import Record
from unpool.zoo.weights import save


def hardware(device: torch.device, processes: int) -> str:
    """The machine in words, for records."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    return name if processes == 1 else f"{processes} x {name}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def earlier(record: Record | None) -> dict[str, float]:
    """What the weights that a run went on from had cost, and those before them: fields of the new budget."""
    if record is None:
        return {}
    spent = record.budget
    return {
        "earlier_pictures": (spent.pictures or 0) + (spent.earlier_pictures or 0),
        "earlier_minutes": round((spent.minutes or 0) + (spent.earlier_minutes or 0), 2),
    }


def write_weights(task: Task, recipe: Recipe, folder: Path, figures: dict[str, float], spent: dict[str, Any]) -> Path:
    """Write the network a task exports to `folder`, with the task's words and the run's numbers in its record.

    A task of the user's own, whose record names no network of this package, gets a plain safetensors file: the tensors,
    and recipe, figures and budget as JSON in its metadata.
    """
    path = folder / f"{recipe.name.split('/')[-1]}.safetensors"
    words = task.record()
    run = {"recipe": recipe.model_dump(mode="json"), "figures": words.pop("figures", {}) | figures, "budget": spent}
    network = task.export()
    if "network" in words:
        fields = {"name": recipe.name, "task": recipe.name.split("/")[0], "trained_on": tuple(recipe.data)} | words
        save(path, network, Record(**fields, **run))
    else:
        tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in network.state_dict().items()}
        with atomic(path) as beside:
            Path(beside).write_bytes(
                to_bytes(tensors, metadata={name: json.dumps(value) for name, value in run.items()})
            )
    return path
