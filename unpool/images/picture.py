"""`Picture`: one picture in memory, as every part of unpool takes it and gives it back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from unpool.errors import PictureError

if TYPE_CHECKING:
    import torch
    from PIL import Image

_DTYPES: dict[int, type[np.uint8] | type[np.uint16]] = {8: np.uint8, 16: np.uint16}


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture as integers, sRGB-encoded, upright.

    Attributes:
        samples: (H, W, C), uint8 or uint16, full range; C is 1 (grey) or 3 (RGB).
        alpha: (H, W), the same dtype, 0 transparent; None: opaque. Colours are not multiplied by it.
        exif: EXIF bytes, orientation 1, without the place where it was taken unless asked for; or None.
        icc: the ICC profile that the samples were converted from, for conversion back on request, or None.
    """

    samples: np.ndarray
    alpha: np.ndarray | None = None
    exif: bytes | None = None
    icc: bytes | None = None

    def __post_init__(self) -> None:
        samples, alpha = self.samples, self.alpha
        if samples.ndim != 3 or samples.shape[2] not in (1, 3) or 0 in samples.shape:
            raise PictureError(f"samples have shape {samples.shape}: give (height, width, 1 or 3), at least one pixel")
        if samples.dtype not in (np.uint8, np.uint16):
            raise PictureError(f"samples are {samples.dtype}: give uint8 or uint16")
        if alpha is not None and (alpha.shape != samples.shape[:2] or alpha.dtype != samples.dtype):
            raise PictureError(
                f"alpha is {alpha.dtype} {alpha.shape}: give {samples.dtype} {samples.shape[:2]} like the samples"
            )

    def __repr__(self) -> str:
        kind = ("grey" if self.grey else "RGB") + ("" if self.alpha is None else " with alpha")
        return f"Picture({self.width}x{self.height}, {kind}, {self.bit_depth} bit)"

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return int(self.samples.shape[0])

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return int(self.samples.shape[1])

    @property
    def grey(self) -> bool:
        """True where there is one channel."""
        return int(self.samples.shape[2]) == 1

    @property
    def bit_depth(self) -> int:
        """8 or 16: bits per sample."""
        return 8 * self.samples.dtype.itemsize

    def tensor(self, region: tuple[int, int, int, int] | None = None) -> torch.Tensor:
        """The samples as float32 (1, C, H, W) in [0, 1]; of `region` (top, left, height, width) alone where given.

        Examples:
            >>> Picture(np.full((2, 3, 1), 255, np.uint8)).tensor().shape
            torch.Size([1, 1, 2, 3])
        """
        import torch

        samples = self.samples
        if region is not None:
            top, left, height, width = region
            if min(top, left) < 0 or min(height, width) < 1 or top + height > self.height or left + width > self.width:
                raise PictureError(
                    f"region {region} (top, left, height, width) leaves the {self.width}x{self.height} picture"
                )
            samples = samples[top : top + height, left : left + width]
        planes = np.ascontiguousarray(samples.transpose(2, 0, 1)[None]).astype(np.float32)
        planes /= np.iinfo(samples.dtype).max
        return torch.from_numpy(planes)

    def without_idle_alpha(self) -> Picture:
        """The picture without an alpha that hides nothing; the picture itself where it hides something or is not there.

        Examples:
            >>> opaque = Picture(np.zeros((2, 2, 3), np.uint8), alpha=np.full((2, 2), 255, np.uint8))
            >>> opaque.without_idle_alpha().alpha is None
            True
        """
        if self.alpha is None or bool((self.alpha < np.iinfo(self.alpha.dtype).max).any()):
            return self
        return Picture(self.samples, None, self.exif, self.icc)

    def rgb(self) -> torch.Tensor:
        """The samples as float32 (1, 3, H, W) in [0, 1]: a grey picture three times over."""
        return self.tensor().expand(1, 3, -1, -1).contiguous()

    @staticmethod
    def from_tensor(values: torch.Tensor, bit_depth: int = 8, like: Picture | None = None) -> Picture:
        """Round a tensor (1, C, H, W) or (C, H, W) in [0, 1] to a picture; values outside are clipped.

        Args:
            values: floats of any kind, on any device; C is 1 or 3.
            bit_depth: 8 or 16.
            like: a picture whose EXIF and ICC profile, and alpha where the size is the same, the new one takes over.

        Raises:
            PictureError: the shape is another one, or a value is not finite.
        """
        if bit_depth not in _DTYPES:
            raise PictureError(f"bit_depth is {bit_depth}: give 8 or 16")
        if values.ndim == 4 and values.shape[0] == 1:
            values = values[0]
        if values.ndim != 3 or values.shape[0] not in (1, 3):
            raise PictureError(
                f"a tensor of shape {tuple(values.shape)} is no picture: give (1, 1 or 3, height, width)"
            )
        values = values.detach().float().cpu()
        if not bool(values.isfinite().all()):
            raise PictureError("the tensor has values that are not finite, so it makes no picture")
        levels = values.clamp(0, 1).mul(2**bit_depth - 1).round().permute(1, 2, 0).numpy()
        picture = Picture(np.ascontiguousarray(levels.astype(_DTYPES[bit_depth])))
        if like is None:
            return picture
        alpha = None
        if like.alpha is not None and like.alpha.shape == picture.samples.shape[:2]:
            alpha = like.with_depth(bit_depth).alpha
        return replace(picture, alpha=alpha, exif=like.exif, icc=like.icc)

    def with_depth(self, bit_depth: int) -> Picture:
        """The same picture in 8 or 16 bits per sample, rounded to the nearest level.

        Examples:
            >>> Picture(np.full((1, 1, 1), 255, np.uint8)).with_depth(16).samples.item()
            65535
        """
        if bit_depth not in _DTYPES:
            raise PictureError(f"bit_depth is {bit_depth}: give 8 or 16")
        if bit_depth == self.bit_depth:
            return self
        alpha = None if self.alpha is None else _converted(self.alpha, bit_depth)
        return replace(self, samples=_converted(self.samples, bit_depth), alpha=alpha)

    def to_pil(self) -> Image.Image:
        """The picture as a PIL image of 8 bits: mode L, LA, RGB or RGBA."""
        from PIL import Image

        eight = self.with_depth(8)
        planes = eight.samples if eight.alpha is None else np.dstack([eight.samples, eight.alpha])
        return Image.fromarray(planes[:, :, 0] if planes.shape[2] == 1 else np.ascontiguousarray(planes))


def _converted(levels: np.ndarray, bit_depth: int) -> np.ndarray:
    if bit_depth == 16:
        return levels.astype(np.uint16) * np.uint16(257)
    return ((levels.astype(np.uint32) + 128) // 257).astype(np.uint8)
