"""The HTTP service as an ASGI application."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from unpool import __version__
from unpool.server import galleries
from unpool.server.guard import Counts, Door, add_guards, host_name
from unpool.server.keys import KeyStore
from unpool.server.pictures import models, offered
from unpool.server.work import Desk, Limits

LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Settings:
    """What a server is started with.

    Attributes:
        keys: the file of API keys.
        galleries: the folder of gallery files, or `postgresql://user:password@host` for a database each; None offers
            no galleries.
        hosts: host names it answers to, beside those of the loopback.
        limits: what it takes on.
        device: "auto", "cpu" or "cuda".
        embedder: a network for galleries in place of unpool's (see `Gallery.open`).
        open_paths: paths that need no key, beside those of health.
        log: whether a line is written for every request.
    """

    keys: Path
    galleries: Path | str | None = None
    hosts: Sequence[str] = ()
    limits: Limits = field(default_factory=Limits)
    device: str = "auto"
    embedder: Any = None
    open_paths: frozenset[str] = frozenset()
    log: bool = True


def create_app(settings: Settings) -> FastAPI:
    """Build the service: a route for every verb whose weights are there, and nothing for the others."""
    desk = Desk(settings.limits)
    counts = Counts(desk)
    shelf = galleries.Shelf(settings.galleries, settings.embedder) if settings.galleries is not None else None

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.ready = True
        yield
        app.state.ready = False
        desk.close()
        if shelf is not None:
            shelf.close()

    app = FastAPI(
        title="unpool",
        version=__version__,
        description="Pictures into codes, and codes back into pictures. Every /v1 route needs a key.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
    )
    app.state.ready = False
    hosts = frozenset((*LOOPBACK, *map(host_name, settings.hosts)))
    door = Door(KeyStore(settings.keys), hosts, settings.limits.body_bytes, settings.open_paths, settings.log)
    add_guards(app, door, counts)

    @app.get("/healthz", summary="Is the process alive?")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", summary="Does it take requests?", responses={503: {"description": "Starting or stopping."}})
    def readyz(response: Response) -> dict[str, bool]:
        response.status_code = 200 if app.state.ready else 503
        return {"ready": app.state.ready}

    @app.get("/metrics", summary="Counts for Prometheus", response_class=Response)
    def metrics() -> Response:
        return Response(generate_latest(counts.registry), media_type=CONTENT_TYPE_LATEST)

    for part in _parts():
        app.include_router(import_module(f"unpool.server.{part}").router(desk, settings.device))
    if shelf is not None:
        app.include_router(galleries.router(desk, shelf))
    return app


def _parts() -> list[str]:
    """The modules of those routes whose weights are there."""
    parts = ["explanation"]
    parts += [wing for wing in ("restoration", "codec", "generation") if wing in offered()]
    if "recogniser" in models("faces") and "detection" in offered():
        parts.append("faces")
    if models("autoencoders") or "recogniser" in models("faces"):
        parts.append("embedding")
    return parts
