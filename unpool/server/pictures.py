"""/v1/restore, compress, decompress, explain, generate: a picture's bytes in, bytes out."""

import json
from typing import Annotated, Any, Literal, get_args

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from unpool.images.picture import Picture
from unpool.images.reading import read
from unpool.images.writing import to_bytes
from unpool.server.guard import body_of
from unpool.server.work import Desk
from unpool.zoo.weights import shipped

Format = Literal["png", "webp", "jpeg", "avif"]
_MEDIA = tuple(f"image/{form}" for form in get_args(Format))
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


def router(desk: Desk, device: str) -> APIRouter:
    """The routes of those wings whose weights are there."""
    routes = APIRouter(prefix="/v1")
    wings = {name.split("/")[0] for name in shipped()}
    _add_explain(routes, desk)
    if "restoration" in wings:
        _add_restore(routes, desk, device)
    if "codec" in wings:
        _add_codec(routes, desk, device)
    if "generation" in wings:
        _add_generate(routes, desk, device)
    return routes


def _add_restore(routes: APIRouter, desk: Desk, device: str) -> None:
    @routes.post(
        "/restore",
        summary="Make a picture larger, cleaner or sharper",
        response_class=Response,
        responses=gives(*_MEDIA),
        openapi_extra=takes("image/*"),
    )
    async def restore(
        request: Request,
        scale: Annotated[float | None, Query(gt=0, le=4, examples=[4])] = None,
        task: Annotated[Literal["auto", "sr", "photo", "denoise", "jpeg", "deblur"], Query()] = "auto",
        strength: Annotated[float, Query(ge=0, le=1)] = 0.0,
        form: Annotated[Format, Query(alias="format")] = "png",
    ) -> Response:
        data = await body_of(request, desk.limits.body_bytes)
        return await desk.do(_restore, data, desk.limits.pixels, scale, task, strength, device, form)


def _restore(
    data: bytes, pixels: int, scale: float | None, task: str, strength: float, device: str, form: Format
) -> Response:
    from unpool.errors import PictureError
    from unpool.restoration.api import restore

    picture = read(data, max_pixels=pixels)
    if picture.height * picture.width * (scale or 1) ** 2 > pixels:
        raise PictureError(f"the result would have more than {pixels:,} pixels: give a smaller scale")
    done = restore(picture, scale=scale, task=task, strength=strength, device=device)
    return picture_answer(done.picture, form, {"X-Unpool-Steps": ",".join(done.steps)})


def _add_codec(routes: APIRouter, desk: Desk, device: str) -> None:
    @routes.post(
        "/compress",
        summary="Compress a picture to an .unp file",
        response_class=Response,
        responses=gives("application/octet-stream"),
        openapi_extra=takes("image/*"),
    )
    async def compress(
        request: Request,
        quality: Annotated[float, Query(ge=1, le=100, examples=[50])] = 50,
        size: Annotated[int | None, Query(gt=0, description="Bytes that are not to be exceeded.")] = None,
        lossless: Annotated[bool, Query()] = False,
    ) -> Response:
        data = await body_of(request, desk.limits.body_bytes)
        return await desk.do(_compress, data, desk.limits.pixels, quality, size, lossless, device)

    @routes.post(
        "/decompress",
        summary="The picture in an .unp file",
        response_class=Response,
        responses=gives(*_MEDIA),
        openapi_extra=takes("application/octet-stream"),
    )
    async def decompress(request: Request, form: Annotated[Format, Query(alias="format")] = "png") -> Response:
        data = await body_of(request, desk.limits.body_bytes)
        return await desk.do(_decompress, data, desk.limits.pixels, device, form)


def _compress(data: bytes, pixels: int, quality: float, size: int | None, lossless: bool, device: str) -> Response:
    from unpool.codec.api import compress

    picture = read(data, max_pixels=pixels)
    coded = compress(picture, quality, size=size, lossless=lossless, device=device)
    rate = 8 * len(coded) / (picture.height * picture.width)
    return Response(coded, media_type="application/octet-stream", headers={"X-Unpool-Bits-Per-Pixel": f"{rate:.4f}"})


def _decompress(data: bytes, pixels: int, device: str, form: Format) -> Response:
    from unpool.codec.api import decompress

    return picture_answer(decompress(data, max_pixels=pixels, device=device), form)


def _add_explain(routes: APIRouter, desk: Desk) -> None:
    @routes.post(
        "/explain",
        summary="Show what a network saw in a picture",
        response_class=Response,
        responses=gives(*_MEDIA),
        openapi_extra=takes("image/*"),
    )
    async def explain(
        request: Request,
        method: Annotated[str, Query(max_length=40, examples=["grad-cam"])] = "guided",
        target: Annotated[str | None, Query(max_length=80, examples=["Egyptian cat"])] = None,
        layer: Annotated[str | None, Query(max_length=80)] = None,
        style: Annotated[Literal["auto", "projection", "overlay"], Query()] = "auto",
        form: Annotated[Format, Query(alias="format")] = "png",
    ) -> Response:
        data = await body_of(request, desk.limits.body_bytes)
        return await desk.do(_explain, data, desk.limits.pixels, method, target, layer, style, form)


def _explain(
    data: bytes, pixels: int, method: str, target: str | None, layer: str | None, style: str, form: Format
) -> Response:
    from unpool.explanation.api import explain

    wanted = int(target) if target is not None and target.isdigit() else target
    found = explain("efficientnet-lite0", read(data, max_pixels=pixels), target=wanted, layer=layer, method=method)
    summary = {"target": found.described(), "method": found.method, "score": float(found.scores[0])}
    # Headers are ASCII; JSON escapes the rest.
    return picture_answer(found.picture(style), form, {"X-Unpool-Explanation": json.dumps(summary)})


def _add_generate(routes: APIRouter, desk: Desk, device: str) -> None:
    models = sorted(name.split("/", 1)[1] for name in shipped() if name.startswith("generation/"))

    @routes.get(
        "/generate",
        summary=f"Generate pictures ({', '.join(models)}), as a grid",
        response_class=Response,
        responses=gives(*_MEDIA),
    )
    async def generate(
        model: Annotated[str, Query(max_length=40, examples=models)] = models[0],
        n: Annotated[int, Query(ge=1, le=64)] = 1,
        seed: Annotated[int, Query(ge=0, le=2**31)] = 0,
        label: Annotated[int | None, Query(ge=0, le=1000)] = None,
        truncation: Annotated[float, Query(gt=0, le=1)] = 1.0,
        form: Annotated[Format, Query(alias="format")] = "png",
    ) -> Response:
        return await desk.do(_generate, models, model, n, seed, label, truncation, device, form)


def _generate(
    models: list[str],
    model: str,
    n: int,
    seed: int,
    label: int | None,
    truncation: float,
    device: str,
    form: Format,
) -> Response:
    from unpool.errors import ModelError
    from unpool.generation.api import generate, grid

    if model not in models:  # a path of the server's disk is not the caller's to name
        raise ModelError(f"there is no generator {model!r}; there are: {', '.join(models)}")
    made = generate(model, n, seed=seed, label=label, truncation=truncation, device=device)
    return picture_answer(made[0] if n == 1 else grid(made), form)
