"""`python -m unpool`."""

from unpool.cli import main

main()
