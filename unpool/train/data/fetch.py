"""Fetching a public set from its official address: checked by hash, unpacked safely, there only when it is whole."""

import fnmatch
import gzip
import hashlib
import http.client
import lzma
import shutil
import stat
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from unpool.errors import DataError
from unpool.train.data.sets import DataSet, Download

MAX_UNPACKED_BYTES = 50_000_000_000
_CHUNK = 1 << 20
_BROKEN = (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError)

Progress = Callable[[str, int, int | None], None]  # file's name, bytes so far, bytes in all where the server says


def get(known: DataSet, data: Path, progress: Progress = lambda *_: None, *, timeout: float = 30) -> Path:
    """Fetch a set into `data/FOLDER`; the folder appears only when every file is there, checked and unpacked.

    Raises:
        DataError: the set has no address to fetch from, cannot be reached, does not match its hash, or is an archive
            that would write outside its folder. The message says what to place where.
    """
    place = data / known.folders[0]
    if place.exists():
        raise DataError(f"{place} is there already: remove it to fetch {known.name} again")
    if not known.downloads:
        raise DataError(f"{known.name} has no plain address to fetch it from: {known.placing()}")
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{place.name}.", suffix=".part", dir=place.parent))
    try:
        for download in known.downloads:
            file = beside / download.address.rsplit("/", 1)[-1]
            _download(known, download, file, progress, timeout)
            if download.unpack:
                unpack(file, beside, download.keep)
                file.unlink()
        beside.chmod(0o755)
        beside.rename(place)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return place


def _download(known: DataSet, download: Download, file: Path, progress: Progress, timeout: float) -> None:
    algorithm, _, wanted = download.hash.partition(":")
    digest = hashlib.new(algorithm) if wanted else None
    try:
        with urllib.request.urlopen(download.address, timeout=timeout) as answer, open(file, "wb") as out:
            length = answer.headers.get("Content-Length")
            total = int(length) if length and length.isdigit() else None
            while chunk := answer.read(_CHUNK):
                out.write(chunk)
                if digest:
                    digest.update(chunk)
                progress(file.name, out.tell(), total)
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise DataError(f"{download.address} cannot be reached ({reason}): {known.placing()}") from None
    if total is not None and file.stat().st_size != total:
        raise DataError(f"{download.address} broke off after {file.stat().st_size} of {total} bytes: try again")
    if digest and digest.hexdigest() != wanted:
        raise DataError(f"{download.address} does not match its {algorithm} {wanted}: it was changed or damaged")


def unpack(archive: Path, folder: Path, keep: tuple[str, ...] = ()) -> None:
    """Unpack a tar or zip archive into `folder`: plain files below it, nothing else.

    Args:
        keep: patterns of the entries to take, which then go into `folder` itself; by default all, where they lie.

    Raises:
        DataError: no archive, a damaged one, or one with a path that leaves the folder, a link, a device, or more bytes
            than any known set has.
    """
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as zipped:
                _extract(archive, folder, keep, [_zip_entry(zipped, one) for one in zipped.infolist()])
        else:
            with tarfile.open(archive) as tarred:
                _extract(archive, folder, keep, [_tar_entry(tarred, one) for one in tarred.getmembers()])
    except _BROKEN as error:
        raise DataError(f"{archive.name} is not an archive or is damaged ({error}): get it again") from None


class _Entry(NamedTuple):
    name: str
    size: int
    plain: bool
    folder: bool
    open: Callable[[], IO[bytes] | None]


def _zip_entry(zipped: zipfile.ZipFile, one: zipfile.ZipInfo) -> _Entry:
    kind = stat.S_IFMT(one.external_attr >> 16)
    return _Entry(one.filename, one.file_size, kind in (0, stat.S_IFREG), one.is_dir(), lambda: zipped.open(one))


def _tar_entry(tarred: tarfile.TarFile, one: tarfile.TarInfo) -> _Entry:
    return _Entry(one.name, one.size, one.isfile(), one.isdir(), lambda: tarred.extractfile(one))


def _extract(archive: Path, folder: Path, keep: tuple[str, ...], entries: list[_Entry]) -> None:
    for entry in entries:
        path = PurePosixPath(entry.name)
        leaves = path.is_absolute() or ".." in path.parts or any(sign in entry.name for sign in "\\:\0")
        if leaves or not (entry.plain or entry.folder):
            raise DataError(f"{archive.name} is refused: {entry.name!r} is not a plain file below the archive's folder")
    _refuse_size(archive, sum(entry.size for entry in entries))
    for entry in entries:
        if entry.folder or (keep and not any(fnmatch.fnmatch(entry.name, pattern) for pattern in keep)):
            continue
        place = folder / (PurePosixPath(entry.name).name if keep else entry.name)
        place.parent.mkdir(parents=True, exist_ok=True)
        with entry.open() as source, open(place, "wb") as out:  # type: ignore[union-attr]
            shutil.copyfileobj(source, out, _CHUNK)  # type: ignore[arg-type]


def _refuse_size(archive: Path, size: int) -> None:
    if size > MAX_UNPACKED_BYTES:
        raise DataError(f"{archive.name} is refused: it would unpack to {size / 1e9:.0f} GB")
