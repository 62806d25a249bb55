"""A door for programs: what the wings do, over HTTP."""
