"""System 5, faces by autoencoders: faces as 64 numbers and back, the way between two, and what is no face."""

import sys
from pathlib import Path

import numpy as np
from skimage.data import astronaut, brick, camera, chelsea, coffee

import unpool
from unpool.generation.api import grid
from unpool.images.picture import Picture


def main(folder: Path, steps: int = 6) -> None:
    """Write a sheet: faces, what their codes give back, the way between two; print errors of faces and of others."""
    folder.mkdir(parents=True, exist_ok=True)
    coder = unpool.load("autoencoders/faces")
    photograph = unpool.read(np.ascontiguousarray(astronaut()[20:200, 135:315]))
    made = unpool.generate("faces", n=steps - 1, seed=0)
    faces = [Picture.from_tensor(coder.prepare(face)) for face in (photograph, *made)]
    codes = coder.encode(faces)
    way = coder.between(codes[0], codes[1], steps=steps)
    unpool.write(grid([*faces, *coder.decode(codes), *way], columns=steps), folder / "codes.png")
    print(f"{faces[0].samples.size} samples became {codes.shape[1]} numbers")

    others = [coffee(), chelsea(), brick(), camera()]
    print(f"mean error of faces {coder.error(faces).mean():.4f}, of other pictures {coder.error(others).mean():.4f}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "autoencoded"))
