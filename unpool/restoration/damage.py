"""What each kind of restorer mends: the degradations it is trained on and measured with."""

from dataclasses import dataclass

from torch import Generator, Tensor

from unpool.images.degradations import (
    JPEG,
    Chain,
    Degradation,
    Downscale,
    GaussianBlur,
    GaussianNoise,
    MotionBlur,
    PoissonNoise,
    RandomChain,
    RandomChoice,
)
from unpool.images.metrics import eight_bit


class Rounded:
    """To 8 bit, as a file holds it."""

    def __call__(self, picture: Tensor, generator: Generator) -> Tensor:
        return eight_bit(picture)


@dataclass(frozen=True)
class Damage:
    """How training pictures of one kind are made.

    degradation: clean (N, 3, scale * H, scale * W) to damaged (N, 3, H, W).
    margin: damaged pixels at each border of a crop that its border has spoilt; they are cut away.
    shifted: the cut's place is random within the margin, so that a grid in the damage has no fixed place.
    probes: name of a figure -> the fixed damage it is measured at.
    """

    degradation: Degradation
    margin: int
    probes: dict[str, Degradation]
    shifted: bool = False


def _enlargement(scale: int) -> Damage:
    bicubic = Chain([Downscale(scale), Rounded()])
    return Damage(bicubic, margin=3, probes={f"x{scale}": bicubic})


def _noise(scale: int) -> Damage:
    literature = GaussianNoise((0.0, 50.0), clip=False)
    camera = Chain([GaussianNoise((0.0, 50.0)), Rounded()])
    probes: dict[str, Degradation] = {f"sigma{s}": GaussianNoise(s, clip=False) for s in (15, 25, 50)}
    return Damage(RandomChoice([literature, camera], weights=[3, 1]), margin=0, probes=probes)


def _compression(scale: int) -> Damage:
    probes: dict[str, Degradation] = {f"q{q}": JPEG(q) for q in (10, 20, 40)}
    return Damage(JPEG((5.0, 95.0)), margin=8, probes=probes, shifted=True)


def _blur(scale: int) -> Damage:
    shaken = RandomChoice([GaussianBlur((0.3, 2.2)), MotionBlur((1.0, 9.0))], weights=[2, 1])
    probes: dict[str, Degradation] = {"blur1.5": Chain([GaussianBlur(1.5), Rounded()])}
    return Damage(Chain([shaken, GaussianNoise((0.0, 2.0)), Rounded()]), margin=10, probes=probes)


def _photograph(scale: int) -> Damage:
    shrink = RandomChoice([Downscale(scale, kernel=kernel) for kernel in ("bicubic", "area", "lanczos")])
    before = RandomChoice([GaussianBlur((0.2, 2.0)), MotionBlur((1.0, 7.0))], weights=[3, 1])
    after = RandomChain([GaussianNoise((0.0, 12.0)), PoissonNoise((100.0, 2000.0)), JPEG((40.0, 95.0))], (0, 2))
    probe = Chain([GaussianBlur(1.0), Downscale(scale), GaussianNoise(5.0), JPEG(75)])
    degradation = Chain([before, shrink, after, Rounded()])
    return Damage(degradation, margin=8, probes={f"x{scale}": probe}, shifted=True)


KINDS = {"sr": _enlargement, "photo": _photograph, "denoise": _noise, "jpeg": _compression, "deblur": _blur}


def damage(kind: str, scale: int = 1) -> Damage:
    """The damage that a kind of restorer mends: `sr`, `photo` (these two with a scale), `denoise`, `jpeg`, `deblur`."""
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r} is not one of: {', '.join(KINDS)}")
    if (scale == 1) != (kind not in ("sr", "photo")):
        raise ValueError(f"kind {kind!r} does not go with scale {scale}")
    return KINDS[kind](scale)
