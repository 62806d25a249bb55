"""`unpool studio` as people start it, and a real browser."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
import skimage.data
from PIL import Image


@pytest.fixture(scope="session")
def address(tmp_path_factory):
    """The address that the command prints, with its token."""
    folder = tmp_path_factory.mktemp("galleries")
    own = tmp_path_factory.mktemp("own")
    command = [sys.executable, "-m", "unpool", "studio", "--port", "0", "--no-browser", "--galleries", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"TMPDIR": str(own)})
    line = process.stdout.readline()
    (keys,) = own.iterdir()
    address = re.search(r"http://127\.0\.0\.1:\d+/#\S+", line)[0]
    yield address
    process.terminate()
    assert process.wait(60) == 0
    assert not keys.exists()
    token = address.partition("#")[2].encode()
    assert not [path for path in own.rglob("*") if path.is_file() and token in path.read_bytes()]


@pytest.fixture
def open_page(chromium, address):
    """Opens the studio at a width; afterwards nothing was asked of anybody else, and nobody complained."""
    contexts, asked, complaints = [], [], []

    def opened(width=1280, scheme="light", at=address, prepare=None):
        context = chromium.new_context(viewport={"width": width, "height": 840}, color_scheme=scheme)
        context.set_default_timeout(60_000)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        if prepare is not None:
            prepare(page)
        page.goto(at)
        return page

    opened.complaints = complaints
    yield opened
    for context in contexts:
        context.close()
    home = address.partition("#")[0]
    assert [url for url in asked if not url.startswith((home, f"blob:{home}", "data:"))] == []
    assert complaints == []


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """A noisy photograph of a cat, 96x80."""
    path = tmp_path_factory.mktemp("small") / "cat.png"
    pixels = skimage.data.chelsea()[60:220:2, 130:322:2]
    noise = np.random.default_rng(0).normal(0, 20, pixels.shape)
    Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8)).save(path)
    return path


@pytest.fixture(scope="session")
def portrait(tmp_path_factory):
    """A photograph of one woman, 260x260."""
    path = tmp_path_factory.mktemp("portrait") / "astronaut.png"
    Image.fromarray(skimage.data.astronaut()[10:270, 95:355]).save(path)
    return path
