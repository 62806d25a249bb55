"""/v1/generate: pictures from seeds, moved along a generator's directions."""

from functools import lru_cache
from typing import Annotated, Any

import torch
from fastapi import APIRouter, Query
from fastapi.responses import Response
from torch import Tensor

from unpool.errors import ModelError, UnpoolError
from unpool.generation.api import Generation, grid, load_generation, pictured
from unpool.server.pictures import ERRORS, MEDIA, InFormat, gives, picture_answer
from unpool.server.work import Desk
from unpool.train.data.fashion import CLASSES

DIRECTIONS = 8
_CLASS_NAMES = {"fashion": CLASSES}


def router(desk: Desk, device: str) -> APIRouter:
    """The routes of generation."""
    routes = APIRouter(prefix="/v1/generate")
    known = pictured()

    @routes.get(
        "",
        summary=f"Generate pictures ({', '.join(known)}), as a grid",
        response_class=Response,
        responses=gives(*MEDIA),
    )
    async def generated(
        model: Annotated[str, Query(max_length=40, examples=known)] = known[0],
        n: Annotated[int, Query(ge=1, le=64)] = 1,
        seed: Annotated[int, Query(ge=0, le=2**31)] = 0,
        label: Annotated[int | None, Query(ge=0, le=1000)] = None,
        truncation: Annotated[float, Query(gt=0, le=1)] = 1.0,
        along: Annotated[
            str,
            Query(
                max_length=100,
                description=f"How far to go along each of up to {DIRECTIONS} directions, as 1.5,0,-2; -5 to 5.",
                examples=["2,-1.5"],
            ),
        ] = "",
        form: InFormat = "png",
    ) -> Response:
        def work() -> Response:
            made = _opened(model, device)
            latents, labels = made.latents(n, seed=seed, label=label, truncation=truncation)
            if along:
                latents = latents + _amounts(along) @ _directions(model, device)
            pictures = made.pictures(latents, labels)
            return picture_answer(pictures[0] if n == 1 else grid(pictures), form)

        return await desk.do(work)

    @routes.get("/models", summary="The generators, their sizes and classes", responses=ERRORS)
    async def generators() -> dict[str, Any]:
        def work() -> list[dict[str, Any]]:
            return [{"name": name, **_described(_opened(name, device))} for name in known]

        return {"models": await desk.do(work)}

    return routes


@lru_cache(maxsize=8)
def _opened(model: str, device: str) -> Generation:
    known = pictured()
    if model not in known:  # a path of the server's disk is not the caller's to name
        raise ModelError(f"there is no generator {model!r}; there are: {', '.join(known)}")
    return load_generation(model, device)


@lru_cache(maxsize=8)
def _directions(model: str, device: str) -> Tensor:
    return _opened(model, device).directions(DIRECTIONS)


def _described(made: Generation) -> dict[str, Any]:
    names = _CLASS_NAMES.get(made.record.name.rpartition("/")[2], ())
    classes = [names[i] if i < len(names) else f"class {i}" for i in range(made.classes)]
    return {
        "height": made.module.size[0],
        "width": made.module.size[1],
        "classes": classes,
        "directions": DIRECTIONS,
        "about": made.record.headline,
    }


def _amounts(text: str) -> Tensor:
    """ "1.5,0,-2" as (8,) float32, zeros behind."""
    try:
        amounts = [float(part) for part in text.split(",")]
    except ValueError:
        raise UnpoolError(f"along is {text!r}: give numbers as 1.5,0,-2") from None
    if len(amounts) > DIRECTIONS or not all(-5 <= amount <= 5 for amount in amounts):
        raise UnpoolError(f"along takes up to {DIRECTIONS} numbers of -5 to 5")
    return torch.tensor(amounts + [0.0] * (DIRECTIONS - len(amounts)))
