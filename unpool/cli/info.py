"""`unpool info`: what a `.unp` file holds, without decoding it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(add_completion=False)


def read_file(path: Path) -> bytes:
    """The bytes of a file, with one plain sentence where there is none."""
    from unpool.errors import BitstreamError

    if not path.is_file():
        raise BitstreamError(f"there is no file {path}: give the path of a .unp file")
    return path.read_bytes()


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put the file's name before what is wrong with its bytes."""
    from unpool.errors import BitstreamError

    try:
        yield
    except BitstreamError as error:
        raise BitstreamError(f"{path}: {error}") from None


def describe(data: bytes) -> dict[str, Any]:
    """What header and index say, as plain values."""
    from unpool.codec import container

    header = container.read_header(data)
    parsed = container.parse(data)
    lengths = [after - before for before, after in zip(parsed.offsets, parsed.offsets[1:])]
    first = int(header.exif)
    answer: dict[str, Any] = {
        "format": f"{container.VERSION} (experimental)",
        "width": header.width,
        "height": header.height,
        "colour": ("grey" if header.grey else "RGB") + (" with alpha" if header.alpha else ""),
        "bits_per_sample": 16 if header.deep else 8,
        "mode": "lossless" if header.lossless else "lossy",
    }
    if not header.lossless:
        answer |= {"quality": header.tenths / 10, "model": header.identity.hex()}
    return answer | {
        "bytes": len(data),
        "bits_per_pixel": 8 * len(data) / (header.width * header.height),
        "tiles": header.tiles,
        "tile": header.tile,
        "bytes_picture": sum(lengths[first : first + header.tiles]),
        "bytes_alpha": sum(lengths[first + header.tiles :]),
        "bytes_exif": sum(lengths[:first]),
    }


@app.command()
def info(
    file: Annotated[Path, typer.Argument(help="A .unp file.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Tell what a .unp file holds, without decoding it."""
    import json

    with naming(file):
        answer = describe(read_file(file))
    if as_json:
        print(json.dumps({"file": str(file), **answer}))
        return
    for name, value in answer.items():
        print(f"{name.replace('_', ' '):16} {f'{value:.4g}' if isinstance(value, float) else value}")
