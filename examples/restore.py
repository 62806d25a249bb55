"""System 3, compression and restoration: photographs spoilt on purpose and mended, and one made small.

`python examples/restore.py FOLDER`; its beside.jpg is the picture of docs/restoration.md.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from skimage.data import chelsea, coffee

import unpool
from unpool.images.degradations import Downscale, GaussianNoise
from unpool.images.metrics import psnr_rgb
from unpool.images.picture import Picture
from unpool.images.resampling import imresize


def main(folder: Path, side: int = 280) -> None:
    """Write pictures with before on the left and after on the right, and a compressed file."""
    folder.mkdir(parents=True, exist_ok=True)
    seed = torch.Generator().manual_seed(0)
    cat, cup = (unpool.read(photo[:side, 60 : 60 + side]) for photo in (chelsea(), coffee()))

    small = Picture.from_tensor(Downscale(4)(cat.tensor(), seed))
    done = unpool.restore(small, scale=4)
    write_pair(imresize(small.tensor(), 4), done.picture, folder / "larger.png")
    print(f"larger.png: {' + '.join(done.steps)}; found {done.found}")

    noisy = Picture.from_tensor(GaussianNoise(25.0)(cup.tensor(), seed))
    done = unpool.restore(noisy, task="denoise")
    write_pair(noisy.tensor(), done.picture, folder / "cleaner.png")
    print(f"cleaner.png: {' + '.join(done.steps)}")

    file = unpool.compress(cup, quality=50)
    (folder / "cup.unp").write_bytes(file)
    back = unpool.decompress(file)
    write_pair(cup.tensor(), back, folder / "compressed.png")
    bits = 8 * len(file) / (cup.width * cup.height)
    print(f"cup.unp: {bits:.2f} bits a pixel, {float(psnr_rgb(cup.tensor(), back.tensor())):.1f} dB")

    rows = [beside(photo[40:248, 60:316], kind) for photo, kind in ((chelsea(), "small"), (coffee(), "noisy"))]
    unpool.write(Picture.from_tensor(torch.cat(rows, -2)), folder / "beside.jpg")


def beside(photo: np.ndarray, kind: str) -> torch.Tensor:
    """A photograph spoilt, mended, and as it was, side by side, (1, 3, H, 3 W)."""
    clean = unpool.read(photo).tensor()
    if kind == "small":
        small = Downscale(4)(clean, torch.Generator())
        spoilt, mended = imresize(small, 4), unpool.restore(Picture.from_tensor(small), scale=4, task="sr")
    else:
        spoilt = GaussianNoise(25.0)(clean, torch.Generator().manual_seed(0))
        mended = unpool.restore(Picture.from_tensor(spoilt), task="denoise")
    return torch.cat([spoilt.clamp(0, 1), mended.picture.tensor(), clean], -1)


def write_pair(before: torch.Tensor, after: Picture, path: Path) -> None:
    """Before on the left, after on the right."""
    unpool.write(Picture.from_tensor(torch.cat([before, after.tensor()], -1)), path)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "restored"))
