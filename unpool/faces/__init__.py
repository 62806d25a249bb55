"""Find, restore and recognise a face, even in a poor picture."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unpool.faces.api import align as align
    from unpool.faces.api import detect as detect
    from unpool.faces.api import embed as embed
    from unpool.faces.api import restore_face as restore_face
    from unpool.faces.api import verify as verify

__all__ = ["align", "detect", "embed", "restore_face", "verify"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'unpool.faces' has no attribute {name!r}")
    return getattr(importlib.import_module("unpool.faces.api"), name)
