"""The classical peers, by library: kernels that enlarge, deconvolution with a known blur, similar patches."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from unpool.errors import MissingExtraError, UnpoolError
from unpool.images.blurring import gaussian_kernel, motion_kernel
from unpool.images.resampling import imresize


@dataclass(frozen=True)
class Settings:
    """What a classical method is told, where the networks find out for themselves.

    scale: factor of enlargement. sigma: standard deviation of the noise on 0..255. blur: sigma of a Gaussian blur in
    pixels. motion: (length, angle) of a straight motion blur instead. iterations: of Richardson-Lucy.
    """

    scale: float = 1.0
    sigma: float | None = None
    blur: float | None = None
    motion: tuple[float, float] | None = None
    iterations: int = 30

    def kernel(self) -> np.ndarray:
        """The known blur, (K, K) summing to one."""
        if self.motion is not None:
            return motion_kernel(*self.motion).numpy()
        if self.blur is None:
            raise UnpoolError("deconvolution needs the blur: give --blur SIGMA or --motion LENGTH,ANGLE")
        return gaussian_kernel(self.blur).numpy()

    def noise(self) -> float:
        """The noise on 0..1."""
        if self.sigma is None:
            raise UnpoolError("this method needs the noise: give --sigma (0 to 255)")
        return self.sigma / 255


def _enlarge(kernel: str) -> Callable[[np.ndarray, Settings], np.ndarray]:
    def enlarge(planes: np.ndarray, settings: Settings) -> np.ndarray:
        return imresize(torch.from_numpy(planes)[None], settings.scale, kernel=kernel)[0].numpy()

    return enlarge


def _deconvolve(
    planes: np.ndarray, settings: Settings, method: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    """Each channel on its own, with mirrored borders as wide as the kernel."""
    kernel = settings.kernel()
    edge = kernel.shape[0]
    padded = np.pad(planes, ((0, 0), (edge, edge), (edge, edge)), mode="symmetric")
    return np.stack([method(plane, kernel) for plane in padded])[:, edge:-edge, edge:-edge]


def _wiener(planes: np.ndarray, settings: Settings) -> np.ndarray:
    from skimage.restoration import wiener

    balance = 0.003 * max(settings.sigma or 1.0, 1.0) ** 2  # larger rings less, and leaves more blur
    return _deconvolve(planes, settings, lambda plane, kernel: wiener(plane, kernel, balance, clip=False))


def _richardson_lucy(planes: np.ndarray, settings: Settings) -> np.ndarray:
    from skimage.restoration import richardson_lucy

    def one(plane: np.ndarray, kernel: np.ndarray) -> np.ndarray:
        return richardson_lucy(plane, kernel, num_iter=settings.iterations, filter_epsilon=1e-6)

    return _deconvolve(planes, settings, one)


def _non_local_means(planes: np.ndarray, settings: Settings) -> np.ndarray:
    from skimage.restoration import denoise_nl_means

    sigma = settings.noise()
    mended = denoise_nl_means(
        planes.transpose(1, 2, 0), patch_size=5, patch_distance=6, h=0.6 * sigma, sigma=sigma, channel_axis=-1
    )
    height, width = planes.shape[1:]
    return mended.reshape(height, width, -1).transpose(2, 0, 1)  # scikit-image leaves out axes of length 1


def _bm3d(planes: np.ndarray, settings: Settings) -> np.ndarray:
    try:
        import bm3d
    except ImportError:
        raise MissingExtraError("BM3D", "bench") from None
    if len(planes) == 1:
        return bm3d.bm3d(planes[0], settings.noise())[None]
    return bm3d.bm3d_rgb(planes.transpose(1, 2, 0), settings.noise()).transpose(2, 0, 1)


METHODS: dict[str, Callable[[np.ndarray, Settings], np.ndarray]] = {
    "bicubic": _enlarge("bicubic"),
    "lanczos": _enlarge("lanczos"),
    "wiener": _wiener,
    "richardson-lucy": _richardson_lucy,
    "nlm": _non_local_means,
    "bm3d": _bm3d,
}


def run(method: str, picture: Tensor, settings: Settings) -> Tensor:
    """Mend (N, C, H, W) in [0, 1] by a classical method; the result is not clipped.

    Raises:
        UnpoolError: an unknown method, or one that was not told what it needs.
    """
    if method not in METHODS:
        raise UnpoolError(f"there is no method {method!r}; there are: network, {', '.join(METHODS)}")
    planes = [METHODS[method](one.double().numpy(), settings) for one in picture]
    return torch.from_numpy(np.stack(planes)).float()
