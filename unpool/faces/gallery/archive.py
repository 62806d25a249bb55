"""Export and import: embeddings as safetensors, the rest as JSON in its metadata; hostile files are refused."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from unpool.errors import GalleryError
from unpool.faces.gallery.store import Entry, Identity, clean_name
from unpool.images.atomic import atomic

_KEY = "unpool-gallery"
_LARGEST = 8 << 30  # bytes


class _Picture(BaseModel):
    model_config = ConfigDict(extra="forbid")
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    quality: float = Field(gt=0, le=1e6)


class _Document(BaseModel):
    """People in the order of the embeddings' rows."""

    model_config = ConfigDict(extra="forbid")
    format: Literal[1] = 1
    model: str
    people: dict[str, list[_Picture]]


def write_archive(path: Path, identity: Identity, people: Mapping[str, Sequence[Entry]]) -> None:
    """Write people and their embeddings to one file, whole or not at all."""
    document = _Document(
        model=identity.model,
        people={n: [_Picture(sha256=e.picture, quality=e.quality) for e in entries] for n, entries in people.items()},
    )
    rows = [entry.embedding for entries in people.values() for entry in entries]
    matrix = np.array(rows, np.float32).reshape(len(rows), identity.dimension)
    with atomic(path) as beside:
        Path(beside).write_bytes(save({"embeddings": matrix}, metadata={_KEY: document.model_dump_json()}))


def read_archive(path: Path) -> tuple[Identity, dict[str, list[Entry]]]:
    """Read what `write_archive` wrote.

    Raises:
        GalleryError: no such file, not an export, damaged, or its parts do not fit.
    """
    if not path.is_file():
        raise GalleryError(f"there is no file {path}")
    if path.stat().st_size > _LARGEST:
        raise GalleryError(f"{path} is larger than an exported gallery may be")
    try:
        with safe_open(str(path), framework="numpy") as file:
            text = (file.metadata() or {}).get(_KEY)
            if text is None or list(file.keys()) != ["embeddings"]:
                raise GalleryError(f"{path} is not an exported gallery")
            matrix = file.get_tensor("embeddings")
        document = _Document.model_validate_json(text)
    except (SafetensorError, OSError, ValueError) as error:
        first = str(error.errors()[0]["msg"]) if isinstance(error, ValidationError) else str(error)
        raise GalleryError(f"{path} is not an exported gallery, or damaged ({first})") from None
    count = sum(len(pictures) for pictures in document.people.values())
    if matrix.dtype != np.float32 or matrix.ndim != 2 or len(matrix) != count or not all(document.people.values()):
        raise GalleryError(f"{path} is damaged: its people and embeddings do not fit together")
    if count and not np.allclose(np.linalg.norm(matrix, axis=1), 1, atol=1e-3):
        raise GalleryError(f"{path} is damaged: an embedding is not of unit length")
    rows = iter(matrix)
    people = {
        clean_name(name): [Entry(p.sha256, next(rows), p.quality) for p in pictures]
        for name, pictures in document.people.items()
    }
    return Identity(document.model, matrix.shape[1]), people
