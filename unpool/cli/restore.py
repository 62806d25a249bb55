"""`unpool restore`: pictures made larger, cleaner, sharper."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

app = typer.Typer(add_completion=False)

_READ = {".jpg", ".jpeg", ".png", ".webp", ".avif", ".tif", ".tiff", ".jp2", ".gif", ".bmp", ".ppm", ".pgm", ".dcm"}
_KEPT = {".png", ".tif", ".tiff", ".dcm"}  # a folder's other pictures are written as PNG


@app.command()
def restore(
    pictures: Annotated[list[Path], typer.Argument(help="Pictures, or folders of pictures; DICOM too.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="A file, or a folder for several.")],
    scale: Annotated[float | None, typer.Option(help="How many times as large.")] = None,
    task: Annotated[str, typer.Option(help="auto, sr, photo, denoise, jpeg or deblur.")] = "auto",
    model: Annotated[str | None, typer.Option(help="A model's name or weight file, instead of a task.")] = None,
    method: Annotated[
        str, typer.Option(help="network, bicubic, lanczos, wiener, richardson-lucy, nlm or bm3d.")
    ] = "network",
    strength: Annotated[float, typer.Option(min=0, max=1, help="From 0, faithful, to 1, strong.")] = 0.0,
    sigma: Annotated[float | None, typer.Option(min=0, help="Noise on 0..255, for classical methods.")] = None,
    blur: Annotated[float | None, typer.Option(min=0, help="Known Gaussian blur, sigma in pixels.")] = None,
    motion: Annotated[str | None, typer.Option(metavar="LENGTH,ANGLE", help="Known motion blur.")] = None,
    iterations: Annotated[int, typer.Option(min=1, help="Of Richardson-Lucy.")] = 30,
    quality: Annotated[int | None, typer.Option(min=1, max=100, help="Of JPEG, WebP and AVIF results.")] = None,
    report: Annotated[Path | None, typer.Option(help="Also write a page that shows what changed.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    max_pixels: Annotated[int, typer.Option(min=1, help="Refuse larger pictures.")] = 200_000_000,
    keep_location: Annotated[bool, typer.Option("--keep-location", help="Keep the place in EXIF data.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Make pictures larger, cleaner or sharper. PNG and large TIFF results are written row by row."""
    import json
    import sys

    from rich.console import Console
    from rich.progress import Progress

    from unpool.errors import UnpoolError

    jobs = _jobs(pictures, out)
    if report is not None and len(jobs) > 1:
        raise UnpoolError("--report shows one picture: give one")
    if report is not None and not report.absolute().parent.is_dir():
        raise UnpoolError(f"there is no folder {report.parent}: make it first")
    options = {
        "scale": scale, "task": task, "model": model, "method": method, "strength": strength, "sigma": sigma,
        "blur": blur, "motion": _motion(motion), "iterations": iterations, "device": device,
    }  # fmt: skip
    file_options = {"quality": quality, "max_pixels": max_pixels, "keep_location": keep_location}
    done: list[dict[str, Any]] = []
    failed = 0
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as bar:
        for source, place in jobs:
            work = bar.add_task(source.name, total=None)

            def advance(now: int, end: int, work: Any = work) -> None:
                bar.update(work, completed=now, total=end)

            try:
                row = _one(source, place, options, file_options, report, advance)
            except UnpoolError as error:
                if len(jobs) == 1:
                    raise
                print("unpool: " + " ".join(f"{source}: {error}".split()), file=sys.stderr)
                failed += 1
                continue
            done.append(row)
            if not as_json:
                found = f"  (found: {row['found']})" if row["found"] else ""
                print(f"{place}  {' + '.join(row['steps']) or 'nothing to mend'}  {row['seconds']} s{found}")
    if as_json:
        print(json.dumps({"restored": done, "failed": failed}))
    if failed:
        raise typer.Exit(2)


def _one(
    source: Path,
    place: Path,
    options: dict[str, Any],
    file_options: dict[str, Any],
    report: Path | None,
    progress: "Callable[[int, int], None]",
) -> dict[str, Any]:
    import time

    from unpool.errors import UnpoolError
    from unpool.images.reading import read
    from unpool.restoration.api import restore_file
    from unpool.restoration.dicom import is_dicom, restore_dicom
    from unpool.restoration.report import write_report

    started = time.perf_counter()
    if is_dicom(source):
        if place.suffix.lower() != ".dcm" or report is not None:
            raise UnpoolError(f"{source} is a DICOM file: its result is one too (-o NAME.dcm), without a report")
        plan = restore_dicom(source, place, max_pixels=file_options["max_pixels"], **options)
    else:
        before = None
        if report is not None:  # the result may take the source's place
            before = read(source, **{name: file_options[name] for name in ("max_pixels", "keep_location")})
        plan = restore_file(source, place, progress=progress, **options, **file_options)
        if report is not None and before is not None:
            write_report(report, before, read(place, max_pixels=2**62), plan)
    return {
        "picture": str(source), "out": str(place), "steps": list(plan.names), "scale": plan.scale,
        "found": str(plan.found) if plan.found else None, "seconds": round(time.perf_counter() - started, 2),
    }  # fmt: skip


def _jobs(pictures: list[Path], out: Path) -> list[tuple[Path, Path]]:
    """(picture, result) for each picture; refused before any work if two results had one name."""
    from unpool.errors import UnpoolError

    several = len(pictures) > 1 or pictures[0].is_dir() or out.is_dir()
    if not several:
        return [(pictures[0], out)]
    if out.suffix and not out.is_dir():
        raise UnpoolError(f"several pictures need a folder to go to, and {out} is not one")
    sources = []
    for path in pictures:
        inside = sorted(one for one in path.iterdir() if one.suffix.lower() in _READ) if path.is_dir() else [path]
        if not inside:
            raise UnpoolError(f"there are no pictures in {path}")
        sources += inside
    places = [out / (path.stem + (path.suffix if path.suffix.lower() in _KEPT else ".png")) for path in sources]
    twice = {place for place in places if places.count(place) > 1}
    if twice:
        raise UnpoolError(f"two pictures would both be written to {min(twice)}: restore them apart")
    for source, place in zip(sources, places):
        if place.exists() and source.exists() and place.samefile(source):
            raise UnpoolError(f"{source} would be overwritten by its result: choose another folder")
    out.mkdir(parents=True, exist_ok=True)
    return list(zip(sources, places))


def _motion(text: str | None) -> tuple[float, float] | None:
    from unpool.errors import UnpoolError

    if text is None:
        return None
    try:
        length, angle = (float(part) for part in text.split(","))
    except ValueError:
        raise UnpoolError(f"--motion wants LENGTH,ANGLE such as 9,30, not {text!r}") from None
    return length, angle
