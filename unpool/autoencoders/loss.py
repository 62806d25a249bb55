"""What a reconstruction is trained for."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

RECONSTRUCTION = ("mse", "log-mse", "cross-entropy", "structural", "perceptual")
_PER_MILLE = 1e-3


def mean_squared_error(reconstruction: Tensor, picture: Tensor) -> Tensor:
    """Mean of squared differences, a scalar."""
    return F.mse_loss(reconstruction, picture)


def log_mean_squared_error(reconstruction: Tensor, picture: Tensor) -> Tensor:
    """Mean over pictures of the natural logarithm of each one's mean squared error, a scalar: PSNR but for a factor."""
    errors = (reconstruction - picture).square().flatten(1).mean(1)
    return torch.log(errors + 1e-6).mean()


def cross_entropy(reconstruction: Tensor, picture: Tensor) -> Tensor:
    """-[x log p + (1 - x) log(1 - p)], mean over values; x the picture in [0, 1], p the reconstruction.

    p is kept within 1/1000 of the ends by a map with a slope everywhere, so that a value outside [0, 1] is pulled back.
    """
    inside = reconstruction.clamp(_PER_MILLE, 1 - _PER_MILLE)
    outside = (reconstruction - inside).abs().mean() / _PER_MILLE
    return F.binary_cross_entropy(inside, picture.clamp(0, 1)) + outside


def structural(reconstruction: Tensor, picture: Tensor) -> Tensor:
    """1 - SSIM over 8x8 box windows of every channel (Wang et al. 2004), a scalar; sides of at least 8 pixels."""

    def window(values: Tensor) -> Tensor:
        return F.avg_pool2d(values, 8, stride=4)

    mean_a, mean_b = window(reconstruction), window(picture)
    variance_a = window(reconstruction.square()) - mean_a.square()
    variance_b = window(picture.square()) - mean_b.square()
    covariance = window(reconstruction * picture) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + 1e-4) / (mean_a.square() + mean_b.square() + 1e-4)
    contrast = (2 * covariance + 9e-4) / (variance_a + variance_b + 9e-4)
    return 1 - (luminance * contrast).mean()


def likeness(code: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of the cosines of all pairs in a batch, of codes (N, code) and of a teacher's unit
    vectors (N, T), a scalar (Park et al. 2019).
    """
    unit = F.normalize(code, dim=1)
    return (unit @ unit.T - teacher @ teacher.T).square().mean()


class Perceptual(nn.Module):
    """Mean squared difference of a frozen classifier's features (Johnson et al. 2016); here of EfficientNet-Lite0.

    Figures made with it compare only with themselves: other papers take VGG's features.

    classifier: the network (its `_conv_stem`, `_bn0` and `_blocks` are used).
    depth: blocks of which the outputs are compared.
    """

    def __init__(self, classifier: nn.Module, *, depth: tuple[int, ...] = (0, 2, 4)) -> None:
        super().__init__()
        self.__dict__["classifier"] = classifier.eval().requires_grad_(False)  # not a child: it is not trained or saved
        self.depth = depth

    def features(self, picture: Tensor) -> list[Tensor]:
        """(N, 3, H, W) in [0, 1] -> the compared features, each of unit length over channels."""
        network = self.__dict__["classifier"]
        x = network._swish(network._bn0(network._conv_stem((picture * 255 - 127) / 128)))
        outputs = []
        for number, block in enumerate(network._blocks[: max(self.depth) + 1]):
            x = block(x)
            if number in self.depth:
                outputs.append(F.normalize(x, dim=1))
        return outputs

    def forward(self, reconstruction: Tensor, picture: Tensor) -> Tensor:
        """Two (N, 3, H, W) in [0, 1] -> a scalar."""
        with torch.no_grad():
            wanted = self.features(picture)
        pairs = zip(self.features(reconstruction), wanted)
        return torch.stack([(a - b).square().sum(1).mean() for a, b in pairs]).mean()
