"""Four ways of going up, trained alike for a moment, and what each adds to a bicubic enlargement.

`python examples/upsampling.py PICTURE [STEPS]` writes the picture of docs/restoration.md. It needs the photographs that
restoration is trained on (docs/data.md).
"""

import sys
from pathlib import Path

from skimage.data import chelsea

import unpool
from unpool.images.picture import Picture
from unpool.restoration.upsampling import WAYS, sheet, trained_alike


def main(path: Path, steps: int = 60) -> None:
    """Write the row of pictures, and say in which order they stand."""
    networks = trained_alike(None, steps, print)
    clean = unpool.read(chelsea()[60:188, 120:280]).tensor()
    unpool.write(Picture.from_tensor(sheet(networks, clean)), path)
    print(f"{path}: {', '.join(WAYS)} after {steps} steps")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 60)
