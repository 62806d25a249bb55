"""Any network that maps pictures to pictures, run in tiles: its scale and view are measured, not believed."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from unpool.errors import ModelError
from unpool.images.picture import Picture
from unpool.images.resampling import imresize
from unpool.images.tiles import receptive_field, spans, tiled
from unpool.nn.blocks import fuse
from unpool.zoo.runtime import inference, prepare

Progress = Callable[[int, int], None]
TILE = 384
_BAND = 16_000_000  # pixels of the result in one band; at least 32 rows of the input


class TiledNetwork:
    """A network that takes (N, 3, H, W) in [0, 1] and gives (N, 3, scale * H, scale * W).

    Attributes:
        scale: output pixels per input pixel, measured.
        multiple: the network's total stride, measured up to 32.
        margin: how many pixels away a pixel still matters, measured.

    Raises:
        ModelError: the module does not map pictures to pictures, or looks at whole pictures at once.
    """

    def __init__(self, module: nn.Module, device: torch.device) -> None:
        self.module, self.device = prepare(fuse(module), device), device
        try:
            self.scale = self._measured_scale()
            self.margin = receptive_field(self._exactly, 3, scale=self.scale)
            self.multiple = self._measured_stride()
            if self.multiple > 1:
                self.margin = receptive_field(self._exactly, 3, scale=self.scale, multiple=self.multiple)
        except (RuntimeError, ValueError, TypeError) as error:
            raise ModelError(f"this network cannot restore pictures: {error}") from None

    def __call__(self, picture: Tensor, strength: float = 0.0) -> Tensor:
        """(N, 1 or 3, H, W) float32 in [0, 1], of any size, to (N, same, scale * H, scale * W); in tiles."""
        return self._mend(picture, strength, (TILE, TILE))

    def _mend(self, picture: Tensor, strength: float, tile: tuple[int, int]) -> Tensor:
        with inference(self.device):
            return tiled(
                lambda piece: self._piece(piece, strength),
                picture,
                scale=self.scale,
                tile=tile,
                margin=self._view(strength),
                multiple=self.multiple,
            )

    def _view(self, strength: float) -> int:
        """How far a pixel reaches: twice as far where the network runs twice, and a little further for the detail."""
        if not strength:
            return self.margin
        return self.margin * (2 if self.scale == 1 else 1) + 4

    def _piece(self, piece: Tensor, strength: float) -> Tensor:
        channels = piece.shape[1]
        rgb = piece.expand(-1, 3, -1, -1).to(self.device, memory_format=torch.channels_last)
        mended = self.module(rgb)
        if strength and self.scale == 1:
            mended = mended + strength * (self.module(mended) - mended)
        mended = mended.float().cpu()
        if strength:
            mended = mended + strength * _detail(mended)
        return mended.mean(1, keepdim=True) if channels == 1 else mended

    def bands(
        self, picture: Picture, *, strength: float = 0.0, progress: Progress | None = None
    ) -> Iterator[np.ndarray]:
        """The restored picture from top to bottom, as (rows, W, channels) of the picture's own integer type.

        The last channel is the alpha channel where there is one: enlarged on its own, and left alone at scale 1.
        Memory: the picture, and one band.
        """
        levels = np.iinfo(picture.samples.dtype).max
        tall = max(32, min(TILE, _BAND // (picture.width * self.scale**2)))
        cut = spans(picture.height, tall, self._view(strength), self.multiple)
        for number, rows in enumerate(cut):
            region = (rows.start, 0, rows.stop - rows.start, picture.width)
            keep = slice((rows.first - rows.start) * self.scale, (rows.last - rows.start) * self.scale)
            planes = [self._mend(picture.tensor(region), strength, (region[2], TILE))[0, :, keep]]
            if picture.alpha is not None:
                alpha = Picture(picture.alpha[rows.start : rows.stop, :, None]).tensor()
                enlarged = self._mend(alpha, 0.0, (region[2], TILE)) if self.scale > 1 else alpha
                planes.append(enlarged[0, :, keep])
            band = torch.cat(planes)
            if not bool(band.isfinite().all()):
                raise ModelError("the network answered with values that are not finite; the picture was not restored")
            yield band.clamp_(0, 1).mul_(levels).round_().permute(1, 2, 0).numpy().astype(picture.samples.dtype)
            if progress is not None:
                progress(number + 1, len(cut))

    def _exactly(self, picture: Tensor) -> Tensor:
        """The bare network in float32, on the measuring probes."""
        with inference(self.device, exact=True):
            return self.module(picture.to(self.device)).cpu()

    def _measured_scale(self) -> int:
        out = self._exactly(torch.zeros(1, 3, 32, 64))
        scale = out.shape[-2] // 32
        if out.ndim != 4 or out.shape != (1, 3, 32 * scale, 64 * scale) or scale < 1:
            raise ValueError(f"it maps (1, 3, 32, 64) to {tuple(out.shape)}, not to 3 channels and a whole factor")
        return scale

    def _measured_stride(self) -> int:
        """The smallest shift of the input that only shifts the output."""
        generator = torch.Generator().manual_seed(0)
        side = 2 * (self.margin + 32) + 16  # so that no border reaches the middle, shifted or not
        probe = torch.rand(1, 3, side, side, generator=generator)
        whole = self._exactly(probe)
        for multiple in (1, 2, 4, 8, 16, 32):
            moved = self._exactly(probe[..., multiple:, multiple:])
            middle = slice(side // 2 * self.scale, (side // 2 + 8) * self.scale)
            shifted = slice(middle.start - multiple * self.scale, middle.stop - multiple * self.scale)
            if torch.allclose(whole[..., middle, middle], moved[..., shifted, shifted], atol=1e-4):
                return multiple
        raise ValueError("its answer depends on where in the picture a thing stands, so it cannot run in tiles")


class Shrunk(nn.Module):
    """A network of factor `larger` made one of a smaller factor: its answer is shrunk, bicubically and antialiased."""

    def __init__(self, network: nn.Module, larger: int, factor: int) -> None:
        super().__init__()
        self.network, self.share = network, factor / larger

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 3, factor * H, factor * W)."""
        return imresize(self.network(x), self.share)


def _detail(picture: Tensor) -> Tensor:
    """What a 5x5 binomial blur takes away, (N, C, H, W): the finest detail."""
    line = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    n, c, h, w = picture.shape
    padded = torch.nn.functional.pad(picture.reshape(n * c, 1, h, w), (2, 2, 2, 2), mode="replicate")
    blurred = torch.nn.functional.conv2d(padded, torch.outer(line, line)[None, None])
    return picture - blurred.view(picture.shape)
