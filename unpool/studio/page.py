"""The page's files, as routes of the service. They hold no secrets, so they need no key; everything else does."""

from mimetypes import guess_type
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import Response

_FOLDER = Path(__file__).parent / "page"
# The page may load and call nothing but this server, and no other page may put it into a frame.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def files() -> dict[str, Path]:
    """Path on the server -> file, of everything the page is made of."""
    return {"/" if path.name == "index.html" else f"/studio/{path.name}": path for path in sorted(_FOLDER.iterdir())}


def router() -> APIRouter:
    """A route for each of the page's files."""
    routes = APIRouter(include_in_schema=False)
    for place, path in files().items():
        routes.add_api_route(place, _sender(path), methods=["GET"])
    return routes


def _sender(path: Path):  # type: ignore[no-untyped-def]
    content, media = path.read_bytes(), guess_type(path.name)[0] or "application/octet-stream"

    def send() -> Response:
        return Response(content, media_type=media, headers=_HEADERS)

    return send
