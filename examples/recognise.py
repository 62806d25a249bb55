"""System 4, faces by deconvolution: a face of sixteen pixels, restored and recognised. Needs the extra `faces`."""

import sys
from pathlib import Path

import torch
from skimage.data import astronaut

import unpool
from unpool.faces import align, embed, restore_face, verify
from unpool.images.degradations import Light, Mirror
from unpool.images.picture import Picture
from unpool.images.resampling import imresize


def main(folder: Path) -> None:
    """Write the face, the same at 16 pixels, and what the network makes of it; compare them, and enrol the person."""
    folder.mkdir(parents=True, exist_ok=True)
    face = align(astronaut(), size=128, margin=8)
    tiny = Picture.from_tensor(imresize(face.tensor(), size=(16, 16)).clamp(0, 1))
    restored = restore_face(tiny, aligned=True).tensor()  # at 16 pixels the enlarger does it: 128 pixels
    pictures = [face.tensor(), imresize(tiny.tensor(), 8, kernel="bicubic"), restored]
    unpool.write(Picture.from_tensor(torch.cat(pictures, -1)), folder / "sixteen-pixels.png")

    poor = imresize(align(astronaut()).tensor(), size=(16, 16)).clamp(0, 1)
    good, seen = embed(astronaut()), embed(Picture.from_tensor(poor), aligned=True)
    print(f"at 16 pixels: similarity {float(good.embedding @ seen.embedding):.2f}, quality {seen.quality:.2f}")

    generator = torch.Generator().manual_seed(0)
    other = Mirror(1.0)(Light()(unpool.read(astronaut()).tensor(), generator), generator)
    answer = verify(astronaut(), Picture.from_tensor(other))
    print(f"mirrored in another light: same person {answer.same}, similarity {answer.similarity:.2f}")

    with unpool.Gallery.open(folder / "people.db") as gallery:
        gallery.enroll("Eileen Collins", [astronaut()])
        for found in gallery.identify(Picture.from_tensor(other)):
            print(f"in the gallery: {found.name or 'unknown'}, {found.probability:.0%}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "recognised"))
