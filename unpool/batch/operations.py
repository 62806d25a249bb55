"""What is done to each picture: a wing's verb with its model loaded once, a picture in, bytes and facts out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa

from unpool.errors import ModelError
from unpool.images.picture import Picture
from unpool.images.reading import read
from unpool.images.writing import to_bytes


class Done(NamedTuple):
    """result: the bytes of a file, where there is one. facts: values of the operation's own columns."""

    result: bytes | None
    facts: dict[str, Any]


class Restore:
    """Larger, cleaner, sharper pictures; options as for `unpool.restore`, and `format`, a suffix such as ".png"."""

    columns: ClassVar = [("steps", pa.string())]

    def __init__(self, device: str, *, format: str = ".png", max_pixels: int, **options: Any) -> None:
        from unpool.restoration.api import restore
        from unpool.zoo.weights import load_module, read_record, shipped

        self.restore, self.suffix, self.max_pixels = restore, format, max_pixels
        self.options = options | {"device": device}
        if options.get("model"):
            records = [load_module(options["model"])[1]]
        else:
            records = [read_record(path) for name, path in shipped().items() if name.startswith("restoration/")]
        self.identity = " ".join((record.sha256 or "")[:12] for record in records)

    def __call__(self, source: Path | bytes) -> Done:
        done = self.restore(read(source, max_pixels=self.max_pixels), **self.options)
        return Done(to_bytes(done.picture, self.suffix), {"steps": " + ".join(done.steps)})


class Compress:
    """`.unp` files; options as for `unpool.compress`."""

    columns: ClassVar = [("bytes", pa.int64()), ("bits_per_pixel", pa.float64())]
    suffix = ".unp"

    def __init__(self, device: str, *, max_pixels: int, **options: Any) -> None:
        from unpool.codec.api import compress, load_codec

        self.compress, self.max_pixels = compress, max_pixels
        self.options = options | {"device": device}
        self.identity = "" if options.get("lossless") else load_codec(device=device).identity.hex()

    def __call__(self, source: Path | bytes) -> Done:
        picture = read(source, max_pixels=self.max_pixels)
        data = self.compress(picture, **self.options)
        rate = 8 * len(data) / (picture.height * picture.width)
        return Done(data, {"bytes": len(data), "bits_per_pixel": rate})


class Embed:
    """Codes: an autoencoder's, with the error of decoding them again; or a face recogniser's, with their quality."""

    suffix = None

    def __init__(self, device: str, *, model: str, align: bool = False, max_pixels: int) -> None:
        from unpool.autoencoders.api import Coder
        from unpool.faces.api import Recogniser, loaded

        # `loaded` keeps what it loads, so that `embed` below finds it.
        self.predictor, self.model, self.align, self.max_pixels = loaded(model, device), model, align, max_pixels
        if not isinstance(self.predictor, Coder | Recogniser):
            raise ModelError(f"{model} gives no codes: name one of autoencoders/, or faces/recogniser")
        self.of_faces = isinstance(self.predictor, Recogniser)
        self.device, self.identity = device, self.predictor.record.sha256 or ""
        self.columns = [("code", pa.list_(pa.float32())), ("quality" if self.of_faces else "mse", pa.float64())]

    def __call__(self, source: Path | bytes) -> Done:
        picture = read(source, max_pixels=self.max_pixels)
        if self.of_faces:
            from unpool.faces.api import embed

            face = embed(picture, model=self.model, device=self.device)
            return Done(None, {"code": face.embedding.tolist(), "quality": face.quality})
        coder = self.predictor
        prepared = coder.prepare(coder.face_of(picture) if self.align else picture)
        code = coder.encode(prepared)[0].astype(np.float32)
        return Done(None, {"code": code.tolist(), "mse": float(coder.error(prepared)[0])})


class Explain:
    """Maps of what a network saw; options as for `unpool.explain`, and `format`."""

    columns: ClassVar = [("target", pa.string()), ("score", pa.float64())]

    def __init__(self, device: str, *, model: str, format: str = ".png", max_pixels: int, **options: Any) -> None:
        from unpool.explanation.api import explain
        from unpool.zoo.loading import load

        self.explain, self.model, self.options = explain, load(model, device), options
        self.suffix, self.max_pixels = format, max_pixels
        self.identity = self.model.record.sha256 or ""

    def __call__(self, source: Path | bytes) -> Done:
        found = self.explain(self.model, read(source, max_pixels=self.max_pixels), **self.options)
        facts = {"target": found.described(), "score": float(found.scores[0])}
        return Done(to_bytes(found.picture(), self.suffix), facts)


OPERATIONS: dict[str, Any] = {"restore": Restore, "compress": Compress, "embed": Embed, "explain": Explain}


def make(name: str, options: Mapping[str, Any], device: str) -> Any:
    """The operation of a name, its model loaded."""
    return OPERATIONS[name](device, **options)


def tried(name: str, options: Mapping[str, Any]) -> str:
    """Make an operation and do it once, so that a wrong setting is known before a million pictures meet it.

    Returns the identity of its weights. Raises UnpoolError for settings that cannot be.
    """
    operation = make(name, options, "cpu")
    if name != "embed":  # which has no setting that a picture could prove wrong
        noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
        operation(to_bytes(Picture(noise), ".png"))
    return operation.identity
