"""Recipes: YAML files that say what to train, on what, how and for how long."""

import difflib
import importlib
import importlib.util
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from unpool.errors import RecipeError
from unpool.train.task import Task


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


_Share = Annotated[float, Field(ge=0, lt=1)]


class Optimiser(_Strict):
    """AdamW and its learning-rate schedule."""

    lr: float = Field(1e-3, gt=0)
    betas: tuple[_Share, _Share] = (0.9, 0.99)
    weight_decay: float = Field(0.0, ge=0)
    schedule: Literal["cosine", "onecycle", "constant"] = "cosine"
    warmup: float = Field(0.02, ge=0, lt=1, description="share of the budget over which the rate rises from zero")
    final: float = Field(0.01, ge=0, le=1, description="rate at the end, as a share of lr")


class Budget(_Strict):
    """How long to train on one kind of device: steps or minutes."""

    steps: int | None = Field(None, gt=0)
    minutes: float | None = Field(None, gt=0, allow_inf_nan=False)
    batch: int | None = Field(None, gt=0, description="overrides the recipe's batch on this device")

    @model_validator(mode="after")
    def _one(self) -> "Budget":
        if (self.steps is None) == (self.minutes is None):
            raise ValueError("a budget is either steps or minutes")
        return self


class Best(_Strict):
    """The figure of `Task.evaluate` that decides which weights are kept."""

    metric: str
    higher: bool = True


class Recipe(_Strict):
    """One trained model: what it is, its data, schedule, seed, budget and the figures to expect."""

    name: str = Field(pattern=r"[^/]$", description="folders and a last part, which names the weight file")
    task: str = Field(description="dotted class, package.module:Class, or path/to/file.py:Class")
    about: str = ""
    options: dict[str, Any] = {}
    data: list[str] = []
    seed: int = Field(0, ge=0, lt=2**63)
    batch: int = Field(16, gt=0)
    workers: int | None = Field(None, ge=0, description="loader processes; by default 1 on a CPU, more beside a GPU")
    optimiser: Optimiser = Optimiser()
    optimisers: dict[str, Optimiser] = {}
    clip: float | None = Field(1.0, gt=0)
    ema: _Share | dict[str, _Share] | None = None
    evaluate_every: float = Field(0.1, gt=0, description="below 1 a share of the budget, else steps")
    checkpoint_every: int | None = Field(None, gt=0, description="steps; by default every two minutes")
    lost_after: float = Field(600, gt=0, description="seconds of waiting after which another process counts as lost")
    best: Best | None = None
    explosion: float | None = Field(None, gt=1, description="roll back when a loss exceeds this many times its average")
    rollback: float | None = Field(None, gt=1, description="roll back when the best figure is this many times better")
    budget: dict[Literal["cpu", "gpu"], Budget] = {}
    expected: dict[str, float] = {}

    def make_task(self, data: Path | None = None) -> Task:
        """Build the task this recipe names, with its options validated."""
        cls = _resolve(self.task)
        return cls(validated(cls.Options, self.options, f"options of {self.task}"), data)


def validated(model: type[BaseModel], values: dict[str, Any], where: str) -> Any:
    """`model(**values)`, or one RecipeError that names the key, and the nearest known key for an unknown one."""
    try:
        return model(**values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] != "extra_forbidden":
            raise RecipeError(f"{where}: {key or 'value'}: {first['msg']}") from None
        raise RecipeError(f"{where}: unknown key {key!r}{_nearest(key, _known(model, first['loc']))}") from None


def _known(model: Any, path: Sequence[Any]) -> list[str]:
    """Field names at the place in a nested model where a key was not known."""
    for part in path[:-1]:
        field = model.model_fields.get(part) if hasattr(model, "model_fields") else None
        model = field.annotation if field else model
        arguments = getattr(model, "__args__", ())
        model = next((a for a in arguments if hasattr(a, "model_fields")), model)
    return list(getattr(model, "model_fields", {}))


def _nearest(key: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(key.split(".")[-1], known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; known keys: {', '.join(known)}"


def _resolve(dotted: str) -> type[Task]:
    module_name, _, class_name = dotted.partition(":")
    try:
        if module_name.endswith(".py"):
            spec = importlib.util.spec_from_file_location(Path(module_name).stem, module_name)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        else:
            module = importlib.import_module(module_name)
        cls = getattr(module, class_name)
    except (ImportError, AttributeError, FileNotFoundError, SyntaxError, ValueError) as error:
        raise RecipeError(f"task {dotted!r} cannot be imported ({error}); write package.module:Class") from None
    if not (isinstance(cls, type) and issubclass(cls, Task)):
        raise RecipeError(f"task {dotted!r} is not a subclass of unpool.train.task.Task")
    return cls


def shipped() -> dict[str, Path]:
    """The recipes inside the package: name -> file."""
    root = Path(str(resources.files("unpool") / "recipes"))
    return {str(path.relative_to(root).with_suffix("")): path for path in sorted(root.rglob("*.yaml"))}


def load(name_or_path: str, settings: Sequence[str] = ()) -> Recipe:
    """Read a recipe by its name in the package or by path, with `key=value` settings laid over it.

    A key is a recipe's (`batch=8`), a dotted one (`optimiser.lr=1e-4`), or an option's (`scale=2`).

    Raises:
        RecipeError: no such recipe, not YAML, an unknown key (the nearest one is named), a value of the wrong kind.
    """
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        known = shipped()
        if name_or_path not in known:
            raise RecipeError(f"no recipe {name_or_path!r}{_nearest_name(name_or_path, list(known))}")
        path = known[name_or_path]
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RecipeError(f"{path}: not a readable recipe ({' '.join(str(error).split())})") from None
    if not isinstance(values, dict):
        raise RecipeError(f"{path}: a recipe is a mapping of keys to values")
    for setting in settings:
        _lay_over(values, setting)
    return validated(Recipe, values, str(path.name))


def _nearest_name(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
    return f"; did you mean {' or '.join(close)}?" if close else f"; there are: {', '.join(known)}"


def _lay_over(values: dict[str, Any], setting: str) -> None:
    key, equals, text = setting.partition("=")
    if not equals or not key:
        raise RecipeError(f"--set wants key=value, not {setting!r}")
    parts = key.split(".")
    if parts[0] not in Recipe.model_fields:
        parts = ["options", *parts]
    target = values
    for part in parts[:-1]:
        if target.get(part) is None:
            target[part] = {}
        target = target[part]
        if not isinstance(target, dict):
            raise RecipeError(f"--set {key}: {part!r} holds no keys")
    try:
        target[parts[-1]] = _number(yaml.safe_load(text))
    except yaml.YAMLError:
        raise RecipeError(f"--set {key}: {text!r} is not a YAML value") from None


def _number(value: Any) -> Any:
    """YAML reads `1e-4` as text; people mean a number."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value
