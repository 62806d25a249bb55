"""`unpool export`: a model as ONNX."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def export(
    model: Annotated[str, typer.Argument(help="A name that `unpool models` lists, or a weight file.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The ONNX file to write.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Write a model as ONNX, after checking that onnxruntime gives what the network gives, to 1e-4."""
    import json

    from unpool.zoo.export import export as to_onnx
    from unpool.zoo.export import write
    from unpool.zoo.weights import load_module

    exported = to_onnx(*load_module(model))
    write(out, exported)
    if as_json:
        answer = {"path": str(out), "bytes": len(exported.content), "difference": exported.difference}
        print(json.dumps(answer | {"any_size": exported.any_size}))
        return
    sizes = "pictures of any size" if exported.any_size else "its own picture size"
    print(f"{out}: {len(exported.content) / 1e6:.2f} MB, {sizes}, within {exported.difference:.1e} of the network")
