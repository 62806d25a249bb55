"""A network's shadow: the same code and the same weights in other objects, so that the network itself is never
touched."""

import types
from typing import Any

import torch
from torch import Tensor, nn

from unpool.errors import ModelError


def refuse_closed(model: object) -> None:
    """Raise `ModelError` for what cannot be explained: no module, or one whose Python code no longer runs."""
    if isinstance(model, torch.jit.ScriptModule | torch.jit.ScriptFunction):
        raise ModelError(
            "a scripted or traced module runs compiled code that hides its rectifiers; "
            "pass the Python module it was made from"
        )
    if not isinstance(model, nn.Module):
        raise ModelError(
            f"the model is a {type(model).__name__}: give a torch.nn.Module, a predictor or a model's name"
        )
    for name, module in model.named_modules():
        where = f"its part {name!r}" if name else "the model"
        if isinstance(module, torch.jit.ScriptModule):
            raise ModelError(
                f"{where} is scripted, and compiled code hides its rectifiers; build the model from Python modules"
            )
        if hasattr(module, "_orig_mod") or getattr(module, "_compiled_call_impl", None) is not None:
            raise ModelError(
                f"{where} was compiled with torch.compile, which hides its rectifiers; "
                "pass the module as it was before compiling"
            )


def shadow(model: nn.Module) -> nn.Module:
    """The model's twin in evaluation mode: parameters are shared and frozen, buffers copied, everything else is its
    own.

    Hooks may be put on the twin, its buffers may change and it may fail half-way: the model stays as it was. Modules
    that the model holds twice, or outside its registered children (in lists, tuples, dictionaries, bound methods), are
    one twin each. Made anew for every explanation, so that threads share nothing.
    """
    return _twin(model, {})


def _twin(module: nn.Module, made: dict[int, Any]) -> nn.Module:
    if id(module) in made:
        return made[id(module)]
    twin = object.__new__(type(module))  # traced modules make a class of their own in `__new__`: not wanted here
    made[id(module)] = twin
    state = dict(module.__dict__)
    for name in ("_parameters", "_buffers", "_modules"):
        state[name] = {key: _own(value, made) for key, value in state[name].items()}
    for name, value in state.items():
        if name.endswith("_hooks") or name.startswith(("_forward_hooks", "_forward_pre_hooks")):
            state[name] = value.copy() if isinstance(value, dict) else value
        elif name not in ("_parameters", "_buffers", "_modules"):
            state[name] = _other(value, made)
    state["training"] = False
    twin.__dict__.update(state)
    return twin


def _own(value: Any, made: dict[int, Any]) -> Any:
    """The twin of a registered parameter, buffer or child; a tensor that is registered twice has one twin."""
    if value is None:
        return None
    if isinstance(value, nn.Module):
        return _twin(value, made)
    if isinstance(value, nn.parameter.UninitializedParameter | nn.parameter.UninitializedBuffer):
        raise ModelError("the model has lazy parameters without a shape yet: run it once first")
    if id(value) not in made:
        frozen = isinstance(value, nn.Parameter)
        made[id(value)] = nn.Parameter(value.detach(), requires_grad=False) if frozen else value.detach().clone()
    return made[id(value)]


def _other(value: Any, made: dict[int, Any]) -> Any:
    """An unregistered attribute: modules and parameters inside it become their twins, anything else is shared."""
    if isinstance(value, nn.Module | nn.Parameter):
        return _own(value, made)
    if isinstance(value, types.MethodType) and isinstance(value.__self__, nn.Module):
        return types.MethodType(value.__func__, _twin(value.__self__, made))
    if type(value) in (list, tuple):
        return type(value)(_other(item, made) for item in value)
    if type(value) is dict:
        return {key: _other(item, made) for key, item in value.items()}
    return value


def parameter_kind(model: nn.Module) -> tuple[torch.device, torch.dtype]:
    """Device and floating dtype of the model's first floating parameter or buffer; CPU and float32 where it has
    none."""
    tensors: list[Tensor] = [*model.parameters(), *model.buffers()]
    for tensor in tensors:
        if tensor.is_floating_point():
            return tensor.device, tensor.dtype
    return torch.device("cpu"), torch.float32
