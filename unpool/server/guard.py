"""Who may ask: keys, hosts, origins, body sizes. And what is told of it: logs and counts."""

import json
import sys
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from unpool.errors import UnpoolError
from unpool.server.keys import KeyStore
from unpool.server.work import Busy, Desk, TooSlow

OPEN = frozenset(("/healthz", "/readyz"))
DESCRIPTION = "/v1/openapi.json"


def answer(status: int, message: str, **headers: str) -> JSONResponse:
    """An error as JSON: {"error": "one line"}."""
    return JSONResponse({"error": " ".join(message.split())}, status, headers=headers)


def scope_of(path: str) -> str | None:
    """The scope that a path needs: /v1/NAME its first word, /v1/galleries/G "gallery:G", /metrics "metrics"."""
    parts = path.strip("/").split("/")
    if parts[0] == "metrics":
        return "metrics"
    if path == DESCRIPTION:  # any key
        return None
    if parts[0] != "v1" or len(parts) < 2:
        return None
    if parts[1] == "galleries":
        return f"gallery:{parts[2]}" if len(parts) > 2 else "gallery:*"
    return {"decompress": "compress"}.get(parts[1], parts[1])


class Counts:
    """Prometheus metrics of one server."""

    def __init__(self, desk: Desk) -> None:
        self.registry = CollectorRegistry()
        labels = ("route", "status")
        self.requests = Counter("unpool_requests", "Requests answered", labels, registry=self.registry)
        self.seconds = Histogram("unpool_seconds", "Seconds to an answer", ("route",), registry=self.registry)
        Gauge("unpool_waiting", "Requests waiting or running", registry=self.registry).set_function(
            lambda: desk.waiting
        )


@dataclass(frozen=True)
class Door:
    """Who is let in.

    Attributes:
        keys: the keys there are.
        hosts: names that the server answers to.
        body_bytes: the largest body.
        open_paths: paths that need no key, beside those of health.
        log: whether a line is written for every request.
    """

    keys: KeyStore
    hosts: frozenset[str]
    body_bytes: int
    open_paths: frozenset[str]
    log: bool


class Guard:
    """Checks every request before a route sees it; counts it after, and logs it."""

    def __init__(self, app: ASGIApp, door: Door, counts: Counts) -> None:
        self.app, self.door, self.counts = app, door, counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status, started = time.perf_counter(), 500, False

        async def sending(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                status, started = message["status"], True
            await send(message)

        try:
            await (_refusal(Request(scope), self.door) or self.app)(scope, receive, sending)
        except Exception as error:
            # The type is for the log; what the message may say of a picture or a name is not.
            _log(failure=type(error).__name__)
            if started:
                raise
            await answer(500, "the server failed at this request; nothing was changed")(scope, receive, sending)
        finally:
            name = getattr(scope.get("route"), "path", "none")
            spent = time.perf_counter() - began
            self.counts.requests.labels(name, str(status)).inc()
            self.counts.seconds.labels(name).observe(spent)
            if self.door.log:
                _log(method=scope["method"], route=name, status=status, seconds=round(spent, 4))


def add_guards(app: FastAPI, door: Door, counts: Counts) -> None:
    """Put the guard in front of every route, and turn what goes wrong behind it into one line of JSON."""
    app.add_middleware(Guard, door=door, counts=counts)
    app.add_exception_handler(UnpoolError, _mistake)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


def _refusal(request: Request, door: Door) -> Response | None:
    # A page elsewhere that makes a name of its own point at this machine (DNS rebinding) shows that name as Host.
    if host_name(request.headers.get("host", "")) not in door.hosts:
        return answer(421, "this server does not answer to that host name: start it with --host-name")
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        return answer(403, "calls from pages of other origins are refused")
    path = request.scope["path"]  # not the URL's, into which a Host header goes
    if path in OPEN or path in door.open_paths:
        return None
    text = request.headers.get("authorization", "").removeprefix("Bearer ") or request.headers.get("x-api-key", "")
    key = door.keys.find(text) if text else None
    if key is None:
        return answer(401, "give a key: Authorization: Bearer KEY", **{"WWW-Authenticate": "Bearer"})
    scope = scope_of(path)
    if scope is not None and not key.allows(scope):
        return answer(403, f"this key does not open the scope {scope}")
    length = request.headers.get("content-length")
    if length is not None and (not length.isdecimal() or int(length) > door.body_bytes):
        return answer(413, f"the body is larger than {door.body_bytes:,} bytes")
    return None


def host_name(header: str) -> str:
    """The name in a Host header, in lower case and without its port; "" where it holds anything else."""
    if set(header) & set("/?#@\\"):
        return ""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


async def body_of(request: Request, most: int) -> bytes:
    """The request's body, read no further than allowed, whatever its length header said."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise HTTPException(413, f"the body is larger than {most:,} bytes")
        parts.append(part)
    if not size:
        raise HTTPException(422, "the body is empty: send a file's bytes")
    return b"".join(parts)


async def _mistake(_request: Request, error: Exception) -> Response:
    if isinstance(error, Busy):
        return answer(429, str(error), **{"Retry-After": str(error.retry_after)})
    return answer(504 if isinstance(error, TooSlow) else 422, str(error))


async def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    return answer(422, f"{'.'.join(str(part) for part in first['loc'][1:])}: {first['msg']}")


async def _http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return answer(error.status_code, str(error.detail), **(error.headers or {}))


def _log(**fields: Any) -> None:
    """One JSON line on stderr: no pictures, no names, no addresses."""
    print(json.dumps({"time": round(time.time(), 3), **fields}), file=sys.stderr, flush=True)
