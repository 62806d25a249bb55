"""System 2, generation: sixteen faces nobody has, the way between two, and where a photograph lies among them."""

import sys
from pathlib import Path

import skimage.data

import unpool
from unpool.generation.api import grid, load_generation
from unpool.generation.export import animate


def main(folder: Path, steps: int = 100) -> None:
    """Write a sheet, an animation, and the generated face nearest to a photograph, found in so many steps."""
    folder.mkdir(parents=True, exist_ok=True)
    unpool.write(grid(unpool.generate("faces", n=16, seed=0)), folder / "faces.png")

    made = load_generation("faces")
    latents, _ = made.latents(2, seed=0)
    animate(made.pictures(made.between(latents[0], latents[1], 24)), folder / "way.webp")

    photograph = skimage.data.astronaut()[20:200, 130:310]
    found = made.project(photograph, steps=steps)
    unpool.write(made.pictures(found.latent[None])[0], folder / "nearest.png")
    print(f"mean squared error of the nearest generated face: {found.error:.4f}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "generated"))
