"""`unpool keys`: who may call the service."""

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Make, list and revoke keys of the service.")

File = Annotated[Path | None, typer.Option("--keys", metavar="FILE", help="File of API keys.")]


def _store(path: Path | None, create: bool = False):  # type: ignore[no-untyped-def]
    from unpool.cli.serve import keys_file
    from unpool.server.keys import KeyStore

    return KeyStore(path or keys_file(), create)


@app.command("make")
def make(
    scope: Annotated[
        list[str],
        typer.Option(help="restore, compress, explain, generate, embed, faces, metrics, gallery:NAME, gallery:* or *."),
    ],
    keys: File = None,
) -> None:
    """Make a key and print it. It is shown this once."""
    print(_store(keys, create=True).make(scope))


@app.command("list")
def list_keys(keys: File = None, as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """List keys by id, never their secrets."""
    rows = [{"id": k.id, "scopes": k.scopes, "made": k.made, "revoked": k.revoked} for k in _store(keys).list()]
    if as_json:
        print(json.dumps({"keys": rows}))
        return
    for row in rows:
        state = f"revoked {row['revoked']}" if row["revoked"] else "open"
        print(f"{row['id']}  {' '.join(row['scopes'])}  made {row['made']}  {state}")


@app.command("revoke")
def revoke(
    key: Annotated[str, typer.Argument(help="The key's id, as `unpool keys list` shows it.")], keys: File = None
) -> None:
    """Let a key open nothing from now on."""
    _store(keys).revoke(key)
    print(f"revoked: {key}")
