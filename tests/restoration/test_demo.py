"""The wing's part of the demo, for pictures of any size."""

import numpy as np
from skimage import data

from unpool.images.page import Page
from unpool.images.picture import Picture
from unpool.restoration.demo import sections


def test_sections():
    page = Page("A page")
    pictures = {
        "photo": Picture(np.ascontiguousarray(data.coffee()[:50, :63])),
        "grey": Picture(np.full((9, 70, 1), 80, np.uint8)),
        "pixel": Picture(np.zeros((1, 1, 3), np.uint8)),
    }
    sections(page, pictures)
    text = page.html()
    assert "Restore" in text
    assert "dB" in text
    assert "unpool restore" in text
