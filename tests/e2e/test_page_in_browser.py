"""The page in a real browser: it asks for nothing, its slider and its pictures work by keyboard, it fits a phone."""

from pathlib import Path

import numpy as np
import pytest

from unpool.images.page import Page


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


def test_by_keyboard_on_a_phone_and_wide_in_light_and_dark(chromium, page_file):
    for width, scheme, paper in ((390, "dark", "rgb(20, 22, 26)"), (1280, "light", "rgb(251, 250, 247)")):
        asked, complaints = [], []
        tab = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme).new_page()
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
