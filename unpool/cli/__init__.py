"""The `unpool` command. Each command lives in a file of its own and is imported only when it is called."""

from unpool.cli.main import main

__all__ = ["main"]
