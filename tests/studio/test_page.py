"""The files of the page: nothing from elsewhere, nothing missing."""

import re

from fastapi import FastAPI
from fastapi.testclient import TestClient

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
