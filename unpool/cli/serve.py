"""`unpool serve`: the wings over HTTP."""

import contextlib
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


def keys_file() -> Path:
    """Where API keys are kept unless one says otherwise."""
    from platformdirs import user_data_path

    return user_data_path("unpool") / "keys.db"


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
    host_name: Annotated[list[str] | None, typer.Option(help="A further host name to answer to.")] = None,
    keys: Annotated[Path | None, typer.Option(metavar="FILE", help="File of API keys.")] = None,
    galleries: Annotated[
        str | None,
        typer.Option(
            metavar="PLACE",
            envvar="UNPOOL_GALLERIES",
            help="Folder of galleries, or postgresql://user:password@host; none without.",
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Requests worked on at once.")] = 1,
    queue: Annotated[int, typer.Option(min=1, help="Requests that may wait; more are answered 429.")] = 32,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long a request may take.")] = 120.0,
    body_mb: Annotated[int, typer.Option(min=1, help="Largest body in megabytes.")] = 50,
    megapixels: Annotated[int, typer.Option(min=1, help="Largest picture.")] = 50,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Serve the wings over HTTP. Every route but /healthz and /readyz needs a key: see `unpool keys`."""
    from unpool.errors import MissingExtraError, UnpoolError

    try:
        import uvicorn

        from unpool.server.app import Settings, create_app
        from unpool.server.listening import listen
    except ImportError:
        raise MissingExtraError("the service", "server") from None
    from unpool.faces.gallery.gallery import on_server
    from unpool.server.keys import KeyStore
    from unpool.server.work import Limits
    from unpool.zoo.runtime import choose_device

    choose_device(device)
    place = keys or keys_file()
    if not any(key.revoked is None for key in KeyStore(place, create=False).list()):
        raise UnpoolError(
            f"nobody could call, there is no key in {place}: `unpool keys make --scope '*' --keys {place}` makes one"
        )
    limits = Limits(body_mb * 1_000_000, megapixels * 1_000_000, seconds, queue, workers)
    shelf = galleries if galleries is None or on_server(galleries) else Path(galleries)
    with listen(host, port) as listening:
        application = create_app(Settings(place, shelf, tuple(host_name or ()), limits, device))
        config = uvicorn.Config(
            application, log_level="warning", access_log=False, timeout_graceful_shutdown=int(seconds)
        )
        with contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listening])
