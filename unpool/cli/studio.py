"""`unpool studio`: a page for people, on this machine."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def studio(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8080,
    galleries: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where known people are kept; by default your data folder.")
    ] = None,
    megapixels: Annotated[int, typer.Option(min=1, help="Largest picture.")] = 50,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page.")] = True,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Open the studio: restore, compress, explain and generate pictures, and find faces, in a web page.

    Pictures stay on this machine. The page's address holds a token made for this run; it stops working when you stop
    the command.
    """
    import signal
    import sys
    import tempfile
    import webbrowser

    from unpool.errors import MissingExtraError

    try:
        import uvicorn

        from unpool.server.app import Settings, create_app
        from unpool.server.listening import listen
    except ImportError:
        raise MissingExtraError("the studio", "server") from None
    from platformdirs import user_data_path

    from unpool.server.keys import KeyStore
    from unpool.server.work import Limits
    from unpool.studio import page

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that the token's file is taken away
    with tempfile.TemporaryDirectory(prefix="unpool-studio-") as own, listen("127.0.0.1", port) as listening:
        keys = Path(own) / "keys.db"
        token = KeyStore(keys).make(["*"])
        limits = Limits(body_bytes=200_000_000, pixels=megapixels * 1_000_000, seconds=900.0)
        shelf = galleries or user_data_path("unpool") / "galleries"
        application = create_app(
            Settings(keys, shelf, (), limits, device, open_paths=frozenset(page.files()), log=False)
        )
        application.include_router(page.router())
        # Behind the # so that it reaches no log and no other server.
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/#{token}"
        print(f"The studio is open at {address}\nStop it with Ctrl+C.", flush=True)
        if browser:
            webbrowser.open(address)
        config = uvicorn.Config(application, log_level="warning", access_log=False, timeout_graceful_shutdown=5)
        uvicorn.Server(config).run(sockets=[listening])
