"""The page in a real browser: it asks for nothing, its slider and its pictures work by keyboard, it fits a phone."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from unpool.images.page import Page

BROWSER = next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "google-chrome"))), None)

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no browser: apt-get install chromium-headless-shell")


@pytest.fixture(scope="module")
def page_file(tmp_path_factory) -> Path:
    grey = np.linspace(0, 255, 300, dtype=np.uint8)[None].repeat(200, 0)
    page = Page("Title", "Lead.")
    page.section("One", "Text.")
    page.slider(grey, 255 - grey, "Slide.", names=("dark", "light"))
    page.section("Two")
    page.figure([(grey, "a caption\nand a note")] * 5, size="small")
    page.table([["a name"] + ["12.345 MB"] * 12], header=["x"] * 13)
    page.code("unpool " + "very-long-word" * 20)
    return page.write(tmp_path_factory.mktemp("page") / "page.html")


@pytest.fixture
def browser():
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield started
        started.close()


def test_by_keyboard_on_a_phone_and_wide_in_light_and_dark(browser, page_file):
    for width, scheme, paper in ((390, "dark", "rgb(20, 22, 26)"), (1280, "light", "rgb(251, 250, 247)")):
        asked, complaints = [], []
        tab = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme).new_page()
        tab.on("request", lambda request, asked=asked: asked.append(request.url))
        tab.on("console", lambda message, complaints=complaints: complaints.append(message.text))
        tab.on("pageerror", lambda error, complaints=complaints: complaints.append(str(error)))
        tab.goto(page_file.as_uri())
        assert tab.evaluate("document.documentElement.scrollWidth") == width
        assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == paper
        assert tab.evaluate("[...document.querySelectorAll('main img')].every(image => image.naturalWidth > 0)")

        tab.focus(".slider input")
        tab.keyboard.press("Home")
        assert tab.evaluate("document.querySelector('.pair').style.getPropertyValue('--cut')") == "0%"
        for _ in range(3):
            tab.keyboard.press("ArrowRight")
        assert tab.evaluate("document.querySelector('.pair').style.getPropertyValue('--cut')") == "3%"

        tab.focus(".enlarge")
        tab.keyboard.press("Enter")
        assert tab.locator("dialog[open] p").inner_text() == "a caption\nand a note"
        tab.keyboard.press("Escape")
        assert tab.locator("dialog[open]").count() == 0
        assert [url for url in asked if not url.startswith("data:")] == [page_file.as_uri()]
        assert complaints == []
