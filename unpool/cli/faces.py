"""`unpool faces`: find, compare, describe and restore faces; and known people."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unpool.cli import gallery

if TYPE_CHECKING:
    from unpool.faces.api import Embedded

app = typer.Typer(add_completion=False, no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Aligned = Annotated[bool, typer.Option("--aligned", help="The pictures are aligned faces already.")]
Model = Annotated[str, typer.Option(help="A model's name, or a weight file.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
_RECOGNISER = "faces/recogniser"


@app.command()
def detect(
    pictures: Annotated[list[Path], typer.Argument(help="Pictures.")],
    threshold: Annotated[float, typer.Option(min=0.05, max=1, help="Least confidence.")] = 0.5,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Also write the one picture with its faces framed.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find faces: box, five landmarks and confidence of each, largest first."""
    import json

    from unpool.errors import UnpoolError
    from unpool.faces.detection import detect as find
    from unpool.faces.detection import framed
    from unpool.images.reading import read
    from unpool.images.writing import write

    if out is not None and len(pictures) > 1:
        raise UnpoolError("--out takes one picture: give one")
    answer: dict[str, Any] = {}
    for path in pictures:
        picture = read(path)
        faces = find(picture, threshold=threshold)
        answer[str(path)] = [
            {
                "box": face.box.round(1).tolist(),
                "landmarks": face.landmarks.round(1).tolist(),
                "score": round(face.score, 3),
            }
            for face in faces
        ]
        if out is not None:
            write(framed(picture, faces), out)
        if not as_json:
            print(f"{path}: {len(faces) or 'no'} face{'s' if len(faces) != 1 else ''}")
            for face in faces:
                left, top, right, bottom = face.box.round().astype(int).tolist()
                print(f"  {right - left}x{bottom - top} at ({left}, {top}), confidence {face.score:.2f}")
    if as_json:
        print(json.dumps({"faces": answer}))


@app.command()
def verify(
    first: Annotated[Path, typer.Argument(help="A picture.")],
    second: Annotated[Path, typer.Argument(help="Another picture.")],
    threshold: Annotated[float | None, typer.Option(min=-1, max=1, help="Least similarity of one person.")] = None,
    explain: Annotated[
        Path | None, typer.Option(metavar="PAGE.html", help="Write a page with crops, restored faces and maps.")
    ] = None,
    aligned: Aligned = False,
    model: Model = _RECOGNISER,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Say whether the largest faces of two pictures are one person's."""
    import json

    from unpool.faces import api

    answer = api.verify(first, second, threshold=threshold, aligned=aligned, model=model, device=device)
    if explain is not None:
        from unpool.faces.why import why_page

        why_page(api.loaded(model, device), answer, (first.name, second.name)).write(explain)
    if as_json:
        values = {name: getattr(answer, name) for name in ("same", "similarity", "threshold", "probability", "reason")}
        print(json.dumps(values | {"first": _row(answer.first), "second": _row(answer.second)}))
        return
    if answer.reason:
        print(f"no answer: {answer.reason}")
    else:
        print("the same person" if answer.same else "not the same person")
    print(f"similarity {answer.similarity:.3f}, threshold {answer.threshold:.3f}")
    if explain is not None:
        print(explain)


@app.command()
def embed(
    pictures: Annotated[list[Path], typer.Argument(help="Pictures; the largest face of each is taken.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Where the embeddings go: .npz or .csv.")],
    aligned: Aligned = False,
    model: Model = _RECOGNISER,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Write a unit vector and a quality for every picture. Pictures without a face are named and left out."""
    import json

    from unpool.errors import PictureError
    from unpool.faces import api
    from unpool.faces.table import check_output, write_rows

    check_output(out)
    rows, without = [], []
    for path in pictures:
        try:
            rows.append((str(path), api.embed(path, aligned=aligned, model=model, device=device)))
        except PictureError as error:
            without.append(_left_out(path, error))
    if not rows:
        raise PictureError("no picture has a face, so nothing was written")
    write_rows(out, rows, api.loaded(model, device).identity.model)
    if as_json:
        print(
            json.dumps(
                {"out": str(out), "faces": [{"path": path} | _row(one) for path, one in rows], "without": without}
            )
        )
    else:
        print(f"{out}: {len(rows)} face{'s' if len(rows) != 1 else ''}")


@app.command()
def align(
    folder: Annotated[Path, typer.Argument(help="A folder of pictures, one folder a person where that is known.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The folder of aligned faces, in the same folders.")],
    as_json: AsJson = False,
) -> None:
    """Cut the largest face out of every picture for training: 128x128 on the template. Those without one are named."""
    import json

    from rich.console import Console
    from rich.progress import track

    from unpool.errors import PictureError, UnpoolError
    from unpool.faces import api
    from unpool.images.writing import write
    from unpool.train.data.faces import MARGIN, SIZE
    from unpool.train.data.folders import pictures

    if out.resolve().is_relative_to(folder.resolve()):
        raise UnpoolError(f"{out} lies in {folder}: choose a folder outside it, or its faces would be aligned again")
    console = Console(stderr=True)
    listed, without = pictures(folder), []
    for one in track(listed, "aligning", console=console, transient=True, disable=not console.is_terminal):
        place = out / f"{one.name}.png"
        try:
            face = api.align(one.path, size=SIZE, margin=MARGIN)
        except PictureError as error:
            without.append(_left_out(one.path, error))
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        write(face, place)
    if len(without) == len(listed):
        raise PictureError("no picture has a face, so nothing was written")
    written = len(listed) - len(without)
    if as_json:
        print(json.dumps({"out": str(out), "faces": written, "without": without}))
    else:
        print(f"{out}: {written} face{'s' if written != 1 else ''}")


@app.command()
def restore(
    picture: Annotated[Path, typer.Argument(help="A picture; its largest face is taken.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The aligned, restored face.")],
    aligned: Aligned = False,
    model: Annotated[
        str | None,
        typer.Option(help="faces/sr-x8: 128 pixels from 16; or a recogniser: 112 from any.", show_default="by size"),
    ] = None,
    device: Device = "auto",
) -> None:
    """Show the largest face as the network believes it looks: a likely face, not evidence."""
    from unpool.faces import api
    from unpool.images.writing import write

    write(api.restore_face(picture, aligned=aligned, model=model, device=device), out)
    print(out)


def _left_out(path: Path, error: Exception) -> str:
    """Say why a picture is left out, naming it once; its path."""
    import sys

    said = str(error)
    print(said if said.startswith(str(path)) else f"{path}: {said}", file=sys.stderr)
    return str(path)


def _row(one: "Embedded") -> dict[str, Any]:
    box = None if one.face is None else [round(float(value), 1) for value in one.face.box]
    return {"quality": one.quality, "box": box, "faces": one.found, "reason": one.reason}


gallery.add_to(app)
