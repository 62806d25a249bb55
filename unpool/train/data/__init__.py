"""Training data: where sets lie, how their folders are laid out, and packs that are read without decoding."""
