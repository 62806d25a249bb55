"""`unpool decompress`: the picture in a `.unp` file."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


def parse_region(text: str) -> tuple[int, int, int, int]:
    """(top, left, height, width) of "x,y,w,h".

    >>> parse_region("10,20,300,200")
    (20, 10, 200, 300)
    """
    try:
        x, y, width, height = (int(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no region: write x,y,w,h in pixels") from None
    return y, x, height, width


@app.command()
def decompress(
    file: Annotated[Path, typer.Argument(help="A .unp file.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The picture to write: .png, .jpg, .webp, ...")],
    region: Annotated[str | None, typer.Option(metavar="X,Y,W,H", help="Only this part, in pixels.")] = None,
    max_pixels: Annotated[int, typer.Option(min=1, help="Refuse larger pictures.")] = 200_000_000,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Decompress a .unp file into a picture."""
    from unpool.cli.info import naming, read_file
    from unpool.images.writing import check_output, write

    wanted = parse_region(region) if region is not None else None
    check_output(out, height=1, width=1)
    data = read_file(file)
    from unpool.codec.api import decompress as decompressed

    with naming(file):
        picture = decompressed(data, region=wanted, max_pixels=max_pixels, device=device)
    write(picture, out)
    print(out)
