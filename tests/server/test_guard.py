"""Who may ask, for what, how much, and from where."""

import json
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from unpool.server.app import create_app
from unpool.server.guard import scope_of
from unpool.server.keys import KeyStore


def routes(app):
    """Every path and method, parameters filled in."""
    for path, operations in app.openapi()["paths"].items():
        for method in operations:
            yield method.upper(), path.replace("{gallery}", "staff").replace("{person}", "Ada")


def test_every_route_without_a_key_is_401(client):
    del client.headers["Authorization"]
    seen = list(routes(client.app))
    assert len(seen) >= 8
    for method, path in [*seen, ("GET", "/v1/openapi.json"), ("GET", "/v1/none"), ("GET", "/")]:
        status = client.request(method, path).status_code
        assert status == (200 if path in ("/healthz", "/readyz") else 401), path
    for wrong in ("Bearer nonsense", "Bearer unp_00000000_x", "Basic Zm9v"):
        assert client.get("/metrics", headers={"Authorization": wrong}).status_code == 401


def test_scopes(client, settings):
    store = KeyStore(settings.keys)
    key = store.make(["gallery:staff", "compress"])
    asked = {"Authorization": f"Bearer {key}"}
    assert client.get("/v1/galleries/staff/people", headers=asked).status_code == 404
    assert client.get("/v1/galleries/others/people", headers=asked).status_code == 403
    assert client.get("/metrics", headers=asked).status_code == 403
    assert client.post("/v1/explain", headers=asked).status_code == 403
    (found,) = [k for k in store.list() if "compress" in k.scopes]
    store.revoke(found.id)
    assert client.get("/v1/galleries/staff/people", headers=asked).status_code == 401


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("/v1/restore", "restore"),
        ("/v1/decompress", "compress"),
        ("/v1/galleries/staff/people", "gallery:staff"),
        ("/v1/galleries", "gallery:*"),
        ("/metrics", "metrics"),
        ("/v1", None),
    ],
)
def test_scope_of(path, scope):
    assert scope_of(path) == scope


def test_a_host_header_is_a_name_and_never_a_path(settings):
    KeyStore(settings.keys)
    with TestClient(create_app(settings), base_url="http://localhost") as stranger:
        for host in ("localhost/healthz?", "localhost?", "localhost#", "localhost\\", "a@localhost"):
            assert stranger.get("/v1/galleries", headers={"Host": host}).status_code == 421, host
        assert stranger.get("/v1/galleries", headers={"Host": "LOCALHOST:8000"}).status_code == 401


def test_a_further_host_name_in_any_spelling(settings):
    KeyStore(settings.keys)
    chosen = replace(settings, hosts=("MyHost.Example:8443",))
    with TestClient(create_app(chosen), base_url="http://localhost") as anyone:
        for host in ("myhost.example", "MyHost.Example", "myhost.example:8443"):
            assert anyone.get("/healthz", headers={"Host": host}).status_code == 200, host


def test_hosts_and_origins(client):
    assert client.get("/healthz", headers={"Host": "evil.example"}).status_code == 421
    assert client.get("/healthz", headers={"Host": "127.0.0.1:8000"}).status_code == 200
    assert client.get("/healthz", headers={"Host": "[::1]:8000"}).status_code == 200
    assert client.get("/healthz", headers={"Origin": "http://evil.example"}).status_code == 403
    assert client.get("/healthz", headers={"Origin": "null"}).status_code == 403
    assert client.get("/healthz", headers={"Origin": "http://localhost"}).status_code == 200


def test_bodies(client, picture):
    assert client.post("/v1/explain", content=b"x" * 150_001).status_code == 413

    def endless():
        for _ in range(20):
            yield b"x" * 10_000

    assert client.post("/v1/explain", content=endless()).status_code == 413  # no length header
    assert client.post("/v1/explain", content=b"").status_code == 422
    answer = client.post("/v1/explain", content=b"hello, I am a text")
    assert answer.status_code == 422
    assert set(answer.json()) == {"error"}
    large = picture(0, size=(201, 200))
    assert "pixels" in client.post("/v1/explain", content=large).json()["error"]
    unknown = client.post("/v1/explain?method=magic", content=picture(0))
    assert unknown.status_code == 422
    assert "magic" in unknown.json()["error"]


def test_a_failure_tells_nothing(client, picture, monkeypatch, capsys):
    from unpool.server import explanation

    def broken(*_arguments, **_keywords):
        raise RuntimeError("the secret name Ada")

    monkeypatch.setattr(explanation, "explain", broken)
    answer = client.post("/v1/explain", content=picture(0))  # nothing is raised again, for a server to print
    assert answer.status_code == 500
    assert answer.json() == {"error": "the server failed at this request; nothing was changed"}
    assert "Ada" not in answer.text
    assert "Ada" not in capsys.readouterr().err


def test_logs_and_counts_hold_no_names(client, picture, capsys):
    client.post("/v1/galleries/staff/people/Ada%20Lovelace", content=picture(1))
    client.post("/v1/galleries/staff/identify", content=picture(1))
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    assert [line["route"] for line in lines] == [
        "/v1/galleries/{gallery}/people/{person:path}",
        "/v1/galleries/{gallery}/identify",
    ]
    counts = client.get("/metrics").text
    assert 'unpool_requests_total{route="/v1/galleries/{gallery}/identify",status="200"} 1.0' in counts
    assert "Ada" not in counts
    assert "Ada" not in str(lines)


def test_ready_and_healthy(settings):
    KeyStore(settings.keys).make(["*"])
    app = create_app(settings)
    outside = TestClient(app, base_url="http://localhost")
    assert outside.get("/readyz").status_code == 503
    with outside:
        assert outside.get("/readyz").json() == {"ready": True}
    assert outside.get("/readyz").status_code == 503
