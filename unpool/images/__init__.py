"""Pictures in and out, safely: decoding, colour, EXIF, degradations, metrics, tiles, and a page to show them on."""
