"""Sixteen faces nobody has, the way between two of them, and where a photograph lies among them."""

from pathlib import Path

import skimage.data

import unpool
from unpool.generation.api import grid, load_generation
from unpool.generation.export import animate

out = Path("out")
out.mkdir(exist_ok=True)

faces = unpool.generate("faces", n=16, seed=0)
unpool.write(grid(faces), out / "faces.png")

made = load_generation("faces")
latents, _ = made.latents(2, seed=0)
animate(made.pictures(made.between(latents[0], latents[1], 24)), out / "way.webp")

photograph = skimage.data.astronaut()[20:200, 130:310]
found = made.project(photograph, steps=100)
unpool.write(made.pictures(found.latent[None])[0], out / "nearest.png")
print(f"mean squared error of the projection: {found.error:.4f}; pictures are in {out}/")
