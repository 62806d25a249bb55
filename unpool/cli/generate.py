"""`unpool generate`: pictures, spoken digits or sentences from a generator."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from unpool.generation.api import Generation
    from unpool.images.picture import Picture

app = typer.Typer(add_completion=False)

# Options that only some kinds of picture take: those by seed, and those of the three options that ask for another kind.
_TAKEN = {
    "": ("-n", "--truncation", "--grid", "--copies", "--data"),
    "--to": ("--truncation", "--frames"),
    "--directions": ("--truncation",),
    "--project": (),
}


@app.command()
def generate(
    model: Annotated[str, typer.Argument(help="faces, fashion, digits, or a weight file.")] = "faces",
    n: Annotated[int | None, typer.Option("-n", min=1, help="How many; by default 16, or one for a file.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The first picture's seed; each next one has the next.")] = 0,
    label: Annotated[int | None, typer.Option("--class", min=0, help="A class; else they take turns.")] = None,
    speaker: Annotated[int | None, typer.Option(min=0, help="Of digits: which of the six voices.")] = None,
    truncation: Annotated[float, typer.Option(min=0, max=1, help="Below 1: more typical, less varied.")] = 1.0,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="A folder for the pictures, or a file for one.")
    ] = None,
    sheet: Annotated[Path | None, typer.Option("--grid", help="Also write all of them as one picture.")] = None,
    to: Annotated[
        int | None, typer.Option("--to", min=0, help="Walk on to this seed (-o a .webp or a folder).")
    ] = None,
    frames: Annotated[int | None, typer.Option(min=2, help="Frames of the walk; by default 24.")] = None,
    directions: Annotated[int | None, typer.Option(min=1, help="Show so many directions of latent space.")] = None,
    project: Annotated[Path | None, typer.Option(help="Find the latent of this photograph.")] = None,
    copies: Annotated[
        bool, typer.Option("--copies", help="In --grid show the nearest training picture beside each.")
    ] = False,
    data: Annotated[Path | None, typer.Option(help="Folder where --copies looks for training pictures.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Generate pictures: by seed, between two seeds, along directions, or like a photograph.

    Pictures go to a folder with a manifest (-o FOLDER), to one grid (--grid FILE), or both; one picture goes to a file
    (-o FILE.png). Spoken digits go to one WAV file (-o FILE.wav) or to a folder; sentences are printed.
    """
    import json
    import time

    from unpool.errors import UnpoolError
    from unpool.images.writing import check_output

    asked = {"--to": to is not None, "--directions": directions is not None, "--project": project is not None}
    special = [name for name, on in asked.items() if on]
    start = time.perf_counter()
    if len(special) > 1:
        raise UnpoolError(f"{' and '.join(special)} are different pictures: ask for one at a time")
    given = {"-n": n is not None, "--truncation": truncation != 1, "--frames": frames is not None}
    given |= {"--grid": sheet is not None, "--copies": copies, "--data": data is not None}
    _refuse_unused("".join(special), given)
    if out is None and special:
        raise UnpoolError(f"say where the picture of {special[0]} goes: -o FILE")
    if sheet is not None:
        check_output(sheet, height=1, width=1)
    if out is not None and special and (to is None or _is_file(out)):
        check_output(out, height=1, width=1)
    from unpool.generation.api import Generation, opened

    made = opened(model, device)
    answer: dict[str, Any] = {"model": made.record.name, "seed": seed, "truncation": truncation}
    if not isinstance(made, Generation):
        if special or sheet is not None or copies:
            raise UnpoolError(f"{made.record.name} makes no pictures: leave out what is said of them")
        answer |= _sound_or_text(made, n, seed, label, speaker, truncation, out)
    elif speaker is not None:
        raise UnpoolError(f"{made.record.name} makes pictures, which have no speaker")
    elif out is None and sheet is None:
        raise UnpoolError("say where the pictures go: -o, or --grid FILE")
    elif to is not None:
        answer |= _walk(made, seed, to, label, truncation, frames or 24, out)
    elif directions is not None:
        answer |= _directions(made, seed, label, truncation, directions, out)
    elif project is not None:
        answer |= _project(made, project, label, seed, out)
    else:
        answer |= _pictures(made, n, seed, label, truncation, out, sheet, copies, data)
    answer["seconds"] = round(time.perf_counter() - start, 2)
    print(json.dumps(answer) if as_json else _words(answer))


def _refuse_unused(kind: str, given: dict[str, bool]) -> None:
    """Refuse options that would change nothing about this kind of picture, a key of `_TAKEN`."""
    from unpool.errors import UnpoolError

    unused = [name for name, on in given.items() if on and name not in _TAKEN[kind]]
    if unused:
        raise UnpoolError(f"leave out {' and '.join(unused)}: of no use {'with ' + kind if kind else 'without --to'}")
    for name, needed in (("--copies", "--grid"), ("--data", "--copies")):
        if given[name] and not given[needed]:
            raise UnpoolError(f"{name} is of no use without {needed}: add it")


def _is_file(out: Path) -> bool:
    """Whether -o names a file: by its suffix, which is none in a folder's name such as `faces-0.7`."""
    return out.suffix[1:2].isalpha() and not out.is_dir()


def _pictures(
    made: "Generation",
    n: int | None,
    seed: int,
    label: int | None,
    truncation: float,
    out: Path | None,
    sheet: Path | None,
    with_copies: bool,
    data: Path | None,
) -> dict[str, Any]:
    from unpool.errors import UnpoolError
    from unpool.generation.export import export
    from unpool.images.writing import check_output, write

    file = out if out is not None and _is_file(out) else None
    if file is not None:
        check_output(file, height=1, width=1)
        if n not in (None, 1):
            raise UnpoolError(f"one file holds one picture: give a folder to -o for {n}, or --grid FILE")
    n = n or (16 if file is None else 1)
    made.labels(1, label)  # an unknown class is refused before a folder is made
    answer: dict[str, Any] = {"n": n}
    # All is generated before anything is written, so that a mistake leaves nothing behind.
    chosen: dict[str, Any] = {"seed": seed, "label": label, "truncation": truncation}
    pictures = made.pictures(*made.latents(n, **chosen)) if file is not None or sheet is not None else []
    shown = None
    if sheet is not None:
        shown, distances = _sheet(made, pictures, with_copies, data)
        check_output(sheet, height=shown.height, width=shown.width)
        answer |= {"distances": distances} if with_copies else {}
    if file is not None:
        write(pictures[0], file)
        answer["picture"] = str(file)
    elif out is not None:
        export(made, out, n, **chosen)
        answer["folder"] = str(out)
    if sheet is not None and shown is not None:
        write(shown, sheet)
        answer["grid"] = str(sheet)
    return answer


def _sheet(
    made: "Generation", pictures: "list[Picture]", with_copies: bool, data: Path | None
) -> "tuple[Picture, list[float]]":
    """All pictures as one; with copies, to the right of each its nearest training picture, and their distances."""
    import math

    from unpool.generation.api import copies, grid

    if not with_copies:
        return grid(pictures), []
    found = copies(made, pictures, data)
    paired = [one for picture, (near, _) in zip(pictures, found) for one in (picture, near)]
    # Nearly square, of an even number of columns, so that pairs stay in one row.
    return grid(paired, columns=2 * math.ceil(math.sqrt(len(paired)) / 2)), [distance for _, distance in found]


def _sound_or_text(
    made: Any,
    n: int | None,
    seed: int,
    digit: int | None,
    speaker: int | None,
    truncation: float,
    out: Any,
) -> dict[str, Any]:
    from unpool.errors import UnpoolError
    from unpool.generation.digits import Voices
    from unpool.generation.export import export_recordings
    from unpool.generation.sentences import Writer
    from unpool.generation.waveform import write_wav

    if isinstance(made, Writer):
        if digit is not None or speaker is not None or out is not None:
            raise UnpoolError(f"{made.record.name} prints sentences: it takes -n, --seed and --truncation")
        return {"n": n or 16, "sentences": made.write(n or 16, seed=seed, truncation=truncation)}
    if not isinstance(made, Voices):
        raise UnpoolError(f"{made.record.name} generates nothing: `unpool models` says what it is for")
    if out is None:
        raise UnpoolError("say where the recordings go: -o FILE.wav or -o FOLDER")
    chosen: dict[str, Any] = {"seed": seed, "digit": digit, "speaker": speaker, "truncation": truncation}
    made.classes(1, digit=digit, speaker=speaker)  # an unknown one is refused before a folder is made
    if not _is_file(out):
        files = export_recordings(made, out, n or 16, **chosen)
        return {"n": len(files), "folder": str(out)}
    if out.suffix.lower() != ".wav":
        raise UnpoolError(f"a recording is written as .wav, not {out.suffix}")
    if n not in (None, 1):
        raise UnpoolError(f"one WAV file holds one recording: give a folder to -o for {n}")
    write_wav(out, made.say(1, **chosen)[0])
    return {"n": 1, "recording": str(out)}


def _walk(
    made: "Generation", first: int, second: int, label: int | None, truncation: float, frames: int, out: Any
) -> dict[str, Any]:
    from unpool.errors import UnpoolError
    from unpool.generation.export import animate
    from unpool.images.writing import write

    start, labels = made.latents(1, seed=first, label=label, truncation=truncation)
    end, _ = made.latents(1, seed=second, label=label, truncation=truncation)
    way = made.between(start[0], end[0], frames)
    # There is no way from class to class: it stays that of the first seed.
    pictures = made.pictures(way, None if labels is None else labels.repeat(frames))
    if _is_file(out):
        animate(pictures, out)
        return {"to": second, "frames": frames, "animation": str(out)}
    out.mkdir(parents=True, exist_ok=True)
    if any(out.glob("[0-9][0-9][0-9][0-9].png")):
        raise UnpoolError(f"{out} holds the frames of another walk: choose another folder")
    for i, picture in enumerate(pictures):
        write(picture, out / f"{i:04d}.png")
    return {"to": second, "frames": frames, "folder": str(out)}


def _directions(
    made: "Generation", seed: int, label: int | None, truncation: float, count: int, out: Any
) -> dict[str, Any]:
    from unpool.generation.api import grid
    from unpool.images.writing import write

    latents, labels = made.latents(1, seed=seed, label=label, truncation=truncation)
    steps = 7
    strips = [made.along(latents[0], direction, steps=steps) for direction in made.directions(count)]
    pictures = [p for strip in strips for p in made.pictures(strip, None if labels is None else labels.repeat(steps))]
    write(grid(pictures, columns=steps), out)
    return {"directions": count, "strips": str(out)}


def _project(made: "Generation", photograph: Path, label: int | None, seed: int, out: Any) -> dict[str, Any]:
    import math

    from unpool.images.writing import write

    found = made.project(photograph, label=label, seed=seed)
    labels = None if found.label is None else made.labels(1, found.label)
    write(made.pictures(found.latent[None], labels)[0], out)
    answer = {"photograph": str(photograph), "psnr_rgb": round(-10 * math.log10(max(found.error, 1e-10)), 2)}
    return answer | {"class": found.label, "latent": found.latent.tolist(), "projection": str(out)}


def _words(answer: dict[str, Any]) -> str:
    kinds = ("folder", "picture", "recording", "grid", "animation", "strips", "projection")
    places = [answer[key] for key in kinds if key in answer]
    what = "1 picture" if "n" not in answer else f"{answer['n']} made"
    quality = f", {answer['psnr_rgb']:.1f} dB from the photograph" if "psnr_rgb" in answer else ""
    lines = [f"{answer['model']}: {what} in {answer['seconds']:.1f} s{quality}", *places, *answer.get("sentences", [])]
    return "\n".join(lines)
