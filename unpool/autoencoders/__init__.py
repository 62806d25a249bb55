"""Autoencoders: a picture as a few numbers, and the picture again. Codes to store, compare, map and generate from."""
