"""Which people and pictures are held out: a function of their name alone, whatever else is there."""

import hashlib


def in_held_out(name: str, share: float) -> bool:
    """Whether `name` falls into the held-out `share` of all names, by SHA-256 of the name."""
    digest = hashlib.sha256(name.encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64
