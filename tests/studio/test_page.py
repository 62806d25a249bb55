"""The files of the page: nothing from elsewhere, nothing missing."""

import re

from fastapi import FastAPI
from fastapi.testclient import TestClient

from unpool.server.app import Settings, create_app
from unpool.server.keys import KeyStore
from unpool.studio import page


def test_nothing_comes_from_elsewhere():
    for place, path in page.files().items():
        addresses = re.findall(r"(?:https?:)?//[\w.-]+\.\w+[\w./-]*", path.read_text(encoding="utf-8"))
        assert set(addresses) <= {"http://www.w3.org/2000/svg"}, place


def test_everything_named_is_there():
    files = page.files()
    for place, path in files.items():
        for named in re.findall(r"""["'](/studio/[\w.]+)["']""", path.read_text(encoding="utf-8")):
            assert named in files, f"{place} names {named}"


def test_what_is_sent():
    app = FastAPI()
    app.include_router(page.router())
    client = TestClient(app)
    kinds = {"/": "text/html", "/studio/app.js": "text/javascript", "/studio/base.css": "text/css"}
    for place, kind in kinds.items():
        answer = client.get(place)
        assert answer.headers["content-type"].startswith(kind)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
    assert client.get("/studio/../page.py").status_code == 404


def test_only_the_page_is_open(tmp_path):
    keys = tmp_path / "keys.db"
    KeyStore(keys).make(["*"])
    app = create_app(Settings(keys, tmp_path / "galleries", open_paths=frozenset(page.files()), log=False))
    app.include_router(page.router())
    client = TestClient(app, base_url="http://127.0.0.1")
    for place in page.files():
        assert client.get(place).status_code == 200
        assert client.get(place, headers={"Host": "evil.example"}).status_code == 421
    for path, operations in app.openapi()["paths"].items():
        for method in operations:
            status = client.request(method, path).status_code
            assert (status == 401) is (path not in ("/healthz", "/readyz")), path
    assert client.get("/studio/none.js").status_code == 401
