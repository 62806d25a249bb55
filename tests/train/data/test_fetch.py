"""Fetching: whole or not at all, checked by hash, and no archive writes outside its folder."""

import dataclasses
import hashlib
import http.server
import io
import tarfile
import threading
import zipfile

import pytest

from unpool.errors import DataError
from unpool.train.data.fetch import get, unpack
from unpool.train.data.sets import SETS, Download


@pytest.fixture
def server(tmp_path):
    """A web server on this machine: its address, and the folder it gives out."""
    folder = tmp_path / "web"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, *_):
            pass

        def send_header(self, name, value):
            promised = "999" if name == "Content-Length" and self.path.endswith("cut.bin") else value
            super().send_header(name, promised)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/", folder
        running.shutdown()
        thread.join()


def known(*downloads):
    return dataclasses.replace(SETS["kodak"], name="one", folders=("sets/one",), downloads=downloads)


def tar(members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
            else:
                info.type, info.linkname = content
                archive.addfile(info)
    return out.getvalue()


def test_a_set_of_a_file_and_an_archive(server, tmp_path):
    address, web = server
    archive = tar([("set/train/a.txt", b"a"), ("set/val/b.txt", b"b")])
    (web / "x.tgz").write_bytes(archive)
    (web / "pairs.txt").write_bytes(b"pairs")
    digest = "sha256:" + hashlib.sha256(archive).hexdigest()
    seen = []
    downloads = (
        Download(address + "x.tgz", digest, unpack=True, keep=("set/train/*",)),
        Download(address + "pairs.txt", "md5:" + hashlib.md5(b"pairs").hexdigest()),
    )
    place = get(known(*downloads), tmp_path / "data", lambda *step: seen.append(step))
    assert sorted(path.name for path in place.rglob("*")) == ["a.txt", "pairs.txt"]
    assert ("x.tgz", len(archive), len(archive)) in seen
    with pytest.raises(DataError, match="there already"):
        get(known(*downloads), tmp_path / "data")


@pytest.mark.parametrize("problem", ["missing", "hash", "closed", "cut", "archive"])
def test_nothing_half_done_is_left(server, tmp_path, problem):
    address, web = server
    (web / "good.txt").write_bytes(b"good")
    (web / "cut.bin").write_bytes(b"12345")
    second = {
        "missing": Download(address + "missing.bin"),
        "hash": Download(address + "good.txt", "md5:" + 32 * "0"),
        "closed": Download("http://127.0.0.1:1/x"),
        "cut": Download(address + "cut.bin"),
        "archive": Download(address + "good.txt", unpack=True),
    }[problem]
    says = {"hash": "does not match", "cut": "cut.bin", "archive": "not an archive"}.get(
        problem, "place it in DATA/sets"
    )
    with pytest.raises(DataError, match=says):
        get(known(Download(address + "good.txt"), second), tmp_path / "data", timeout=5)
    assert not [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert not (tmp_path / "data/sets/one").exists()


def test_a_set_without_an_address(tmp_path):
    with pytest.raises(DataError, match=r"identity_CelebA\.txt"):
        get(SETS["celeba"], tmp_path)


HOSTILE = {
    "parent": ("../out.txt", b"x"),
    "deep parent": ("a/../../out.txt", b"x"),
    "absolute": ("/tmp/out.txt", b"x"),
    "drive": ("C:out.txt", b"x"),
    "backslash": ("..\\out.txt", b"x"),
    "link": ("link", (tarfile.SYMTYPE, "/etc/passwd")),
    "hard link": ("link", (tarfile.LNKTYPE, "../out.txt")),
    "device": ("device", (tarfile.CHRTYPE, "")),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_archives_are_refused_before_anything_is_written(tmp_path, kind):
    folder = tmp_path / "folder"
    folder.mkdir()
    archive = tmp_path / "x.tgz"
    archive.write_bytes(tar([("good.txt", b"x"), HOSTILE[kind]]))
    with pytest.raises(DataError, match="refused"):
        unpack(archive, folder)
    if isinstance(HOSTILE[kind][1], bytes):
        archive = tmp_path / "x.zip"
        with zipfile.ZipFile(archive, "w") as zipped:
            zipped.writestr("good.txt", "x")
            info = zipfile.ZipInfo("placeholder")
            info.filename = HOSTILE[kind][0]
            zipped.writestr(info, HOSTILE[kind][1])
        with pytest.raises(DataError, match="refused"):
            unpack(archive, folder)
    assert not list(folder.iterdir())


def test_zip_links_and_bombs_are_refused(tmp_path, monkeypatch):
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as zipped:
        zipped.writestr(link, "/etc/passwd")
    with pytest.raises(DataError, match="refused"):
        unpack(tmp_path / "x.zip", tmp_path)
    monkeypatch.setattr("unpool.train.data.fetch.MAX_UNPACKED_BYTES", 1000)
    with zipfile.ZipFile(tmp_path / "y.zip", "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("zeros", bytes(2000))
    with pytest.raises(DataError, match="unpack to"):
        unpack(tmp_path / "y.zip", tmp_path)


def test_zip_unpacks(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as zipped:
        zipped.writestr("a/b.txt", "x")
    unpack(tmp_path / "x.zip", tmp_path)
    assert (tmp_path / "a/b.txt").read_text() == "x"


def test_every_set_says_where_it_comes_from():
    for name, one in SETS.items():
        assert one.page.startswith("http") or one.licence == "yours", name
        assert one.licence
        assert one.folders
        for download in one.downloads:
            assert download.hash == "" or download.hash.split(":")[0] in hashlib.algorithms_available
