"""Layers by name: the default one, and what a wrong name may have meant."""

import difflib

from torch import nn

from unpool.errors import ModelError

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_SHOWN = 8


def find(model: nn.Module, name: str | None) -> tuple[str, nn.Module]:
    """The layer of that name as `named_modules` gives it; the last convolution where `name` is None.

    Raises:
        ModelError: there is no such layer (the sentence lists the closest names first), or no convolution to default
            to.
    """
    layers = {key: module for key, module in model.named_modules() if key}
    if name is None:
        convolutions = [key for key, module in layers.items() if isinstance(module, _CONVOLUTIONS)]
        if not convolutions:
            raise ModelError(
                f"the model has no convolution to take by default; give layer=, one of {_listed(list(layers))}"
            )
        name = convolutions[-1]
    if name not in layers:
        raise ModelError(f"there is no layer {name!r}; closest: {_listed(closest(name, list(layers)))}")
    return name, layers[name]


def closest(name: str, candidates: list[str]) -> list[str]:
    """The candidates, those most like `name` first; equally like ones in their own order."""

    def likeness(candidate: str) -> float:
        whole = difflib.SequenceMatcher(None, name.lower(), candidate.lower()).ratio()
        return whole + (name.lower() in candidate.lower())

    return sorted(candidates, key=likeness, reverse=True)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
