"""AVIF of 10 and 12 bits per sample, which Pillow rounds to 8."""

import numpy as np

from unpool.images.memory import stretched


def bits_per_sample(data: bytes) -> int:
    """8, 10 or 12: what the AV1 configuration box says; 8 where there is none."""
    box = data.find(b"av1C")
    if box < 0 or box + 7 > len(data):
        return 8
    flags = data[box + 6]
    if not flags & 0x40:
        return 8
    return 12 if flags & 0x20 else 10


def decode_wide(data: bytes) -> np.ndarray:
    """Samples (H, W) or (H, W, 3 or 4) of the first picture, uint16 over its full range, of a file over 8 bits."""
    import imagecodecs

    levels = np.asarray(imagecodecs.avif_decode(data, index=0))
    return stretched(levels, bits_per_sample(data))
