"""`unpool generate`: pictures, spoken digits or sentences from a generator."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from unpool.generation.api import Generation

app = typer.Typer(add_completion=False)


@app.command()
def generate(
    model: Annotated[str, typer.Argument(help="faces, fashion, digits, or a weight file.")] = "faces",
    n: Annotated[int | None, typer.Option("-n", min=1, help="How many; by default 16, or one for a file.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The first picture's seed; each next one has the next.")] = 0,
    label: Annotated[int | None, typer.Option("--class", min=0, help="A class; else they take turns.")] = None,
    speaker: Annotated[int | None, typer.Option(min=0, help="Of digits: which of the six voices.")] = None,
    truncation: Annotated[float, typer.Option(min=0, max=1, help="Below 1: more typical, less varied.")] = 1.0,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="A folder for the pictures, or a file.")] = None,
    sheet: Annotated[Path | None, typer.Option("--grid", help="Also write all of them as one picture.")] = None,
    to: Annotated[
        int | None, typer.Option("--to", min=0, help="Walk on to this seed (-o a .webp or a folder).")
    ] = None,
    frames: Annotated[int, typer.Option(min=2, help="Frames of the walk.")] = 24,
    directions: Annotated[int | None, typer.Option(min=1, help="Show so many directions of latent space.")] = None,
    project: Annotated[Path | None, typer.Option(help="Find the latent of this photograph.")] = None,
    copies: Annotated[bool, typer.Option("--copies", help="Show the nearest training picture below each.")] = False,
    data: Annotated[Path | None, typer.Option(help="Folder to look for training pictures in.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Generate pictures: by seed, between two seeds, along directions, or like a photograph.

    Pictures go to a folder with a manifest (-o FOLDER), to one grid (--grid FILE), or both. Spoken digits go to one WAV
    file (-o FILE.wav) or to a folder; sentences are printed.
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
    if out is None and special:
        raise UnpoolError(f"say where the picture of {special[0]} goes: -o FILE")
    if sheet is not None:
        check_output(sheet, height=1, width=1)
    if out is not None and special and (to is None or out.suffix):
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
        answer |= _walk(made, seed, to, label, frames, out)
    elif directions is not None:
        answer |= _directions(made, seed, label, directions, out)
    elif project is not None:
        answer |= _project(made, project, label, seed, out)
    else:
        answer |= _pictures(made, n or 16, seed, label, truncation, out, sheet, copies, data)
    answer["seconds"] = round(time.perf_counter() - start, 2)
    print(json.dumps(answer) if as_json else _words(answer))


def _pictures(
    made: "Generation",
    n: int,
    seed: int,
    label: int | None,
    truncation: float,
    out: Path | None,
    sheet: Path | None,
    with_copies: bool,
    data: Path | None,
) -> dict[str, Any]:
    from unpool.generation.api import copies, grid
    from unpool.generation.export import export
    from unpool.images.writing import write

    answer: dict[str, Any] = {"n": n}
    if out is not None:
        export(made, out, n, seed=seed, label=label, truncation=truncation)
        answer["folder"] = str(out)
    if sheet is not None:
        pictures = made.pictures(*made.latents(n, seed=seed, label=label, truncation=truncation))
        if with_copies:
            found = copies(made, pictures, data)
            answer["distances"] = [distance for _, distance in found]
            pictures = [one for pair in zip(pictures, (near for near, _ in found)) for one in pair]
        write(grid(pictures), sheet)
        answer["grid"] = str(sheet)
    return answer


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
    if out.suffix.lower() != ".wav":
        files = export_recordings(made, out, n or 16, **chosen)
        return {"n": len(files), "folder": str(out)}
    if n not in (None, 1):
        raise UnpoolError(f"one WAV file holds one recording: give a folder to -o for {n}")
    write_wav(out, made.say(1, **chosen)[0])
    return {"n": 1, "recording": str(out)}


def _walk(made: "Generation", first: int, second: int, label: int | None, frames: int, out: Any) -> dict[str, Any]:
    from unpool.generation.export import animate
    from unpool.images.writing import write

    start, end = (made.latents(1, seed=seed, label=label)[0][0] for seed in (first, second))
    way = made.between(start, end, frames)
    pictures = made.pictures(way, made.labels(frames, label if label is not None or not made.classes else 0))
    if out.suffix:
        animate(pictures, out)
        return {"to": second, "frames": frames, "animation": str(out)}
    out.mkdir(parents=True, exist_ok=True)
    for i, picture in enumerate(pictures):
        write(picture, out / f"{i:04d}.png")
    return {"to": second, "frames": frames, "folder": str(out)}


def _directions(made: "Generation", seed: int, label: int | None, count: int, out: Any) -> dict[str, Any]:
    from unpool.generation.api import grid
    from unpool.images.writing import write

    latents, labels = made.latents(1, seed=seed, label=label)
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
    places = [
        answer[key] for key in ("folder", "recording", "grid", "animation", "strips", "projection") if key in answer
    ]
    what = "1 picture" if "n" not in answer else f"{answer['n']} made"
    quality = f", {answer['psnr_rgb']:.1f} dB from the photograph" if "psnr_rgb" in answer else ""
    lines = [f"{answer['model']}: {what} in {answer['seconds']:.1f} s{quality}", *places, *answer.get("sentences", [])]
    return "\n".join(lines)
