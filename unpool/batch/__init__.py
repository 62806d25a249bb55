"""Millions of pictures: the wings' work on many cores or machines, by Ray Data."""
