"""The wing's part of `unpool demo`: faces as 64 numbers, and the faces again."""

import io

import numpy as np
import torch
from PIL import Image

from unpool.autoencoders.api import Coder, to_8_bit
from unpool.errors import ModelError, PictureError
from unpool.generation.api import generate
from unpool.images.page import Page
from unpool.images.picture import Picture
from unpool.zoo.loading import load
from unpool.zoo.weights import shipped

MODELS = {
    "autoencoders/faces": "trained to give the face back",
    "autoencoders/faces-denoising": "trained to give it back from noise, blur and covered parts",
    "autoencoders/faces-supervised": "trained to tell people apart as well",
}
GENERATOR = "generation/faces"
STRANGERS = 2  # generated faces that go through a code
GENERATED = 6
_SEED = 2


def sections(page: Page, pictures: dict[str, Picture]) -> None:
    """Add each picture's face, its code and what the decoder makes of it; faces from random codes; a walk between."""
    there = shipped()
    names = [name for name in MODELS if name in there]
    if not names:
        return
    coders = {name: load(name) for name in names}
    first = coders[names[0]]
    faces = _faces(first, pictures)
    if GENERATOR in there:
        made = generate(GENERATOR, STRANGERS, truncation=0.8)
        faces |= {f"generated {number + 1}": face for number, face in enumerate(made)}
    page.section(
        f"A face as {first.module.code} numbers",
        f"An encoder turns a face of {first.size[1]}×{first.size[0]} pixels into {first.module.code} numbers, "
        "a deconvolutional decoder turns the numbers into a face. What the numbers do not hold, it does not know.",
    )
    for name, face in faces.items():
        _face(page, coders, name, face)
    _generated(page, first, faces)
    page.code(
        f"unpool embed PHOTOS --align -o codes.parquet --model {names[0]}",
        "import unpool\n"
        f'coder = unpool.load("{names[0]}")\n'
        'code = coder.encode(coder.face_of("photo.jpg"))\n'
        "face = coder.decode(code)[0]",
    )


def _faces(coder: Coder, pictures: dict[str, Picture]) -> dict[str, Picture]:
    """The face in each picture that has one; none where no detector is installed."""
    faces = {}
    for name, picture in pictures.items():
        try:
            faces[name] = coder.face_of(picture)
        except PictureError:
            continue
        except ModelError:
            return {}
    return faces


def _face(page: Page, coders: dict[str, Coder], name: str, face: Picture) -> None:
    code = next(iter(coders.values())).encode(face)
    shown = [(face, f"{name}\n{_jpeg_bytes(face):,} bytes as JPEG"), (_bars(code[0]), f"its code\n{code.size} bytes")]
    for model, coder in coders.items():
        shown.append((coder.reconstruct(face)[0], f"{model.split('/')[1]}\n{MODELS[model]}"))
    page.figure(shown, size="small", pixelated=True)


def _generated(page: Page, coder: Coder, faces: dict[str, Picture]) -> None:
    """Faces that nobody has: of random codes, and on the way from one to the next."""
    codes = np.random.default_rng(_SEED).normal(size=(GENERATED, coder.module.code)).astype(np.float32)
    page.subsection("Nobody's faces", "What the decoder makes of random numbers, and of numbers between two codes.")
    made = coder.decode(0.9 * codes)
    page.figure([(picture, f"random code {i + 1}") for i, picture in enumerate(made)], size="small", pixelated=True)
    start = coder.encode(next(iter(faces.values())))[0] if faces else codes[0]
    walk = coder.between(start, 0.9 * codes[1], GENERATED)
    page.figure(
        [(picture, f"{100 * i // (GENERATED - 1)} %") for i, picture in enumerate(walk)], size="small", pixelated=True
    )


def _bars(code: np.ndarray) -> Picture:
    """A code as a square of grey levels, one field a number."""
    side = int(np.ceil(np.sqrt(code.size)))
    levels = np.full(side * side, 127, np.uint8)
    spread = to_8_bit(np.stack([code, np.full_like(code, np.abs(code).max()), -np.full_like(code, np.abs(code).max())]))
    levels[: code.size] = spread[0][0]
    field = levels.reshape(side, side).repeat(8, 0).repeat(8, 1)
    return Picture.from_tensor(torch.from_numpy(field.astype(np.float32) / 255)[None])


def _jpeg_bytes(face: Picture) -> int:
    file = io.BytesIO()
    Image.fromarray(face.with_depth(8).samples).save(file, "JPEG", quality=75)
    return file.tell()
