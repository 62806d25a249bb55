"""/v1/galleries/NAME: enrol, identify, verify, erase."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from threading import Lock
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi import Path as InPath
from starlette.exceptions import HTTPException

from unpool.faces.gallery import Gallery
from unpool.images.reading import read
from unpool.server.guard import body_of
from unpool.server.keys import is_name
from unpool.server.pictures import ERRORS, Mistake, takes
from unpool.server.work import Desk

Name = Annotated[str, InPath(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$", examples=["staff"])]
Person = Annotated[str, InPath(min_length=1, max_length=200, examples=["Ada Lovelace"])]
_MISSING: dict[int | str, dict[str, Any]] = {**ERRORS, 404: {"description": "No such gallery.", "model": Mistake}}


class Shelf:
    """The galleries of a folder, each open in one thread of its own."""

    def __init__(self, folder: Path, embedder: Any) -> None:
        self._folder, self._embedder = folder, embedder
        self._open: dict[str, tuple[ThreadPoolExecutor, Gallery]] = {}
        self._lock = Lock()
        folder.mkdir(parents=True, exist_ok=True)

    def do(self, name: str, create: bool, work: Any, *arguments: Any) -> Any:
        """`work(gallery, *arguments)` in the gallery's own thread. 404 where there is none and none is to be made."""
        assert is_name(name)
        with self._lock:
            if name not in self._open:
                place = self._folder / f"{name}.db"
                if not create and not place.exists():
                    raise HTTPException(404, f"there is no gallery {name!r}")
                thread = ThreadPoolExecutor(1, thread_name_prefix=f"gallery-{name}")
                try:
                    opened = thread.submit(Gallery.open, place, embedder=self._embedder).result()
                except BaseException:
                    thread.shutdown()
                    raise
                self._open[name] = (thread, opened)
            thread, gallery = self._open[name]
        return thread.submit(work, gallery, *arguments).result()

    def close(self) -> None:
        """Finish what is under way and close every gallery."""
        with self._lock:
            for thread, gallery in self._open.values():
                thread.submit(gallery.close).result()
                thread.shutdown()
            self._open.clear()


def router(desk: Desk, shelf: Shelf) -> APIRouter:
    """The galleries' routes."""
    routes = APIRouter(prefix="/v1/galleries")

    @routes.get("/{gallery}/people", summary="Everybody enrolled", responses=_MISSING)
    async def people(gallery: Name) -> dict[str, Any]:
        found = await desk.do(shelf.do, gallery, False, Gallery.people)
        return {"people": [asdict(person) for person in found]}

    @routes.post(
        "/{gallery}/people/{person}",
        summary="Enrol a person by one picture",
        responses=ERRORS,
        openapi_extra=takes("image/*"),
    )
    async def enroll(request: Request, gallery: Name, person: Person) -> dict[str, Any]:
        data = await body_of(request, desk.limits.body_bytes)

        def work(opened: Gallery) -> dict[str, Any]:
            return asdict(opened.enroll(person, [read(data, max_pixels=desk.limits.pixels)]).person)

        return await desk.do(shelf.do, gallery, True, work)

    @routes.delete("/{gallery}/people/{person}", summary="Erase a person and every trace", responses=_MISSING)
    async def erase(gallery: Name, person: Person) -> dict[str, str]:
        erased = await desk.do(shelf.do, gallery, False, Gallery.erase, person)
        return {"erased": erased.id}

    @routes.post(
        "/{gallery}/identify",
        summary="Who is in a picture",
        responses=_MISSING,
        openapi_extra=takes("image/*"),
    )
    async def identify(
        request: Request, gallery: Name, false_alarms: Annotated[float, Query(gt=0, lt=1)] = 0.01
    ) -> dict[str, Any]:
        data = await body_of(request, desk.limits.body_bytes)

        def work(opened: Gallery) -> list[dict[str, Any]]:
            picture = read(data, max_pixels=desk.limits.pixels)
            return [asdict(face) for face in opened.identify(picture, false_alarm_rate=false_alarms)]

        return {"faces": await desk.do(shelf.do, gallery, False, work)}

    @routes.post(
        "/{gallery}/verify/{person}",
        summary="Is this the person?",
        responses=_MISSING,
        openapi_extra=takes("image/*"),
    )
    async def verify(request: Request, gallery: Name, person: Person) -> dict[str, Any]:
        data = await body_of(request, desk.limits.body_bytes)

        def work(opened: Gallery) -> dict[str, Any]:
            return asdict(opened.verify(person, read(data, max_pixels=desk.limits.pixels)))

        return await desk.do(shelf.do, gallery, False, work)

    return routes
