"""/v1/galleries/NAME: enrol, identify, verify, erase."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from threading import Lock
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Query, Request
from fastapi import Path as InPath
from starlette.exceptions import HTTPException

from unpool.errors import GalleryError, MissingExtraError
from unpool.faces.gallery import Gallery
from unpool.images.reading import read
from unpool.server.guard import body_of
from unpool.server.keys import is_name
from unpool.server.pictures import ERRORS, Mistake, takes
from unpool.server.work import Desk

Name = Annotated[str, InPath(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$", examples=["staff"])]
Person = Annotated[str, InPath(min_length=1, max_length=200, examples=["Ada Lovelace"])]
_PREFIX = "gallery-"  # of the names of databases
_MISSING: dict[int | str, dict[str, Any]] = {**ERRORS, 404: {"description": "No such gallery.", "model": Mistake}}


class Shelf:
    """The galleries of a folder, a file each, or of a PostgreSQL server, a database each; open in a thread of its own.

    place: the folder, or `postgresql://user:password@host`.
    """

    def __init__(self, place: Path | str, embedder: Any) -> None:
        self._place, self._embedder = place, embedder
        self._open: dict[str, tuple[ThreadPoolExecutor, Gallery]] = {}
        self._lock = Lock()
        if isinstance(place, Path):
            place.mkdir(parents=True, exist_ok=True)

    def do(self, name: str, create: bool, work: Any, *arguments: Any) -> Any:
        """`work(gallery, *arguments)` in the gallery's own thread. 404 where there is none and none is to be made."""
        assert is_name(name)
        with self._lock:
            if name not in self._open:
                place = self._found(name, create)
                thread = ThreadPoolExecutor(1, thread_name_prefix=f"gallery-{name}")
                try:
                    opened = thread.submit(Gallery.open, place, embedder=self._embedder).result()
                except BaseException:
                    thread.shutdown()
                    raise
                self._open[name] = (thread, opened)
            thread, gallery = self._open[name]
        return thread.submit(work, gallery, *arguments).result()

    def _found(self, name: str, create: bool) -> Path | str:
        """Where a gallery is, or is to be; 404 where there is none."""
        if isinstance(self._place, Path):
            place: Path | str = self._place / f"{name}.db"
            there = Path(place).exists()
        else:
            place, there = _database(self._place, name, create)
        if not there and not create:
            raise HTTPException(404, f"there is no gallery {name!r}")
        return place

    def names(self) -> list[str]:
        """The galleries there are."""
        if isinstance(self._place, Path):
            return sorted(place.stem for place in self._place.glob("*.db") if is_name(place.stem))
        with _connected(self._place) as db:
            rows = db.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", (f"{_PREFIX}%",)).fetchall()
        return sorted(row[0].removeprefix(_PREFIX) for row in rows)

    def close(self) -> None:
        """Finish what is under way and close every gallery."""
        with self._lock:
            for thread, gallery in self._open.values():
                thread.submit(gallery.close).result()
                thread.shutdown()
            self._open.clear()


@contextmanager
def _connected(server: str) -> Iterator[Any]:
    """A connection to the database server's own database."""
    try:
        import psycopg
    except ImportError:
        raise MissingExtraError("a gallery on PostgreSQL", "postgres") from None
    try:
        with psycopg.connect(urlsplit(server)._replace(path="/postgres").geturl(), autocommit=True) as db:
            yield db
    except psycopg.Error as error:
        raise GalleryError(f"the galleries' database server says: {str(error).strip().splitlines()[0]}") from None


def _database(server: str, name: str, create: bool) -> tuple[str, bool]:
    """The address of a gallery's database, and whether it was there; it is made if it is to be."""
    own = f"{_PREFIX}{name}"  # letters, digits and hyphens, so that quotes are all that it needs
    with _connected(server) as db:
        there = db.execute("SELECT 1 FROM pg_database WHERE datname = %s", (own,)).fetchone() is not None
        if create and not there:
            db.execute(f'CREATE DATABASE "{own}"')
    return urlsplit(server)._replace(path=f"/{own}").geturl(), there


def router(desk: Desk, shelf: Shelf) -> APIRouter:
    """The galleries' routes."""
    routes = APIRouter(prefix="/v1/galleries")

    @routes.get("", summary="The galleries there are", responses=ERRORS)
    async def names() -> dict[str, list[str]]:
        return {"galleries": await desk.do(shelf.names)}

    @routes.get("/{gallery}/people", summary="Everybody enrolled", responses=_MISSING)
    async def people(gallery: Name) -> dict[str, Any]:
        found = await desk.do(shelf.do, gallery, False, Gallery.people)
        return {"people": [asdict(person) for person in found]}

    @routes.post(
        "/{gallery}/people/{person:path}",
        summary="Enrol a person by one picture",
        responses=ERRORS,
        openapi_extra=takes("image/*"),
    )
    async def enroll(request: Request, gallery: Name, person: Person) -> dict[str, Any]:
        data = await body_of(request, desk.limits.body_bytes)

        def work() -> dict[str, Any]:
            picture = read(data, max_pixels=desk.limits.pixels)  # before a gallery is made for it
            return asdict(shelf.do(gallery, True, Gallery.enroll, person, [picture]).person)

        return await desk.do(work)

    @routes.delete("/{gallery}/people/{person:path}", summary="Erase a person and every trace", responses=_MISSING)
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
        "/{gallery}/verify/{person:path}",
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
