"""`classic/face-deconv`: faces recognised and given back by one small network, trained for both at once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unpool.images.metrics import psnr_rgb
from unpool.nn.conv import conv
from unpool.nn.deconv import PlainDeconv
from unpool.train.data.faces import faces
from unpool.train.data.split import in_held_out
from unpool.train.task import Loss, Options, Task

_CELLS = 8  # a side of the grid that the naming head looks at


class FaceDeconv(nn.Module):
    """Convolutions 32 and 64 (3x3), a head that names people, deconvolutions 32 and 64, a head that draws the picture.

    The naming head looks at features averaged to 8x8 cells: flattened as they are, 60x60x64 of them would need 46
    million weights for 200 people. With `people=0` there is none.
    """

    def __init__(self, *, channels: tuple[int, int] = (32, 64), people: int = 0) -> None:
        super().__init__()
        narrow, wide = channels
        relu = 2**0.5
        self.encoder = nn.Sequential(
            conv(in_channels=3, out_channels=narrow, gain=relu),
            nn.ReLU(),
            conv(in_channels=narrow, out_channels=wide, gain=relu),
            nn.ReLU(),
        )
        self.decoder = nn.Sequential(
            PlainDeconv(in_channels=wide, out_channels=narrow, stride=1, kernel=3, gain=relu),
            nn.ReLU(),
            PlainDeconv(in_channels=narrow, out_channels=wide, stride=1, kernel=3, gain=relu),
            nn.ReLU(),
            conv(in_channels=wide, out_channels=3),
        )
        self.head = nn.Linear(wide * _CELLS**2, people) if people else None

    def forward(self, picture: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] -> its reconstruction, the same shape."""
        return self.decoder(self.encoder(picture))

    def both(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, H, W) in [0, 1] -> its reconstruction, and logits (N, people)."""
        if self.head is None:
            raise ValueError("this network was made without people to name")
        features = self.encoder(picture)
        return self.decoder(features), self.head(F.adaptive_avg_pool2d(features, _CELLS).flatten(1))


class FaceSamples:
    """Faces with a number for each person: `picture` (3, 64, 64) float32 in [0, 1], mirrored by chance, and `label`."""

    def __init__(self, pack: Any, indices: np.ndarray, people: np.ndarray) -> None:
        self.pack, self.indices = pack, indices
        self.labels = np.searchsorted(people, pack.labels[indices])

    def __len__(self) -> int:
        return len(self.indices)

    def name(self, index: int) -> str:
        """The picture's set and file name."""
        return self.pack.names[self.indices[index]]

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
        """One face."""
        picture = self.pack[self.indices[index]][:, :: 1 - 2 * int(rng.integers(2))]
        return {"picture": _float(picture), "label": self.labels[index]}


def _float(samples: np.ndarray) -> np.ndarray:
    return samples.transpose(2, 0, 1).astype(np.float32) / 255


class FaceOptions(Options):
    """Which set the faces come from, and what naming counts for beside reconstruction."""

    source: str = "celeba_aligned"
    naming: float = 0.02


class TrainFaceDeconv(Task):
    """Train a `FaceDeconv`: held-out pictures of the same people for the head, held-out people for reconstruction."""

    Options: ClassVar[type[Options]] = FaceOptions
    input_range: ClassVar = {"picture": (0.0, 1.0)}

    def __init__(self, options: FaceOptions, data: Path | None = None) -> None:
        super().__init__(options, data)
        self.pack = faces(64, data)
        known = self.pack.where(source=options.source, part="train")
        apart = np.array([in_held_out(self.pack.names[i], 0.1) for i in known])
        self.train, self.other_pictures = known[~apart], known[apart]
        self.other_people = self.pack.where(source=options.source, part="held-out")
        self.people = np.unique(self.pack.labels[known])
        self.network = FaceDeconv(people=len(self.people))
        self.networks = {"network": self.network}
        self.optimisers = {"network": ["network"]}

    def dataset(self) -> FaceSamples:
        """Nine tenths of the pictures of the people that train."""
        return FaceSamples(self.pack, self.train, self.people)

    def losses(self, batch: dict[str, Tensor], step: int, generator: torch.Generator) -> Iterator[Loss]:
        """Mean squared error, and cross-entropy of the names with its weight."""
        again, logits = self.network.both(batch["picture"])
        error = (again - batch["picture"]).square().mean()
        naming = F.cross_entropy(logits, batch["label"])
        yield Loss("network", error + self.options.naming * naming, {"mse": error, "naming": naming})

    def evaluate(self) -> dict[str, float]:
        """PSNR on people never seen, and how many held-out pictures of the known people get the right name."""
        decibels = [psnr_rgb(self._run(x)[0].clamp(0, 1), x) for x, _ in self._batches(self.other_people[:256])]
        right = [self._run(x)[1].argmax(1) == y for x, y in self._batches(self.other_pictures)]
        self.figures = {
            "psnr_rgb": float(torch.cat(decibels).mean()),
            "named_right": float(torch.cat(right).float().mean()),
            "people": float(len(self.people)),
        }
        return self.figures

    def _run(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        again, logits = self.network.both(picture.to(self.device))
        return again.cpu(), logits.cpu()

    def _batches(self, indices: np.ndarray) -> Iterator[tuple[Tensor, Tensor]]:
        for start in range(0, len(indices), 32):
            some = indices[start : start + 32]
            pictures = torch.from_numpy(np.stack([_float(self.pack[i]) for i in some]))
            yield pictures, torch.from_numpy(np.searchsorted(self.people, self.pack.labels[some]))

    def export(self) -> nn.Module:
        """The network without the head that names people."""
        bare = FaceDeconv()
        whole = self.network.state_dict()
        bare.load_state_dict({name: value for name, value in whole.items() if not name.startswith("head.")})
        return bare

    def record(self) -> dict[str, Any]:
        """Names and licences for the weight file."""
        return {
            "network": "unpool.faces.classic:FaceDeconv",
            "preprocessing": {"size": (64, 64)},
            "data_licence": "research only",
            "headline": f"{self.figures['psnr_rgb']:.2f} dB on people never seen",
            "notes": "Trained jointly with a head that names people, which does not ship.",
        }
