"""/v1/compress and /v1/decompress; and the formats of today, at the same number of bytes."""

from bisect import bisect_right
from functools import lru_cache, partial
from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from unpool.codec.api import compress, decompress
from unpool.codec.peers import peers
from unpool.errors import PictureError
from unpool.images.formats import FORMATS
from unpool.images.picture import Picture
from unpool.images.reading import read
from unpool.server.guard import body_of
from unpool.server.pictures import MEDIA, Format, InFormat, gives, picture_answer, takes
from unpool.server.work import Desk

_UNP = "application/octet-stream"


def router(desk: Desk, device: str) -> APIRouter:
    """The routes of the codec."""
    routes = APIRouter(prefix="/v1")

    @routes.post(
        "/compress",
        summary="Compress a picture to an .unp file, or for comparison to JPEG or WebP of a given size",
        response_class=Response,
        responses=gives(_UNP, "image/jpeg", "image/webp"),
        openapi_extra=takes("image/*"),
    )
    async def compressed(
        request: Request,
        quality: Annotated[float, Query(ge=1, le=100, examples=[50])] = 50,
        size: Annotated[int | None, Query(gt=0, description="Bytes that are not to be exceeded.")] = None,
        lossless: Annotated[bool, Query()] = False,
        codec: Annotated[
            Literal["unp", "jpeg", "webp"], Query(description="jpeg and webp: of `size`, else of `quality`.")
        ] = "unp",
    ) -> Response:
        data = await body_of(request, desk.limits.body_bytes)
        decode = partial(read, max_pixels=desk.limits.pixels)

        def work() -> Response:
            picture = decode(data)
            if codec != "unp":
                if lossless:
                    raise PictureError(f"lossless goes with codec=unp, not with {codec}")
                return _answer(_peer(picture, codec, quality, size), picture, f"image/{codec}")
            return _answer(compress(picture, quality, size=size, lossless=lossless, device=device), picture, _UNP)

        return await desk.do(work)

    @routes.post(
        "/decompress",
        summary="The picture in an .unp file",
        response_class=Response,
        responses=gives(*MEDIA),
        openapi_extra=takes(_UNP),
    )
    async def decompressed(request: Request, form: InFormat = "png") -> Response:
        data = await body_of(request, desk.limits.body_bytes)
        return await desk.do(_decompressed, data, desk.limits.pixels, device, form)

    return routes


def _answer(coded: bytes, picture: Picture, media: str) -> Response:
    rate = 8 * len(coded) / (picture.height * picture.width)
    return Response(coded, media_type=media, headers={"X-Unpool-Bits-Per-Pixel": f"{rate:.4f}"})


def _decompressed(data: bytes, pixels: int, device: str, form: Format) -> Response:
    return picture_answer(decompress(data, max_pixels=pixels, device=device), form)


def _peer(picture: Picture, codec: str, quality: float, size: int | None) -> bytes:
    """A picture as JPEG or WebP: of a quality, or the best that is no larger than `size`; without its transparency."""
    if max(picture.height, picture.width) > (longest := FORMATS[{"jpeg": "JPEG", "webp": "WebP"}[codec]].longest_side):
        raise PictureError(f"{codec} holds pictures of at most {longest:,} pixels a side: use codec=unp")
    opaque = picture.with_depth(8)
    pixels = np.ascontiguousarray(np.broadcast_to(opaque.samples, (*opaque.samples.shape[:2], 3)))
    encoded = lru_cache(partial(peers(quick=False)[codec].encode, pixels))
    if size is None:
        return encoded(round(quality))
    best = bisect_right(range(1, 101), size, key=lambda setting: len(encoded(setting)))
    if not best:
        least = len(encoded(1))
        raise PictureError(f"{codec} cannot make this picture so small: its lowest quality needs {least} bytes")
    return encoded(best)
