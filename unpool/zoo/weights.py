"""Weight files: safetensors with one record in the metadata, checked before a tensor is used; nothing is unpickled."""

import difflib
import hashlib
import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from unpool.errors import ModelError
from unpool.images.atomic import atomic
from unpool.zoo.record import Record, parse
from unpool.zoo.table import NETWORK_HOMES, PACKAGED, resolve

FOLDER = Path(__file__).parent / "weights"
_KEY = "unpool"


def tensor_hash(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes of tensors, in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def save(path: Path | str, module: nn.Module, record: Record, half: bool = True) -> Record:
    """Write `module`'s weights and `record` to `path` (atomically); returns the record with its hash filled in.

    half: store floating tensors as float16. Loading gives float32 again. A value that float16 cannot hold, or one that
        is not finite, is refused with `ModelError`.
    """
    path = Path(path)
    tensors = {}
    for name, tensor in module.state_dict().items():
        stored = tensor.detach().cpu()
        if stored.is_floating_point():
            stored = stored.to(torch.float16 if half else torch.float32)
            if not torch.isfinite(stored).all():
                cause = "too large for half precision or not finite; train it again, or save with half=False"
                raise ModelError(f"{path}: tensor {name!r} is {cause}")
        tensors[name] = stored.contiguous().clone()
    record = record.model_copy(update={"sha256": tensor_hash(tensors)})
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as beside:
        Path(beside).write_bytes(to_bytes(tensors, metadata={_KEY: record.model_dump_json()}))
    return record


def shipped() -> dict[str, Path]:
    """Name -> file of every weight file that the package ships."""
    return {str(p.relative_to(FOLDER).with_suffix("")): p for p in sorted(FOLDER.rglob("*.safetensors"))}


def locate(name_or_path: Path | str) -> Path:
    """The weight file that a shipped model's name or a path means; `ModelError` names what there is."""
    text = str(name_or_path)
    known = shipped()
    if text in known:
        return known[text]
    path = Path(text)
    if path.suffix == ".safetensors" or path.is_file():
        if not path.is_file():
            raise ModelError(f"{text}: there is no such weight file")
        return path
    near = difflib.get_close_matches(text, [*PACKAGED, *known], n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise ModelError(
        f"there is no model {text!r}: {hint}`unpool models` lists them, and a .safetensors file is taken too"
    )


class _opened:
    """`safe_open`, with one `ModelError` for whatever is wrong with the file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Any:
        try:
            self.file = safe_open(str(self.path), framework="pt", device="cpu")
            return self.file.__enter__()
        except (SafetensorError, OSError, ValueError) as error:
            raise ModelError(f"{self.path}: not a complete safetensors file ({error}); get it again") from None

    def __exit__(self, *cause: Any) -> None:
        self.file.__exit__(*cause)


def _record(file: Any, path: Path) -> Record:
    text = (file.metadata() or {}).get(_KEY)
    if text is None:
        raise ModelError(f"{path}: a safetensors file, but not one of unpool's (it has no record)")
    return parse(text, str(path))


def read_record(name_or_path: Path | str) -> Record:
    """The record of a weight file (the tensors' hash is checked only when they are loaded)."""
    path = locate(name_or_path)
    with _opened(path) as file:
        return _record(file, path)


def read(name_or_path: Path | str) -> tuple[dict[str, Tensor], Record]:
    """Tensors (as stored) and record of a weight file, its hash checked."""
    path = locate(name_or_path)
    with _opened(path) as file:
        record = _record(file, path)
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    if record.sha256 != tensor_hash(tensors):
        raise ModelError(
            f"{path}: the weights do not match their hash; the file is damaged or was changed, get it again"
        )
    return tensors, record


def build(record: Record, source: str) -> nn.Module:
    """The network that a record names, freshly initialised. Only `nn.Module` classes of this package are built."""
    module_name, _, class_name = record.network.partition(":")
    if module_name.split(".")[1] not in NETWORK_HOMES:
        raise ModelError(f"{source}: its record names {record.network}, which is no network of this package")
    try:
        kind = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError):
        raise ModelError(f"{source}: this version of unpool has no network {record.network}") from None
    if not (isinstance(kind, type) and issubclass(kind, nn.Module) and kind.__module__.startswith("unpool.")):
        raise ModelError(f"{source}: its record names {record.network}, which is no network of this package")
    try:
        return kind(**record.config)
    except (TypeError, ValueError, RuntimeError, ArithmeticError, MemoryError, LookupError, AttributeError) as error:
        raise ModelError(f"{source}: {record.network} does not take its record's configuration ({error})") from None


def load_module(name_or_path: Path | str) -> tuple[nn.Module, Record]:
    """A network in eval mode, in float32, with its record. `name_or_path`: a model's name, or a weight file."""
    if str(name_or_path) in PACKAGED:
        package = resolve(PACKAGED[str(name_or_path)])
        return package.load(), package.record
    tensors, record = read(name_or_path)
    source = str(name_or_path)
    module = build(record, source)
    wanted = {name: tuple(t.shape) for name, t in module.state_dict().items()}
    found = {name: tuple(t.shape) for name, t in tensors.items()}
    if wanted != found:
        odd = sorted(n for n in wanted.keys() | found.keys() if wanted.get(n) != found.get(n))
        raise ModelError(f"{source}: its tensors do not fit {record.network} ({len(odd)} differ, first {odd[0]!r})")
    module.load_state_dict(tensors)
    return module.eval().requires_grad_(False), record


def take_over(network: nn.Module, name_or_path: Path | str, anew: Sequence[str] = ()) -> Record:
    """Copy a trained model's tensors into `network`, to train it further; `ModelError` if names or shapes differ.

    anew: tensors whose names begin so may be missing or differ in shape, and then stay as they begin.

    Returns the trained model's record.
    """
    trained, record = load_module(name_or_path)
    tensors, own = trained.state_dict(), network.state_dict()
    for name, tensor in own.items():
        if name.startswith(tuple(anew)) and (name not in tensors or tensors[name].shape != tensor.shape):
            tensors[name] = tensor
    try:
        network.load_state_dict(tensors)
    except RuntimeError:
        raise ModelError(
            f"{name_or_path} has another shape than the network to be trained: give both the same options, or no start"
        ) from None
    return record
