"""/v1/explain: what a network saw in a picture, and the units that one may ask for."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Annotated, Any, Literal

import torch
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from torch import Tensor, nn

from unpool.errors import ModelError
from unpool.explanation.api import explain
from unpool.explanation.methods import top_classes
from unpool.explanation.shadow import shadow
from unpool.explanation.subject import Subject
from unpool.explanation.trace import forward
from unpool.faces.api import align
from unpool.images.picture import Picture
from unpool.images.reading import read
from unpool.server.guard import body_of
from unpool.server.pictures import ERRORS, MEDIA, InFormat, gives, models, offered, picture_answer, takes
from unpool.server.work import Desk
from unpool.train.data.faces import MARGIN
from unpool.zoo.imagenet import EfficientNetLite0Package
from unpool.zoo.loading import load
from unpool.zoo.weights import read_record, shipped

_CLASSIFIER = "efficientnet-lite0"  # it travels in a package of its own, so it is always there
Model = Annotated[str, Query(max_length=80, examples=[_CLASSIFIER])]
Layer = Annotated[str | None, Query(max_length=80)]
Align = Annotated[bool, Query(alias="align", description="Find and align the largest face first.")]


def router(desk: Desk, device: str) -> APIRouter:
    """The routes of explanation."""
    routes = APIRouter(prefix="/v1/explain")

    @routes.post(
        "",
        summary="Show what a network saw in a picture",
        response_class=Response,
        responses=gives(*MEDIA),
        openapi_extra=takes("image/*"),
    )
    async def explained(
        request: Request,
        model: Model = _CLASSIFIER,
        find_face: Align = False,
        method: Annotated[str, Query(max_length=40, examples=["grad-cam"])] = "guided",
        target: Annotated[str | None, Query(max_length=80, examples=["Egyptian cat"])] = None,
        layer: Layer = None,
        style: Annotated[Literal["auto", "projection", "overlay", "seen"], Query()] = "auto",
        form: InFormat = "png",
    ) -> Response:
        data = await body_of(request, desk.limits.body_bytes)

        def work() -> Response:
            subject = _subject(model, device)
            picture = _given(data, desk.limits.pixels, find_face)
            if style == "seen":
                return picture_answer(subject.picture(subject.inputs(picture)), form)
            wanted = int(target) if target is not None and target.isdecimal() and target.isascii() else target
            found = explain(subject, picture, target=wanted, layer=layer, method=method)
            summary = {"target": found.described(), "method": found.method, "score": float(found.scores[0])}
            # Headers are ASCII; JSON escapes the rest.
            return picture_answer(found.picture(style), form, {"X-Unpool-Explanation": json.dumps(summary)})

        return await desk.do(work)

    @routes.get("/models", summary="The networks that can be looked into", responses=ERRORS)
    async def networks() -> dict[str, Any]:
        return {"models": await desk.do(lambda: [_about(name) for name in _known()])}

    @routes.post(
        "/units",
        summary="The classes a network finds in a picture, its layers, and a layer's strongest units",
        responses=ERRORS,
        openapi_extra=takes("image/*"),
    )
    async def units(
        request: Request,
        model: Model = _CLASSIFIER,
        find_face: Align = False,
        layer: Layer = None,
        count: Annotated[int, Query(ge=1, le=64)] = 12,
        row: Annotated[int | None, Query(ge=0, le=4096, description="Only this place of the layer.")] = None,
        column: Annotated[int | None, Query(ge=0, le=4096)] = None,
    ) -> dict[str, Any]:
        data = await body_of(request, desk.limits.body_bytes)

        def work() -> dict[str, Any]:
            subject = _subject(model, device)
            seen = _Look(subject, subject.inputs(_given(data, desk.limits.pixels, find_face)))
            return seen.described(layer, count, None if row is None or column is None else (row, column))

        return await desk.do(work)

    return routes


def _known() -> list[str]:
    """The classifier, and this wing's networks; not those that draw what another network knows."""
    own = [f"explanation/{name}" for name in models("explanation")]
    return [_CLASSIFIER, *(name for name in own if not read_record(shipped()[name]).network.endswith(":Inverter"))]


def _about(name: str) -> dict[str, Any]:
    record = EfficientNetLite0Package.record if name == _CLASSIFIER else read_record(shipped()[name])
    return {"name": name, "about": record.headline, "of_faces": name != _CLASSIFIER}


@lru_cache(maxsize=8)
def _subject(model: str, device: str) -> Subject:
    if model not in _known():  # a path of the server's disk is not the caller's to name
        raise ModelError(f"there is no model {model!r} to look into; there are: {', '.join(_known())}")
    return Subject(load(model, device))


def _given(data: bytes, pixels: int, find_face: bool) -> Picture:
    picture = read(data, max_pixels=pixels)
    if not find_face:
        return picture
    if "detection" not in offered():
        raise ModelError("no detector of faces is installed: send aligned faces")
    return align(picture, size=128, margin=MARGIN)


class _Look:
    """One pass of a network over a picture, every convolution's answer kept."""

    def __init__(self, subject: Subject, x: Tensor) -> None:
        self.subject = subject
        twin = shadow(subject.module)
        self.maps: dict[str, Tensor] = {}
        with self._kept(twin):
            self.classes = top_classes(forward(twin, x, gradient=False).output, 5)[0]

    @contextmanager
    def _kept(self, twin: nn.Module) -> Iterator[None]:
        def keep(name: str, _module: nn.Module, _inputs: Any, output: Tensor) -> None:
            self.maps[name] = output.detach()[0]

        named = [(name, module) for name, module in twin.named_modules() if isinstance(module, nn.Conv2d)]
        handles = [module.register_forward_hook(partial(keep, name)) for name, module in named]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def described(self, layer: str | None, count: int, place: tuple[int, int] | None) -> dict[str, Any]:
        """JSON: classes by probability, the last layer of every resolution, and the strongest units of one."""
        last = {values.shape[1:]: name for name, values in self.maps.items()}
        chosen = layer or next(reversed(self.maps))
        if chosen not in self.maps:
            raise ModelError(f"there is no layer {chosen!r}; there are: {', '.join(last.values())}")
        values = self.maps[chosen].float().cpu()
        if place is not None and not (place[0] < values.shape[1] and place[1] < values.shape[2]):
            raise ModelError(f"the layer has {values.shape[1]} rows and {values.shape[2]} columns, counted from 0")
        strength = values.amax((1, 2)) if place is None else values[:, place[0], place[1]]
        names = self.subject.names
        return {
            "classes": [
                {"index": i, "name": names[i] if names else f"class {i}", "probability": p} for i, p in self.classes
            ],
            "layers": [
                {"name": name, "units": len(self.maps[name]), "rows": rows, "columns": columns}
                for (rows, columns), name in last.items()
            ],
            "layer": chosen,
            "units": [
                {"unit": unit, "strength": float(strength[unit]), "map": _thumbnail(values[unit])}
                for unit in strength.topk(min(count, len(strength))).indices.tolist()
            ],
        }


def _thumbnail(values: Tensor, most: int = 28) -> list[list[int]]:
    """Where a unit answered: its positive values as rows of 0 to 255, at most 28x28."""
    positive = values.clamp(min=0)
    if max(values.shape) > most:
        positive = nn.functional.adaptive_max_pool2d(positive[None], most)[0]
    return (positive / positive.amax().clamp(min=1e-12) * 255).round().to(torch.uint8).tolist()
