"""`unpool faces enroll|identify|list|erase|calibrate|export|import|re-embed`: known people."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

Place = Annotated[str, typer.Option("--gallery", metavar="FILE|URL", help="The gallery: a file, or postgresql://...")]
KeyFile = Annotated[Path | None, typer.Option("--key", metavar="FILE", help="The key of an encrypted gallery.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
_DEFAULT = "people.db"


def add_to(app: typer.Typer) -> None:
    """Add the gallery's commands to a command group."""
    for name, command in (
        ("enroll", enroll),
        ("identify", identify),
        ("list", list_people),
        ("erase", erase),
        ("calibrate", calibrate),
        ("export", export),
        ("import", import_people),
        ("re-embed", re_embed),
    ):
        app.command(name)(command)


def _open(place: str, key: Path | None) -> Any:
    from unpool.faces.gallery import Gallery

    return Gallery.open(place, create=False, key=_key(key))


@contextlib.contextmanager
def _open_or_make(place: str, key: Path | None) -> Iterator[Any]:
    """A gallery, made where there is none; one in which nobody could be enrolled is not left behind."""
    from unpool.faces.gallery import Gallery
    from unpool.faces.gallery.gallery import on_server

    new = not on_server(place) and not Path(place).exists()
    with Gallery.open(place, create=True, key=_key(key)) as opened:
        try:
            yield opened
        except BaseException:
            if new and not opened.people():
                for path in (Path(place), Path(f"{place}-wal"), Path(f"{place}-shm")):
                    path.unlink(missing_ok=True)
            raise


def _key(path: Path | None) -> bytes | None:
    from unpool.errors import GalleryError

    if path is None:
        return None
    if not path.is_file():
        raise GalleryError(f"there is no key file {path}: make one with `unpool faces enroll --new-key {path} ...`")
    return path.read_bytes()


def _list(what: str, pictures: tuple[tuple[str, str], ...]) -> None:
    """Tell on stderr of pictures that were passed over, each with the reason."""
    for which, why in pictures:
        typer.echo(f"{what}: {which}: {why}", err=True)


def _write_key(path: Path, key: bytes) -> None:
    """Write a key that only its owner can read, never over a file that is there."""
    import os

    from unpool.errors import GalleryError

    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise GalleryError(f"{path} exists: a new key never replaces a file") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(key)
    except BaseException:
        path.unlink()
        raise


def _check_new(gallery: str, key_file: Path) -> None:
    """GalleryError unless a gallery and its key can be made at these places."""
    from unpool.errors import GalleryError
    from unpool.faces.gallery.gallery import refuse_key_on_server

    refuse_key_on_server(gallery)
    if Path(gallery).exists():
        raise GalleryError(f"{gallery} exists already: a key is made with a new gallery")
    if key_file.exists():
        raise GalleryError(f"{key_file} exists: a new key never replaces a file")
    for path in (Path(gallery), key_file):
        if not path.absolute().parent.is_dir():
            raise GalleryError(f"{path} cannot be made: give a file in a folder that exists")


def _enroll_with_new_key(name: str, pictures: list[Path], gallery: str, key_file: Path) -> Any:
    """Enrol the first person of an encrypted gallery. Key and gallery appear together, or neither."""
    import tempfile

    from unpool.errors import GalleryError
    from unpool.faces.gallery import Gallery
    from unpool.faces.gallery.sealing import new_key
    from unpool.images.atomic import place_new

    _check_new(gallery, key_file)
    place, key = Path(gallery), new_key()
    # Made beside and linked into place at last: what others make there meanwhile is neither replaced nor removed.
    with tempfile.TemporaryDirectory(prefix=f".{place.name}.", dir=place.absolute().parent) as beside:
        made = Path(beside) / place.name
        with Gallery.open(made, key=key) as opened:
            done = opened.enroll(name, pictures)
        if Path(f"{made}-wal").exists():
            raise GalleryError(f"{gallery} cannot be made: its log could not be written back")
        _write_key(key_file, key)
        try:
            place_new(made, place)
        except OSError as error:
            key_file.unlink()
            raise GalleryError(f"{gallery} cannot be made: {error.strerror}") from None
    return done


def enroll(
    name: Annotated[str, typer.Argument(help="The person's name.")],
    pictures: Annotated[list[Path], typer.Argument(help="Pictures that show this person alone.")],
    gallery: Place = _DEFAULT,
    key: KeyFile = None,
    new_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Make a key there and encrypt with it.")] = None,
) -> None:
    """Enrol a person by one or more pictures."""
    from unpool.errors import GalleryError

    if new_key is not None:
        if key is not None:
            raise GalleryError("give --key or --new-key, not both")
        done = _enroll_with_new_key(name, list(pictures), gallery, new_key)
    else:
        with _open_or_make(gallery, key) as opened:
            done = opened.enroll(name, list(pictures))
    _list("not taken", done.rejected)
    print(f"{done.person.name}: {done.person.pictures} pictures enrolled")


def identify(
    pictures: Annotated[list[Path], typer.Argument(help="Pictures with any number of faces.")],
    gallery: Place = _DEFAULT,
    key: KeyFile = None,
    false_alarms: Annotated[float, typer.Option(help="How often a stranger may be taken for somebody known.")] = 0.01,
    as_json: AsJson = False,
) -> None:
    """Say who is in a picture, face by face, or that it is nobody we know."""
    answers = {}
    with _open(gallery, key) as opened:
        for picture in pictures:
            answers[str(picture)] = opened.identify(picture, false_alarm_rate=false_alarms)
    if as_json:
        from dataclasses import asdict

        print(json.dumps({name: [asdict(face) for face in faces] for name, faces in answers.items()}))
        return
    for picture_name, faces in answers.items():
        if not faces:
            print(f"{picture_name}: no face found")
        for face in faces:
            print(f"{picture_name}: {_sentence(face)}")


def _sentence(face: Any) -> str:
    where = "" if face.box is None else f" at {', '.join(str(round(value)) for value in face.box)}"
    if face.reason is not None:
        return f"not compared{where}: {face.reason}"
    rival = f"; then {face.runner_up.name} ({face.runner_up.score:.2f})" if face.runner_up else ""
    if face.name is None:
        return f"unknown{where} (nearest {face.nearest.name}, {face.score:.2f} < {face.threshold:.2f}{rival})"
    return f"{face.name}{where} (probability {face.probability:.3f}, score {face.score:.2f}{rival})"


def list_people(
    gallery: Place = _DEFAULT,
    key: KeyFile = None,
    audit: Annotated[bool, typer.Option("--audit", help="Show what was done and when, by random ids.")] = False,
    as_json: AsJson = False,
) -> None:
    """List everybody enrolled, or the audit trail."""
    with _open(gallery, key) as opened:
        if audit:
            rows = [dict(zip(("time", "event", "id"), row, strict=True)) for row in opened.audit()]
        else:
            rows = [
                {"name": p.name, "pictures": p.pictures, "enrolled": p.enrolled, "id": p.id} for p in opened.people()
            ]
    if as_json:
        print(json.dumps({"audit" if audit else "people": rows}))
    else:
        for row in rows:
            print("  ".join(str(value) for value in row.values()))


def erase(
    name: Annotated[str, typer.Argument(help="The person's name.")], gallery: Place = _DEFAULT, key: KeyFile = None
) -> None:
    """Erase a person and every trace of them from the gallery."""
    with _open(gallery, key) as opened:
        person = opened.erase(name)
    if person.id:
        print(f"erased: {person.id}, {person.pictures} pictures")
    else:
        print(f"nobody called {person.name!r} is enrolled; the traces that an earlier removal left are wiped now")


def calibrate(
    folder: Annotated[Path, typer.Argument(help="One folder a person, two or more pictures in most.")],
    gallery: Place = _DEFAULT,
    key: KeyFile = None,
) -> None:
    """Fit probabilities and thresholds to pictures like those you will ask about."""
    from unpool.errors import GalleryError

    people = {p.name: sorted(f for f in p.iterdir() if f.is_file()) for p in sorted(folder.glob("*")) if p.is_dir()}
    if not people:
        raise GalleryError(f"{folder} holds no folders: give one folder a person")
    with _open(gallery, key) as opened:
        done = opened.calibrate(people)
    _list("not taken", done.rejected)
    fitted = done.calibration
    for calibration, what in ((fitted, ""), (fitted.poor, "two poor faces: ")):
        if calibration is None:
            print("one calibration for faces of every quality: there are too few pairs of two poor faces")
            continue
        same, different = calibration.pairs
        print(f"{what}calibrated on {same} pairs of one person and {different} of two")
        for rate in (0.01, 0.001):
            print(f"{what}false-match rate {rate:g}: score {calibration.threshold(rate):.3f}")


def export(
    out: Annotated[Path, typer.Option("-o", "--out", help="File to write (.safetensors).")],
    gallery: Place = _DEFAULT,
    key: KeyFile = None,
) -> None:
    """Write everybody to one file, unencrypted."""
    with _open(gallery, key) as opened:
        opened.export(out)
    print(out)


def import_people(
    source: Annotated[Path, typer.Argument(help="A file that `export` wrote.")],
    gallery: Place = _DEFAULT,
    key: KeyFile = None,
) -> None:
    """Enrol everybody of an exported gallery."""
    with _open_or_make(gallery, key) as opened:
        print(f"{opened.import_(source)} people enrolled")


def re_embed(
    folder: Annotated[Path, typer.Argument(help="A folder with all enrolled pictures, in any order.")],
    gallery: Place = _DEFAULT,
    key: KeyFile = None,
) -> None:
    """Bring a gallery that another model made to today's model."""
    from unpool.errors import GalleryError
    from unpool.faces.gallery import Gallery

    with Gallery.open_any(gallery, key=_key(key)) as opened:
        done = opened.re_embed(sorted(path for path in folder.rglob("*") if path.is_file()))
    _list("lost", done.lost)
    print(f"{done.pictures} pictures embedded anew")
    if done.uncalibrated:
        print("the calibration was fitted to the former model and is removed: run `unpool faces calibrate` again")
    if done.unwiped:
        raise GalleryError(done.unwiped)
