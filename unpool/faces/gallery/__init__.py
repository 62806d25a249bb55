"""Galleries of known people: who is this, or nobody we know."""

from unpool.faces.gallery.gallery import Gallery

__all__ = ["Gallery"]
