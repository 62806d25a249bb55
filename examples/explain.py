"""System 1, explanation: what a classifier saw in a photograph, by three methods, and how far to trust each."""

import sys
from pathlib import Path

import skimage.data

import unpool
from unpool.images.picture import Picture
from unpool.images.resampling import imresize


def main(
    folder: Path, side: int = 300, methods: tuple[str, ...] = ("guided", "grad-cam", "deconvnet"), steps: int = 20
) -> None:
    """Write one map a method. Honest maps change when weights are shuffled: randomisation near 0."""
    folder.mkdir(parents=True, exist_ok=True)
    coffee = unpool.read(skimage.data.coffee()).tensor()
    photo = Picture.from_tensor(imresize(coffee, size=(side, side * 3 // 2)).clamp(0, 1))
    for method in methods:
        found = unpool.explain("efficientnet-lite0", photo, method=method)
        found.save(folder / f"{method}.png")
        scores = found.honesty(steps=steps)
        print(
            f"{method}.png: {found.described()}; randomisation {scores.randomisation:.2f}, "
            f"insertion {scores.insertion:.2f}, deletion {scores.deletion:.2f}"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "explained"))
