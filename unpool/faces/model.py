"""One network that recognises and restores a face: an encoder, a head for the embedding, a deconvolutional decoder."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unpool.nn.blocks import Residual
from unpool.nn.conv import conv
from unpool.nn.deconv import Upsample

SIZE = 112  # height and width of the network's input
_WINDOW = (16, 4, 104)  # what the encoder looks at: top, left and side in the input (8 rows below it are black)
_INNER = 144  # the window enlarged to this size, at which the encoder's filters know a face
_LEAK = 0.2  # of the decoder: plain rectifiers died there in training
_MEAN = (122.782, 117.001, 104.298)  # of red, green, blue in 0..255: what the encoder's first layer was made for


class Block(nn.Module):
    """relu(shortcut + branch), (N, in, H, W) -> (N, out, H', W'); no normalisation.

    The branch is two 3x3 convolutions with a rectifier between them. The shortcut has no weights: it is averaged where
    the stride is 2 (H' = H // 2) and filled up with zeros where channels are added (He et al. 2016, option A).

    middle: channels between the two convolutions.
    """

    def __init__(self, *, in_channels: int, out_channels: int, stride: int = 1, middle: int | None = None) -> None:
        super().__init__()
        middle = middle or out_channels
        self.stride, self.extra = stride, out_channels - in_channels
        self.first = conv(
            in_channels=in_channels, out_channels=middle, stride=stride, padding=0 if stride > 1 else 1, gain=2**0.5
        )
        self.second = conv(in_channels=middle, out_channels=out_channels, gain=0.3)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in, H, W) -> (N, out, H // stride, W // stride)."""
        shortcut = x
        if self.stride > 1:
            shortcut = F.avg_pool2d(x, 2, 2)
            x = F.pad(x, (0, 1 - x.shape[3] % 2, 0, 1 - x.shape[2] % 2))
        if self.extra:
            shortcut = F.pad(shortcut, (0, 0, 0, 0, 0, self.extra))
        return F.relu(self.second(F.relu(self.first(x))) + shortcut)


class Encoder(nn.Module):
    """A face to maps of features, coarser and coarser: a residual network without normalisation.

    widths, depths: channels and blocks of each stage; middles: channels inside a stage's blocks. All stages but the
    first begin by halving the map.
    """

    def __init__(self, *, widths: Sequence[int], depths: Sequence[int], middles: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.mean: Tensor
        self.stem = conv(in_channels=3, out_channels=widths[0], kernel=7, stride=2, padding=0, gain=2**0.5)
        self.stages = nn.ModuleList()
        before = widths[0]
        for level, (width, depth, middle) in enumerate(zip(widths, depths, middles)):
            blocks = [Block(in_channels=before, out_channels=width, stride=2 if level else 1, middle=middle)]
            blocks += [Block(in_channels=width, out_channels=width, middle=middle) for _ in range(depth - 1)]
            self.stages.append(nn.Sequential(*blocks))
            before = width

    def forward(self, picture: Tensor, stages: int | None = None) -> list[Tensor]:
        """(N, 3, 112, 112) in [0, 1] -> the stages' maps: (N, widths[i], 36 / 2^i, 36 / 2^i), rounded down.

        stages: how many of the stages to compute; None is all.
        """
        top, left, side = _WINDOW
        seen = F.pad(picture[:, :, top:, left : left + side], (0, 0, 0, top + side - SIZE))
        return self.maps(F.interpolate(seen, (_INNER, _INNER), mode="bilinear", align_corners=False), stages)[1:]

    def maps(self, picture: Tensor, stages: int | None = None) -> list[Tensor]:
        """Any picture (N, 3, H, W) in [0, 1] -> the stem's map, at half the size, and those of the stages, as above."""
        x = F.relu(self.stem(F.pad((picture * 255 - self.mean) / 256, (2, 3, 2, 3))))
        maps = [x]
        x = F.max_pool2d(F.pad(x, (0, 1, 0, 1)), 3, 2)
        for stage in list(self.stages)[:stages]:
            x = stage(x)
            maps.append(x)
        return maps

    def finish(self, features: Tensor, stages: int) -> Tensor:
        """The map after the first `stages` stages -> the last map."""
        for stage in list(self.stages)[stages:]:
            features = stage(features)
        return features


def placed(features: Tensor, cells: int) -> Tensor:
    """A map of the encoder's window, (N, C, h, h), as (N, C, cells, cells) over the whole input; zero outside it."""
    top, left, side = _WINDOW
    half = SIZE / side
    theta = features.new_tensor(
        [[half, 0.0, (SIZE - 2 * left - side) / side], [0.0, half, (SIZE - 2 * top - side) / side]]
    )
    grid = F.affine_grid(theta.expand(len(features), 2, 3), [len(features), 1, cells, cells], align_corners=False)
    return F.grid_sample(features, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


class Head(nn.Module):
    """The last map to an embedding and a quality.

    Every channel is weighed over the map by its own weights (a global depthwise convolution; Chen et al. 2018), then a
    linear layer makes the embedding. The quality is what the network expects its embedding to be worth; it learns from
    features that it does not change.
    """

    def __init__(self, *, channels: int, cells: int, embedding: int) -> None:
        super().__init__()
        self.weigh = conv(
            in_channels=channels, out_channels=channels, kernel=cells, padding=0, groups=channels, bias=False
        )
        nn.init.constant_(self.weigh.weight, 1 / cells**2)
        self.embed = nn.Linear(channels, embedding)
        self.judge = nn.Sequential(nn.Linear(channels, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(N, channels, cells, cells) -> unit embedding (N, embedding), quality's logit (N,)."""
        pooled = self.weigh(features).flatten(1)
        # In float32: of unit length to three digits only, as bfloat16 has it, a face would not be like itself.
        return F.normalize(self.embed(pooled).float()), self.judge(pooled.detach())[:, 0].float()


class Mixing(nn.Module):
    """x + a dense layer over all positions, the same for every channel: (N, C, h, w) -> (N, C, h, w).

    Aligned faces have their parts at known places, so what one place shows tells of every other (Tolstikhin et al.
    2021, token mixing). It begins as the identity.

    cells: h * w.
    """

    def __init__(self, *, cells: int) -> None:
        super().__init__()
        self.dense = nn.Linear(cells, cells)
        nn.init.zeros_(self.dense.weight)
        nn.init.zeros_(self.dense.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return x + self.dense(x.flatten(2)).view_as(x)


class Decoder(nn.Module):
    """Maps and embedding back to a face, by deconvolutions that cannot make checkerboards.

    It adds to the input what the features say is missing; finer maps and the input itself come in on the way up. At 14
    cells a side it knows where in the face it is, and every place tells every other.

    maps: channels of the encoder's first three maps; widths: channels at 14, 28 and 56 cells a side.
    """

    def __init__(self, *, maps: Sequence[int], embedding: int, widths: Sequence[int]) -> None:
        super().__init__()
        coarse, middle, fine = widths
        self.believe = nn.Linear(embedding, coarse)
        self.lateral = nn.ModuleList(
            conv(in_channels=cin, out_channels=cout, kernel=1) for cin, cout in zip(maps, (middle, coarse, coarse))
        )
        self.place = nn.Parameter(torch.zeros(1, coarse, SIZE // 8, SIZE // 8))
        self.mix = nn.Sequential(
            *[layer for _ in range(2) for layer in (Mixing(cells=(SIZE // 8) ** 2), Residual(channels=coarse))]
        )
        self.enter = conv(in_channels=3, out_channels=fine, stride=2)
        self.up = nn.ModuleList(
            Upsample(in_channels=cin, out_channels=cout) for cin, cout in ((coarse, middle), (middle, fine))
        )
        self.refine = nn.ModuleList(Residual(channels=width) for width in (middle, fine))
        self.out = Upsample(in_channels=fine, out_channels=3, gain=0.0)

    def forward(self, picture: Tensor, maps: Sequence[Tensor], embedding: Tensor) -> Tensor:
        """Picture (N, 3, 112, 112), the encoder's maps, unit embedding (N, E) -> restored face (N, 3, 112, 112)."""
        first, second, third = (lateral(one) for lateral, one in zip(self.lateral, maps))
        x = placed(second, SIZE // 8) + placed(third, SIZE // 8) + self.believe(embedding)[:, :, None, None]
        x = self.mix(F.leaky_relu(x + self.place, _LEAK))
        for up, refine, side in zip(self.up, self.refine, (placed(first, SIZE // 4), self.enter(picture))):
            x = refine(F.leaky_relu(up(x) + side, _LEAK))
        return picture + self.out(x)


class FaceNetwork(nn.Module):
    """Recognises and restores a 112x112 face of any sharpness, aligned to the standard template.

    `forward` recognises; `restore` gives the face the network believes in; `both` shares the encoder's work.
    """

    def __init__(
        self,
        *,
        widths: Sequence[int] = (32, 64, 128, 256, 256),
        depths: Sequence[int] = (3, 4, 3, 2, 1),
        middles: Sequence[int] = (32, 64, 128, 64, 48),
        embedding: int = 256,
        decoder: Sequence[int] = (64, 32, 16),
    ) -> None:
        super().__init__()
        self.encoder = Encoder(widths=widths, depths=depths, middles=middles)
        self.head = Head(channels=widths[-1], cells=_INNER // 2 ** (len(widths) + 1), embedding=embedding)
        self.decoder = Decoder(maps=widths[:3], embedding=embedding, widths=decoder)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, 112, 112) in [0, 1] -> unit embedding (N, E), quality (N,) in [0, 1]."""
        embedding, logit = self.head(self.encoder(picture)[-1])
        return embedding, logit.sigmoid()

    def restore(self, picture: Tensor) -> Tensor:
        """(N, 3, 112, 112) in [0, 1] -> the restored face (N, 3, 112, 112), not clipped."""
        return self.both(picture)[2]

    def both(self, picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, 3, 112, 112) -> unit embedding (N, E), quality's logit (N,), restored face (N, 3, 112, 112)."""
        maps = self.encoder(picture)
        embedding, logit = self.head(maps[-1])
        return embedding, logit, self.decoder(picture, maps, embedding)
