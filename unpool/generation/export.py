"""Generated pictures and recordings as files: a folder with its manifest, and animations."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from unpool.errors import UnpoolError
from unpool.generation.api import Generation, load_generation
from unpool.generation.digits import SPEAKERS, Voices
from unpool.generation.waveform import write_wav
from unpool.images.atomic import atomic
from unpool.images.picture import Picture
from unpool.images.writing import write

MANIFEST = "manifest.jsonl"
_CHUNK = 256


def export(
    generation: Generation,
    folder: Path,
    n: int,
    *,
    seed: int = 0,
    label: int | None = None,
    truncation: float = 1.0,
) -> list[Path]:
    """Write `n` pictures as PNG into `folder` (made if missing), and a manifest from which each can be made again.

    The manifest has one JSON object a line: file, model, sha256 of its weights, seed, class, truncation, latent. It is
    written last, so a folder with a manifest is complete. Returns the files.
    """
    _fresh(folder)
    lines, files = [], []
    for start in range(0, n, _CHUNK):
        count = min(_CHUNK, n - start)
        latents, labels = generation.latents(count, seed=seed + start, label=label, truncation=truncation)
        for i, picture in enumerate(generation.pictures(latents, labels)):
            file = folder / f"{seed + start + i:08d}.png"
            write(picture, file)
            files.append(file)
            line = {
                "file": file.name,
                "model": generation.record.name,
                "sha256": generation.record.sha256,
                "seed": seed + start + i,
                "class": None if labels is None else int(labels[i]),
                "truncation": truncation,
                "latent": latents[i].tolist(),
            }
            lines.append(json.dumps(line))
    _conclude(folder, lines)
    return files


def export_recordings(
    voices: Voices,
    folder: Path,
    n: int,
    *,
    seed: int = 0,
    digit: int | None = None,
    speaker: int | None = None,
    truncation: float = 1.0,
) -> list[Path]:
    """Write `n` spoken digits as WAV into `folder` (made if missing), and a manifest: file, model, sha256 of its
    weights, seed, digit, speaker and truncation of each. Returns the files.
    """
    _fresh(folder)
    lines, files = [], []
    for turn in range(seed, seed + n):
        (samples,) = voices.say(1, seed=turn, digit=digit, speaker=speaker, truncation=truncation)
        said, who = divmod(int(voices.classes(1, seed=turn, digit=digit, speaker=speaker)), len(SPEAKERS))
        files.append(folder / f"{turn:08d}.wav")
        write_wav(files[-1], samples)
        line = {"file": files[-1].name, "model": voices.record.name, "sha256": voices.record.sha256, "seed": turn}
        lines.append(json.dumps(line | {"digit": said, "speaker": SPEAKERS[who], "truncation": truncation}))
    _conclude(folder, lines)
    return files


def _fresh(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / MANIFEST).exists():
        raise UnpoolError(f"{folder} holds an export already: choose another folder")


def _conclude(folder: Path, lines: list[str]) -> None:
    with atomic(folder / MANIFEST) as beside:
        beside.write_text("\n".join(lines) + "\n", encoding="utf-8")


def again(line: str | dict[str, Any], generation: Generation | None = None) -> Picture:
    """The picture that one line of a manifest describes, made again from its latent.

    generation: the generator, where it is loaded already; its weights must be those of the line.
    Raises UnpoolError for a line that is none, or other weights.
    """
    try:
        entry = json.loads(line) if isinstance(line, str) else line
        generation = generation or load_generation(entry["model"])
        if entry["sha256"] != generation.record.sha256:
            raise UnpoolError(f"{entry['file']} was made by other weights of {entry['model']} than those here")
        labels = None if entry["class"] is None else torch.tensor([entry["class"]])
        return generation.pictures(torch.tensor([entry["latent"]]), labels)[0]
    except (ValueError, KeyError, TypeError) as error:
        raise UnpoolError(f"not a line of a manifest of generated pictures ({error!r})") from None


def animate(frames: Sequence[Picture], path: Path, *, milliseconds: int = 80) -> None:
    """Write frames of one size as an animated WebP that plays for ever, there and back again."""
    if path.suffix.lower() != ".webp":
        raise UnpoolError(f"an animation is written as .webp, not {path.suffix or 'without a suffix'}")
    loop = [*frames, *frames[-2:0:-1]]
    images = [Image.fromarray(frame.samples[:, :, 0] if frame.grey else frame.samples) for frame in loop]
    with atomic(path) as beside:
        images[0].save(
            beside, "WEBP", save_all=True, append_images=images[1:], duration=milliseconds, loop=0, lossless=True
        )
