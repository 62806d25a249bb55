"""Names and embeddings at rest: as they are, or sealed with a key that the user keeps."""

import hashlib
import hmac
import secrets

from unpool.errors import GalleryError, MissingExtraError

_NONCE = 12
_KNOWN = b"unpool gallery"


class Plain:
    """No sealing: bytes are stored as they are."""

    def seal(self, data: bytes) -> bytes:
        """What is stored for `data`."""
        return data

    def open(self, stored: bytes) -> bytes:
        """The data that `stored` stands for."""
        return stored

    def lookup(self, name: str) -> bytes:
        """A fixed key under which a name is found."""
        return hashlib.sha256(name.encode()).digest()


class Sealed(Plain):
    """AES-256-GCM with a random nonce for every value; names are found by a keyed hash (HMAC-SHA-256).

    Args:
        key: 32 random bytes (`new_key()`).

    Raises:
        GalleryError: the key has another length.
        MissingExtraError: the package `cryptography` is not installed.
    """

    def __init__(self, key: bytes) -> None:
        try:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        except ImportError:
            raise MissingExtraError("an encrypted gallery", "crypto") from None
        if len(key) != 32:
            raise GalleryError(f"a gallery's key has 32 bytes, this one {len(key)}: make one with --new-key FILE")
        self._cipher = AESGCM(key)
        self._lookup_key = hmac.digest(key, b"names", "sha256")

    def seal(self, data: bytes) -> bytes:
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._cipher.encrypt(nonce, data, None)

    def open(self, stored: bytes) -> bytes:
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher.decrypt(stored[:_NONCE], stored[_NONCE:], None)
        except (InvalidTag, ValueError):
            raise GalleryError("the key does not open this gallery: give the one it was made with") from None

    def lookup(self, name: str) -> bytes:
        return hmac.digest(self._lookup_key, name.encode(), "sha256")


def new_key() -> bytes:
    """A fresh random key."""
    return secrets.token_bytes(32)


def proof(sealing: Plain) -> bytes:
    """A sealed known text, stored to recognise the right key later."""
    return sealing.seal(_KNOWN)


def check(sealing: Plain, stored: bytes) -> None:
    """GalleryError unless `sealing` opens what `proof` made."""
    if isinstance(sealing, Sealed) and stored == _KNOWN:
        raise GalleryError("this gallery is not encrypted: open it without a key")
    if not isinstance(sealing, Sealed) and stored != _KNOWN:
        raise GalleryError("this gallery is encrypted: give its key")
    sealing.open(stored)
