"""`unpool doctor`: what is here, what is missing, and what installs it."""

from typing import Annotated, Any

import typer

app = typer.Typer(add_completion=False)

# Packages that decide what works, in the order of printing.
_PACKAGES = ("torch", "numpy", "pillow", "imagecodecs", "tifffile", "scikit-image", "lightning-fabric", "constriction")


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """Print versions, device, threads, bf16, weights (hashes checked) and extras; exit status 1 if one is broken."""
    import json

    found = examine()
    if as_json:
        print(json.dumps(found))
    else:
        _print(found)
    if found["problems"]:
        raise SystemExit(1)


def examine() -> dict[str, Any]:
    """What `unpool doctor --json` prints, as a dictionary."""
    import platform
    import sys

    import torch

    from unpool import __version__
    from unpool.zoo.measure import hardware
    from unpool.zoo.runtime import bf16_hardware, choose_device, inference_dtype

    device = choose_device("auto")
    machine = hardware()
    weights, extras, missing = _weights(), _extras(), _missing_packages("")
    problems = [f"weights {one['name']}: {one['problem']}" for one in weights if one["problem"]]
    problems += [f"package {name} is missing: pip install --upgrade unpool" for name in missing]
    return {
        "unpool": __version__,
        "python": platform.python_version(),
        "executable": sys.executable,
        "system": platform.platform(),
        "cpu": machine["cpu"],
        "cores": machine["cores"],
        "threads": torch.get_num_threads(),
        "device": str(device),
        "gpu": machine["gpu"],
        "bf16_hardware": bf16_hardware(),
        "computes_in": str(inference_dtype(device)).removeprefix("torch."),
        "packages": {name: _version(name) for name in _PACKAGES},
        "weights": weights,
        "extras": extras,
        "problems": problems,
    }


def _version(package: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _weights() -> list[dict[str, Any]]:
    """Every model, loaded so that its hash is checked."""
    from unpool.errors import ModelError
    from unpool.zoo.table import PACKAGED
    from unpool.zoo.weights import load_module, shipped

    found = []
    for name in [*PACKAGED, *shipped()]:
        problem = licence = ""
        try:
            licence = load_module(name)[1].data_licence
        except ModelError as error:
            problem = str(error)
        found.append({"name": name, "data_licence": licence, "problem": problem})
    return found


def _missing_packages(extra: str) -> list[str]:
    """Requirements of unpool (of one of its extras, where named) that are not installed in a version that will do."""
    from importlib import metadata

    from packaging.requirements import Requirement

    missing = []
    for line in metadata.requires("unpool") or []:
        required = Requirement(line)
        wanted = required.marker is None or required.marker.evaluate({"extra": extra})
        if extra and required.marker is None:
            continue
        version = _version(required.name)
        if wanted and (version is None or not required.specifier.contains(version, prereleases=True)):
            missing.append(str(required).partition(";")[0].strip())
    return missing


def _extras() -> dict[str, dict[str, Any]]:
    from importlib import metadata

    names = metadata.metadata("unpool").get_all("Provides-Extra") or []
    found = {}
    for name in names:
        if name in ("all", "test", "bench"):
            continue
        missing = _missing_packages(name)
        found[name] = {"present": not missing, "missing": missing, "install": f'pip install "unpool[{name}]"'}
    return found


def _print(found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    packages = ", ".join(f"{name} {version or 'missing'}" for name, version in found["packages"].items())
    bf16 = "in hardware" if found["bf16_hardware"] else "not in hardware"
    rows = [
        ("unpool", f"{found['unpool']}, Python {found['python']} ({found['executable']})"),
        ("packages", packages),
        ("system", found["system"]),
        ("processor", f"{found['cpu']}, {found['cores']} cores, {found['threads']} threads; bf16 {bf16}"),
        ("device", f"{found['gpu'] or found['device']}, computes in {found['computes_in']}"),
    ]
    for name, extra in found["extras"].items():
        state = "present" if extra["present"] else f"missing {', '.join(extra['missing'])}: {extra['install']}"
        rows.append((f"[{name}]", state))
    for one in found["weights"]:
        rows.append(("weights", f"{one['name']}: {one['problem'] or 'hash right, ' + one['data_licence']}"))
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in rows:
        table.add_row(Text(name), Text(text))  # as they are: brackets would be taken for colours
    console = Console(highlight=False)
    console.print(table)
    for problem in found["problems"]:
        console.print(Text(f"broken: {problem}", style="bold red"), soft_wrap=True)
    if not found["problems"]:
        console.print("[green]everything needed is here")
