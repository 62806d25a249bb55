"""The wing's part of the demo's page: a photograph spoilt on purpose, and mended."""

from collections.abc import Mapping

import torch

from unpool.images.degradations import JPEG, Degradation, Downscale, GaussianBlur, GaussianNoise
from unpool.images.metrics import eight_bit, psnr_rgb
from unpool.images.page import Page
from unpool.images.picture import Picture
from unpool.restoration.api import restore
from unpool.zoo.weights import shipped

_SIDE = 320  # of the part of a photograph that is shown

# Model -> (what is done to the photograph in words, how, what to call the two sides)
_SPOILT: dict[str, tuple[str, Degradation, tuple[str, str]]] = {
    "sr-x4": ("shrunk to a quarter of its sides", Downscale(4), ("a sixteenth of the pixels", "restored")),
    "denoise": ("noise of sigma 25 added", GaussianNoise(25.0), ("noisy", "restored")),
    "jpeg": ("saved as JPEG at quality 12", JPEG(12.0), ("JPEG", "restored")),
    "deblur": ("blurred by 1.5 pixels", GaussianBlur(1.5), ("blurred", "restored")),
}


def sections(page: Page, pictures: Mapping[str, Picture]) -> None:
    """Add one section with a slider for each restorer that is here; each shows another photograph."""
    known = [kind for kind in _SPOILT if f"restoration/{kind}" in shipped()]
    if not known:
        return
    page.section(
        "Restore",
        "Photographs spoilt on purpose, then mended by networks of a few hundred thousand weights. Move the line.",
    )
    rows = []
    for number, kind in enumerate(known):
        name, picture = list(pictures.items())[number % len(pictures)]
        words, damage, names = _SPOILT[kind]
        clean = _middle(picture)
        bad = Picture.from_tensor(eight_bit(damage(clean, torch.Generator().manual_seed(0))))
        done = restore(bad, task=kind.split("-")[0], scale=4 if kind == "sr-x4" else None)
        page.slider(bad, done.picture, f"{name}, {words}; {done.seconds:.2f} s", names=names, pixelated=kind == "sr-x4")
        plain = bad.tensor() if kind != "sr-x4" else restore(bad, method="bicubic", scale=4).picture.tensor()
        rows.append((name, words, _decibel(plain, clean), _decibel(done.picture.tensor(), clean)))
    page.table(rows, header=("photograph", "damage", "before (bicubic)", "restored"), caption="PSNR over RGB")
    page.code(
        "unpool restore photo.jpg -o out.png --scale 4",
        'import unpool\n\nunpool.restore("photo.jpg", scale=4).save("out.png")',
    )


def _middle(picture: Picture) -> torch.Tensor:
    """The middle of a photograph, (1, C, h, w) with sides of a multiple of four."""
    rows, columns = (max(4, min(_SIDE, side) // 4 * 4) for side in (picture.height, picture.width))
    if min(picture.height, picture.width) < 4:
        return picture.tensor()
    return picture.tensor(((picture.height - rows) // 2, (picture.width - columns) // 2, rows, columns))


def _decibel(one: torch.Tensor, other: torch.Tensor) -> str:
    return f"{float(psnr_rgb(one, other)):.1f} dB" if one.shape == other.shape else "-"
