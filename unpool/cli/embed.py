"""`unpool embed`: pictures to codes, in a table."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def embed(
    pictures: Annotated[list[Path], typer.Argument(help="Pictures, or folders of them.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Where the codes go: .parquet, .npz or .csv.")],
    model: Annotated[str, typer.Option(help="An autoencoder: its name, or a weight file.")] = "autoencoders/faces",
    align: Annotated[
        bool, typer.Option("--align", help="Find each picture's largest face and align it first.")
    ] = False,
    to_map: Annotated[
        Path | None, typer.Option("--map", metavar="PAGE", help="Also write a map of the codes as an HTML page.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object that says what was done.")] = False,
) -> None:
    """Write the code of every picture, and how well it can be decoded again, as one row each: path, code, error.

    Models of faces take aligned faces; --align makes them of photographs. Otherwise the central square is taken.
    """
    import json

    from unpool.autoencoders.api import Coder
    from unpool.autoencoders.maps import check_map, write_map
    from unpool.autoencoders.table import check_output, write_codes
    from unpool.errors import ModelError, PictureError, UnpoolError
    from unpool.train.data.folders import pictures as pictures_in
    from unpool.zoo.loading import load

    check_output(out)
    if to_map is not None and not to_map.absolute().parent.is_dir():
        raise UnpoolError(f"there is no folder {to_map.parent}: make it first")
    predictor = load(model, device)
    if not isinstance(predictor, Coder):
        raise ModelError(f"{model} is not an autoencoder; `unpool models --task autoencoders` lists them")
    files: list[Path] = []
    for path in pictures:
        files += [found.path for found in pictures_in(path)] if path.is_dir() else [path]
    if not files:
        raise PictureError("there are no pictures in " + ", ".join(map(str, pictures)))
    if to_map is not None:
        check_map(len(files))
    codes, shown = write_codes(out, predictor, files, align=align)
    if to_map is not None:
        write_map(to_map, shown, [str(file) for file in files], codes, f"Codes of {model}")
    rows = len(codes)
    if as_json:
        print(json.dumps({"path": str(out), "rows": rows, "numbers": predictor.module.code, "model": model}))
    else:
        print(f"{out}: {rows} codes of {predictor.module.code} numbers")
