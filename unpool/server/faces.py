"""/v1/faces: where faces are, and whether two are one person's, with what made the network say so."""

import base64
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Base64Bytes, BaseModel, ValidationError
from starlette.exceptions import HTTPException

from unpool.faces.api import Embedded, Verification, detect, loaded, verify
from unpool.faces.why import Shown, why
from unpool.images.picture import Picture
from unpool.images.reading import read
from unpool.images.writing import to_bytes
from unpool.server.guard import body_of
from unpool.server.pictures import ERRORS, takes
from unpool.server.work import Desk


class Two(BaseModel):
    """Two pictures' bytes, in Base64."""

    first: Base64Bytes
    second: Base64Bytes


_TWO = {"application/json": {"schema": Two.model_json_schema()}}


def router(desk: Desk, device: str) -> APIRouter:
    """The routes of faces that need no gallery."""
    routes = APIRouter(prefix="/v1/faces")

    @routes.post(
        "/detect",
        summary="Every face of a picture, the largest first",
        responses=ERRORS,
        openapi_extra=takes("image/*"),
    )
    async def detected(request: Request) -> dict[str, Any]:
        data = await body_of(request, desk.limits.body_bytes)

        def work() -> list[dict[str, Any]]:
            picture = read(data, max_pixels=desk.limits.pixels)
            return [_face(one) for one in loaded(device=device).embedded(picture.rgb(), detect(picture))]

        return {"faces": await desk.do(work)}

    @routes.post(
        "/verify",
        summary="Do two pictures show one person?",
        responses=ERRORS,
        openapi_extra={"requestBody": {"required": True, "content": _TWO}},
    )
    async def verified(
        request: Request,
        explain: Annotated[bool, Query(description="Also show what made the faces resemble each other.")] = False,
    ) -> dict[str, Any]:
        data = await body_of(request, desk.limits.body_bytes)
        try:
            two = Two.model_validate_json(data)
        except ValidationError:
            raise HTTPException(422, 'give {"first": ..., "second": ...}, each a picture in Base64') from None

        def work() -> dict[str, Any]:
            first, second = (read(one, max_pixels=desk.limits.pixels) for one in (two.first, two.second))
            found = verify(first, second, device=device)
            shown = why(loaded(device=device), found) if explain else (None, None)
            return _answer(found, *shown)

        return await desk.do(work)

    return routes


def _answer(found: Verification, first: Shown | None, second: Shown | None) -> dict[str, Any]:
    answer = {name: getattr(found, name) for name in ("same", "similarity", "threshold", "probability", "reason")}
    for name, one, shown in (("first", found.first, first), ("second", found.second, second)):
        answer[name] = _face(one) | {"crop": _png(Picture.from_tensor(one.crop))}
        if shown is not None:
            answer[name]["likeness"] = _png(shown.similarity)
    return answer


def _face(one: Embedded) -> dict[str, Any]:
    face = {} if one.face is None else {k: v if k == "score" else v.tolist() for k, v in asdict(one.face).items()}
    return face | {"quality": one.quality, "reason": one.reason}


def _png(picture: Picture) -> str:
    return base64.b64encode(to_bytes(picture, ".png")).decode()
