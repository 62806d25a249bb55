"""Files that are either wholly written or not there: written beside their place, then renamed."""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from unpool.errors import UnpoolError


@contextlib.contextmanager
def atomic(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a path beside `path` to write to; rename it to `path` when the block ends well, remove it when it does not.

    The temporary file lies in the same folder, so the rename is one step of the file system and readers of `path` see
    the old file or the new one, never a half. Its name ends in `.part`: say the format to writers that would guess it
    from the suffix. A symbolic link is followed; a pipe or a device (`/dev/stdout`) is written to directly.

    Raises:
        UnpoolError: the folder is missing, or `path` is a folder itself.

    Examples:
        >>> import tempfile
        >>> place = Path(tempfile.mkdtemp()) / "answer.txt"
        >>> with atomic(place) as beside:
        ...     _ = beside.write_text("42")
        >>> place.read_text(), len(list(place.parent.iterdir()))
        ('42', 1)
    """
    place = Path(os.path.realpath(path))
    if place.is_dir():
        raise UnpoolError(f"{path} is a folder: give the name of a file to write")
    if not place.parent.is_dir():
        raise UnpoolError(f"there is no folder {place.parent}: make it first")
    if place.exists() and not place.is_file():
        yield place
        return
    beside = place.with_name(f".{shortened(place.name, 200)}.{secrets.token_hex(4)}.part")
    try:
        yield beside
        _flush(beside)
        if place.exists():
            beside.chmod(place.stat().st_mode & 0o7777)
        os.replace(beside, place)
    finally:
        beside.unlink(missing_ok=True)


def shortened(name: str, most: int) -> str:
    """As much of a file's name as takes at most so many bytes; file systems allow 255.

    >>> shortened("写真.png", 5)
    '写'
    """
    return os.fsencode(name)[:most].decode(errors="ignore")


def place_new(beside: Path, place: Path) -> None:
    """Bring a file to its place in one step, never over another; `beside` may or may not be there afterwards.

    Raises:
        FileExistsError: there is something at `place`.
        OSError: the file system refuses.
    """
    try:
        os.link(beside, place)
    except FileExistsError:
        raise
    except OSError:  # a file system without links; two processes at once are not kept apart there
        if place.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(place)) from None
        beside.rename(place)


def _flush(path: Path) -> None:
    """Wait until the bytes are on the disk, so that a crash cannot leave the new name on an empty file."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
