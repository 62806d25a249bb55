"""What `unpool demo` shows of the generation wing: the first seeds, uncurated, and one walk."""

from typing import Any

from unpool.generation.api import grid, load_generation
from unpool.images.page import Page
from unpool.zoo.weights import shipped

_FRAMES = 8


def sections(page: Page, pictures: dict[str, Any]) -> None:
    """Add grids of the first seeds and one interpolation strip; the page's own pictures are not used."""
    page.section(
        "Generated pictures",
        "Nobody in the first grid exists. Each is a deconvolutional network's answer to a number, the seed; these are "
        "the first seeds in order, none left out.",
    )
    for name, about in (("faces", "64x64 faces"), ("fashion", "28x28 clothes of ten classes")):
        if f"generation/{name}" not in shipped():
            continue
        made = load_generation(name)
        latents, labels = made.latents(64)
        first = made.pictures(latents, labels)
        page.figure([(grid(first, columns=8), f"{name}: seeds 0 to 63\n{about}")], size="large", pixelated=True)
        way = made.between(latents[0], latents[1], _FRAMES)
        strip = made.pictures(way, None if labels is None else labels[:1].repeat(_FRAMES))
        caption = f"from seed 0 to seed 1\n{_FRAMES} steps along the sphere"
        page.figure([(grid(strip, columns=_FRAMES), caption)], size="large", pixelated=True)
    page.code(
        "unpool generate faces -n 64 --grid grid.png",
        'import unpool\n\npictures = unpool.generate("faces", n=64, seed=0)\nunpool.write(pictures[0], "face.png")',
    )
