"""`unpool compress`: a picture to a small `.unp` file."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)

UNITS = {"kB": 1000, "KB": 1000, "MB": 1_000_000, "KiB": 1024, "MiB": 1024**2, "B": 1, "": 1}


def parse_size(text: str) -> int:
    """Bytes of "50kB", "1.5MB", "300KiB" or a plain number.

    >>> parse_size("50kB"), parse_size("1.5 KiB")
    (50000, 1536)
    """
    number = text.rstrip("BKMkib ")
    unit = text[len(number) :].strip()
    try:
        size = float(number) * UNITS[unit]
        if not 1 <= size < 1e12:
            raise ValueError
    except (ValueError, KeyError):
        raise typer.BadParameter(f"{text!r} is no size: write 50kB, 1.5MB or a number of bytes") from None
    return int(size)


@app.command()
def compress(
    picture: Annotated[Path, typer.Argument(help="A picture: JPEG, PNG, TIFF, WebP, AVIF, ...")],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="The file to write; else the picture's name with .unp.")
    ] = None,
    quality: Annotated[float, typer.Option("-q", "--quality", min=1, max=100, help="1 (small) to 100 (fine).")] = 50,
    bpp: Annotated[float | None, typer.Option(help="Bits per pixel to meet, in place of the quality.")] = None,
    psnr: Annotated[float | None, typer.Option(help="Decibels to meet, in place of the quality.")] = None,
    size: Annotated[str | None, typer.Option(help="Bytes not to exceed, e.g. 50kB, in place of the quality.")] = None,
    lossless: Annotated[bool, typer.Option("--lossless", help="Keep every bit (8 or 16 per sample).")] = False,
    effort: Annotated[int, typer.Option(min=1, max=3, help="1 is fastest, 3 refines this one picture.")] = 2,
    keep_location: Annotated[bool, typer.Option("--keep-location", help="Keep where it was taken.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Compress a picture into a .unp file."""
    import json
    import time

    from unpool.errors import PictureError
    from unpool.images.atomic import atomic
    from unpool.train.data.folders import PICTURE_SUFFIXES

    if picture.is_dir():
        raise PictureError(f"{picture} is a folder: give a picture")
    place = out if out is not None else picture.with_suffix(".unp")
    if place.suffix.lower() in PICTURE_SUFFIXES:
        raise PictureError(f"{place} would hold a .unp file under a picture's name: call it .unp")
    limit = parse_size(size) if size is not None else None
    from unpool.codec.api import compress as compressed
    from unpool.images.reading import read

    known = read(picture, keep_location=keep_location)
    start = time.perf_counter()
    data = compressed(known, quality, lossless=lossless, effort=effort, device=device, bpp=bpp, psnr=psnr, size=limit)
    seconds = time.perf_counter() - start
    with atomic(place) as beside:
        beside.write_bytes(data)
    pixels = known.height * known.width
    answer = {"output": str(place), "bytes": len(data), "bits_per_pixel": 8 * len(data) / pixels, "seconds": seconds}
    if as_json:
        print(json.dumps({"picture": str(picture), **answer}))
        return
    print(f"{place}: {len(data):,} bytes, {8 * len(data) / pixels:.3f} bits per pixel, {seconds:.2f} s")
