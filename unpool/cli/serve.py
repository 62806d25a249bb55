"""`unpool serve`: the wings over HTTP."""

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
    except ImportError:
        raise MissingExtraError("the service", "server") from None
    from unpool.server.keys import KeyStore
    from unpool.server.work import Limits

    place = keys or keys_file()
    if not any(key.revoked is None for key in KeyStore(place).list()):
        raise UnpoolError(
            f"nobody could call: there is no key in {place}; make one with `unpool keys make --scope '*'`"
        )
    limits = Limits(body_mb * 1_000_000, megapixels * 1_000_000, seconds, queue, workers)
    shelf = galleries if galleries is None or galleries.startswith("postgresql://") else Path(galleries)
    application = create_app(Settings(place, shelf, tuple(host_name or ()), limits, device))
    uvicorn.run(
        application, host=host, port=port, log_level="warning", access_log=False, timeout_graceful_shutdown=int(seconds)
    )
