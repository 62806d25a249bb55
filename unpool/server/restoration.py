"""/v1/restore: pictures made larger, cleaner or sharper; small ones together."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any, Literal, get_args

import torch
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from unpool.errors import PictureError
from unpool.images.picture import Picture
from unpool.images.reading import read
from unpool.restoration.api import Plan, Restored, restore
from unpool.restoration.plan import Predictor, Wish, make_plan
from unpool.server.guard import body_of
from unpool.server.pictures import ERRORS, MEDIA, Format, InFormat, gives, models, picture_answer, takes
from unpool.server.work import Desk

Task = Literal["auto", "sr", "photo", "denoise", "jpeg", "deblur"]
Job = Annotated[
    str | None,
    Query(pattern="^[A-Za-z0-9-]{16,64}$", description="A random name of yours, to ask by how far it is."),
]
SMALL_BODY, SMALL = 200_000, 256 * 256  # bytes and pixels of pictures that are restored several at once


def router(desk: Desk, device: str) -> APIRouter:
    """The routes of restoration."""
    routes = APIRouter(prefix="/v1/restore")
    progress: dict[str, float] = {}

    @routes.post(
        "",
        summary="Make a picture larger, cleaner or sharper",
        response_class=Response,
        responses=gives(*MEDIA),
        openapi_extra=takes("image/*"),
    )
    async def restored(
        request: Request,
        scale: Annotated[float | None, Query(gt=0, le=4, examples=[4])] = None,
        task: Task = "auto",
        strength: Annotated[float, Query(ge=0, le=1)] = 0.0,
        job: Job = None,
        form: InFormat = "png",
    ) -> Response:
        data = await body_of(request, desk.limits.body_bytes)
        decode = partial(decoded, desk.limits.pixels, scale)
        finish = partial(answer, form)
        if task != "auto" and len(data) <= SMALL_BODY:
            work = partial(together, scale=scale, task=task, strength=strength, device=device)
            return await desk.together((task, scale, strength, form), decode, work, finish, data)

        def alone(report: Callable[[int, int], None] | None) -> Response:
            done = restore(
                decode(data),
                scale=scale,
                task=task,
                strength=strength,
                device=device,
                progress=report,
            )
            return finish(done)

        if job is None:
            return await desk.do(alone, None)
        if job in progress:
            raise HTTPException(422, "this job's name is taken: choose a random one")

        def report(done: int, everything: int) -> None:
            if job in progress:  # else nobody waits for it any more
                progress[job] = done / everything

        progress[job] = 0.0
        try:
            return await desk.do(alone, report)
        finally:
            progress.pop(job, None)

    @routes.get("/tasks", summary="The tasks that there are weights for", responses=ERRORS)
    def tasks() -> dict[str, list[str]]:
        kinds = {name.partition("-x")[0] for name in models("restoration")}
        return {"tasks": [task for task in get_args(Task) if task == "auto" or task in kinds]}

    @routes.get("/{job}", summary="How far a job under way is, 0 to 1; null for any other", responses=ERRORS)
    def how_far(job: str) -> dict[str, float | None]:
        return {"done": progress.get(job)}

    return routes


def decoded(pixels: int, scale: float | None, data: bytes) -> Picture:
    """The picture of a body, if it and the result keep within so many pixels."""
    picture = read(data, max_pixels=pixels)
    if picture.height * picture.width * (scale or 1) ** 2 > pixels:
        raise PictureError(f"the result would have more than {pixels:,} pixels: give a smaller scale")
    return picture


def answer(form: Format, done: Restored) -> Response:
    """What is sent back."""
    found = {} if done.found is None else {"X-Unpool-Found": str(done.found)}
    return picture_answer(done.picture, form, {"X-Unpool-Steps": "; ".join(done.steps), **found})


def together(pictures: Sequence[Picture], *, strength: float, **wishes: Any) -> list[Restored]:
    """Pictures restored by one task: small opaque ones of one size in one pass of the network, the others alone."""
    answers: dict[int, Restored] = {}
    shapes: dict[tuple[int, ...], list[int]] = {}
    for number, picture in enumerate(pictures):
        if picture.alpha is None and picture.bit_depth == 8 and picture.height * picture.width <= SMALL:
            shapes.setdefault(picture.samples.shape, []).append(number)
    for numbers in shapes.values():
        plan = make_plan(Wish(strength=strength, **wishes), pictures[numbers[0]])
        if len(numbers) > 1 and all(isinstance(step, Predictor) for step in plan.steps):
            made = _in_one_pass(plan, [pictures[number] for number in numbers], strength)
            answers |= dict(zip(numbers, made))
    return [
        answers.get(number) or restore(picture, strength=strength, **wishes) for number, picture in enumerate(pictures)
    ]


def _in_one_pass(plan: Plan, pictures: Sequence[Picture], strength: float) -> list[Restored]:
    planes = torch.cat([picture.tensor() for picture in pictures])
    for step in plan.steps:
        planes = step.tensor(planes, strength).clamp(0, 1)
    return [
        Restored(Picture.from_tensor(one, like=picture), plan.names, None, 0.0, picture)
        for one, picture in zip(planes.split(1), pictures)
    ]
