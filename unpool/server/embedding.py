"""/v1/embed: pictures as codes, several requests in one pass of the network."""

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Annotated, Any

import torch
from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse

from unpool.errors import ModelError, PictureError
from unpool.faces.api import align
from unpool.faces.model import SIZE
from unpool.images.picture import Picture
from unpool.images.reading import read
from unpool.images.resampling import imresize
from unpool.server.guard import body_of
from unpool.server.pictures import ERRORS, models, offered, takes
from unpool.server.work import Desk
from unpool.zoo.loading import load

RECOGNISER = "faces/recogniser"


def router(desk: Desk, device: str) -> APIRouter:
    """The route of codes."""
    routes = APIRouter(prefix="/v1")
    known = [f"autoencoders/{name}" for name in models("autoencoders")]
    known += [RECOGNISER] if "recogniser" in models("faces") else []

    @routes.post(
        "/embed",
        summary=f"A picture as numbers, by {', '.join(known)}",
        responses=ERRORS,
        openapi_extra=takes("image/*"),
    )
    async def embedded(
        request: Request,
        model: Annotated[str, Query(max_length=80, examples=known)] = known[-1],
        find_face: Annotated[bool, Query(alias="align", description="Find and align the largest face first.")] = False,
    ) -> JSONResponse:
        if model not in known:  # a path of the server's disk is not the caller's to name
            raise ModelError(f"there is no model {model!r} that makes codes; there are: {', '.join(known)}")
        if find_face and "detection" not in offered():
            raise ModelError("no detector of faces is installed: send aligned faces")
        data = await body_of(request, desk.limits.body_bytes)
        prepare = partial(prepared, model, device, find_face, desk.limits.pixels)
        return await desk.together((model, find_face), prepare, partial(codes, model, device), JSONResponse, data)

    return routes


@lru_cache(maxsize=8)
def _loaded(model: str, device: str) -> Any:
    return load(model, device)


def prepared(model: str, device: str, find_face: bool, pixels: int, data: bytes) -> Picture:
    """The picture of a body as the model takes it."""
    picture = read(data, max_pixels=pixels)
    if model == RECOGNISER:
        if find_face:
            return align(picture)
        if abs(picture.height - picture.width) > 1:
            raise PictureError("an aligned face is square: give align=true to have it found")
        return picture
    return _loaded(model, device).face_of(picture) if find_face else picture


def codes(model: str, device: str, pictures: Sequence[Picture]) -> list[dict[str, Any]]:
    """The answers for several pictures, from one pass of the network."""
    made = _loaded(model, device)
    if model != RECOGNISER:
        return [{"model": model, "code": code} for code in made.encode(list(pictures)).tolist()]
    crops = torch.cat([imresize(picture.rgb(), size=(SIZE, SIZE)).clamp(0, 1) for picture in pictures])
    vectors, qualities = made.embed_crops(crops)
    return [{"model": model, "code": c, "quality": q} for c, q in zip(vectors.tolist(), qualities.tolist())]
