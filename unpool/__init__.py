"""unpool: pictures into codes, and codes back into pictures."""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Public name -> where it lives. Resolved on first use, so that `import unpool` loads nothing.
_PUBLIC = {
    "UnpoolError": "unpool.errors",
    "Picture": "unpool.images.picture",
    "read": "unpool.images.reading",
    "write": "unpool.images.writing",
    "load": "unpool.zoo.loading",
    "explain": "unpool.explanation.api",
    "restore": "unpool.restoration.api",
    "generate": "unpool.generation.api",
    "compress": "unpool.codec.api",
    "decompress": "unpool.codec.api",
    "Gallery": "unpool.faces.gallery.gallery",
}

__all__ = ["__version__", *_PUBLIC]

if TYPE_CHECKING:
    from unpool.codec.api import compress as compress
    from unpool.codec.api import decompress as decompress
    from unpool.errors import UnpoolError as UnpoolError
    from unpool.explanation.api import explain as explain
    from unpool.faces.gallery.gallery import Gallery as Gallery
    from unpool.generation.api import generate as generate
    from unpool.images.picture import Picture as Picture
    from unpool.images.reading import read as read
    from unpool.images.writing import write as write
    from unpool.restoration.api import restore as restore
    from unpool.zoo.loading import load as load


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'unpool' has no attribute {name!r}")
    value = getattr(importlib.import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
