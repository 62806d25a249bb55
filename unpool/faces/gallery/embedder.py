"""What a gallery needs of a network: the faces of a picture, as unit vectors with a quality."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from unpool.errors import GalleryError
from unpool.faces.gallery.calibration import Calibration
from unpool.faces.gallery.store import Identity, unit
from unpool.images.picture import Picture


@dataclass(frozen=True, eq=False)
class Seen:
    """A face as a network saw it.

    Attributes:
        embedding: (D,) float32, unit length.
        quality: weight among several pictures of a person, above 0.
        box: left, top, right, bottom in pixels, or None.
        reason: why the face should not be used, or None.
    """

    embedding: np.ndarray
    quality: float = 1.0
    box: tuple[float, float, float, float] | None = None
    reason: str | None = None


class Embedder(Protocol):
    """A network that finds and describes faces."""

    identity: Identity
    calibration: Calibration | None

    def faces(self, picture: Picture) -> list[Seen]:
        """Every face of a picture, the most prominent first."""
        ...


class CallableEmbedder:
    """Anyone's network as an embedder: one picture in, one vector out; every picture counts as one face.

    Raises:
        GalleryError: the callable gives anything else than a vector of finite numbers.
    """

    def __init__(self, function: Callable[[Picture], Any]) -> None:
        self._function = function
        name = getattr(function, "name", None) or getattr(function, "__qualname__", type(function).__qualname__)
        probe = np.asarray(function(Picture(np.full((112, 112, 3), 128, np.uint8))), np.float32)
        if probe.ndim != 1 or not len(probe):
            raise GalleryError(f"the embedder gives an array of shape {probe.shape}: it should give one vector")
        self.identity = Identity(str(name), len(probe))
        self.calibration: Calibration | None = getattr(function, "calibration", None)

    def faces(self, picture: Picture) -> list[Seen]:
        return [Seen(unit(np.asarray(self._function(picture), np.float32), self.identity.dimension))]


def as_embedder(embedder: Any) -> Embedder:
    """An `Embedder` from None (unpool's own recogniser), a callable, or an embedder."""
    if embedder is None:
        from unpool.faces.api import gallery_embedder

        return gallery_embedder()
    if hasattr(embedder, "faces") and hasattr(embedder, "identity"):
        return embedder
    if callable(embedder):
        return CallableEmbedder(embedder)
    raise GalleryError(f"{type(embedder).__name__} is no embedder: give a function from a picture to a vector")
