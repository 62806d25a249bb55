"""Photographs spoilt on purpose and restored, before and after side by side, in a folder (default: restored)."""

import sys
from pathlib import Path

import torch
from skimage.data import chelsea, coffee

import unpool
from unpool.images.degradations import Downscale, GaussianNoise
from unpool.images.picture import Picture
from unpool.images.resampling import imresize


def main(folder: Path) -> None:
    """Write two pictures, and say what was found and done."""
    folder.mkdir(parents=True, exist_ok=True)
    seed = torch.Generator().manual_seed(0)

    small = Picture.from_tensor(Downscale(4)(unpool.read(chelsea()).tensor(), seed))
    done = unpool.restore(small, scale=4)
    write_pair(imresize(small.tensor(), 4), done.picture, folder / "larger.png")
    print(f"larger.png: {' + '.join(done.steps)}; found {done.found}")

    noisy = Picture.from_tensor(GaussianNoise(25.0)(unpool.read(coffee()).tensor(), seed))
    done = unpool.restore(noisy)
    write_pair(noisy.tensor(), done.picture, folder / "cleaner.png")
    print(f"cleaner.png: {' + '.join(done.steps)}; found {done.found}")


def write_pair(before: torch.Tensor, after: Picture, path: Path) -> None:
    """Before on the left, after on the right."""
    unpool.write(Picture.from_tensor(torch.cat([before, after.tensor()], -1)), path)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "restored"))
