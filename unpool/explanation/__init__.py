"""Wing: what a network saw in a picture, and how far to trust the answer."""
