"""What is wrong with a face, so that it is not compared, in words that tell how to do better."""

import torch
from torch import Tensor
from torch.nn import functional as F

LEAST_QUALITY = 0.6
LEAST_PIXELS = 12.0
# Snouts and folds of fur that the detector takes for faces lie below both, chosen on photographs of animals.
_SURE, _WORTH = 0.68, 0.7

# Left, top, right, bottom in the 112-pixel crop: both eyes, the mouth. A face shows structure in each.
_PARTS = ((24, 40, 52, 60), (60, 40, 88, 60), (36, 80, 76, 104))
_FACE = (16, 24, 96, 100)
# Chosen on held-out training people under blur, cover and shrinking: 1 % of good faces have less than 0.24 and 0.52.
_LEAST_STRUCTURE = 0.12
_LEAST_SHARPNESS = 0.45


def flaw(crop: Tensor, quality: float, pixels: float | None, score: float | None) -> str | None:
    """Why an aligned face should not be compared: too small, blurred, covered, too poor or no face; None if it may be.

    Args:
        crop: (1, 3, 112, 112) in [0, 1].
        quality: what the recogniser expects its embedding to be worth.
        pixels: of the face in the picture it was found in; score: the detector's confidence, 0 to 1. None where they
            are not known.
    """
    if pixels is not None and pixels < LEAST_PIXELS:
        return f"the face is too small: {pixels:.0f} pixels, fewer than {LEAST_PIXELS:.0f}"
    grey = crop.mean(1, keepdim=True)
    poor = quality < LEAST_QUALITY
    if poor and _sharpness(grey, pixels) < _LEAST_SHARPNESS:
        return f"the face is blurred (quality {quality:.2f})"
    # The quality itself hardly falls with a mask or dark glasses; what the embedding says of them is worth little.
    if _structure(grey) < _LEAST_STRUCTURE:
        return "the face is covered: its eyes or its mouth cannot be seen"
    if score is not None and score < _SURE and quality < _WORTH:
        return f"this may be no face (detector's confidence {score:.2f}, quality {quality:.2f})"
    return f"the face is too poor to tell people apart, or no face (quality {quality:.2f})" if poor else None


def _sharpness(grey: Tensor, pixels: float | None) -> float:
    """Finest detail against that twice as coarse, at the size at which the picture had the face: low for blur."""
    side = 56 if pixels is None else int(min(max(pixels, 24), 56))
    small = F.interpolate(grey, (side, side), mode="bilinear", antialias=True, align_corners=False)
    return float(_detail(small) / _detail(F.avg_pool2d(small, 2)).clamp(min=1e-6))


def _detail(grey: Tensor) -> Tensor:
    coarse = F.interpolate(F.avg_pool2d(grey, 2), grey.shape[-2:], mode="bilinear", align_corners=False)
    return (grey - coarse)[..., 2:-2, 2:-2].std()


def _structure(grey: Tensor) -> float:
    """Contrast of the least structured of eyes and mouth, against that of the whole face."""
    return float(torch.stack([_contrast(grey, part) for part in _PARTS]).min() / _contrast(grey, _FACE).clamp(min=1e-6))


def _contrast(grey: Tensor, part: tuple[int, int, int, int]) -> Tensor:
    left, top, right, bottom = part
    return F.avg_pool2d(grey, 4)[..., top // 4 : bottom // 4, left // 4 : right // 4].std()
