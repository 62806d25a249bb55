"""Why two faces match or do not: what the network looked at in each, and the faces it believed in."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from unpool.explanation.api import Similarity, explain
from unpool.faces.api import Embedded, Recogniser, Verification
from unpool.faces.model import FaceNetwork
from unpool.images.page import Page
from unpool.images.picture import Picture


class EmbeddingAlone(nn.Module):
    """The recogniser without its quality: (N, 3, 112, 112) in [0, 1] -> unit embedding (N, 256)."""

    def __init__(self, network: FaceNetwork) -> None:
        super().__init__()
        self.encoder, self.head = network.encoder, network.head

    def forward(self, picture: Tensor) -> Tensor:
        """(N, 3, 112, 112) -> (N, 256)."""
        return self.head(self.encoder(picture)[-1])[0]


@dataclass(frozen=True, eq=False)
class Shown:
    """A face of a comparison: as it was cut, as the network restores it if it can, what made it resemble the other."""

    crop: Picture
    restored: Picture | None
    similarity: Picture


def why(recogniser: Recogniser, verification: Verification, method: str = "smoothgrad") -> tuple[Shown, Shown]:
    """What the recogniser saw of both faces, and where it saw the likeness.

    method: one of the explanation wing's.
    """
    network = EmbeddingAlone(recogniser.module).eval()
    one, other = verification.first, verification.second
    return _shown(recogniser, network, one, other, method), _shown(recogniser, network, other, one, method)


def _shown(recogniser: Recogniser, network: nn.Module, face: Embedded, other: Embedded, method: str) -> Shown:
    target = Similarity(torch.from_numpy(other.embedding))
    explained = explain(network, face.crop, target=target, method=method)
    restored = Picture.from_tensor(recogniser.restore_crops(face.crop)) if recogniser.restores else None
    return Shown(Picture.from_tensor(face.crop), restored, explained.picture("overlay"))


def why_page(recogniser: Recogniser, verification: Verification, names: tuple[str, str]) -> Page:
    """A page that shows a comparison: crops, restored faces, and maps of the similarity."""
    answer = "the same person" if verification.same else "not shown to be the same person"
    page = Page("Are these one person?", f"Answer: {answer}. {verification.reason or ''}")
    page.table(
        [
            ("similarity", verification.similarity),
            ("threshold", verification.threshold),
            ("probability, both answers taken as equally likely before", verification.probability),
            *(
                (f"quality of {name}", face.quality)
                for name, face in zip(names, (verification.first, verification.second))
            ),
        ],
        header=("", "value"),
    )
    for name, shown in zip(names, why(recogniser, verification)):
        page.section(name)
        page.figure(
            [
                (shown.crop, "aligned\nwhat the network was given"),
                *([(shown.restored, "restored\nthe face it believed in")] if shown.restored else []),
                (shown.similarity, "similarity\nwhat made it resemble the other (SmoothGrad)"),
            ],
            size="small",
        )
    return page
