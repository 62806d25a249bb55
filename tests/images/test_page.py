"""The page holds everything it shows, says nothing but what it was given, and is readable by programs."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unpool.errors import UnpoolError
from unpool.images.page import Page
from unpool.images.reading import read

PICTURE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
VOID = {"meta", "img", "input", "br"}


class Outline(HTMLParser):
    """Elements, attributes and text of a page; complains about tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] not in (["style"], ["script"]):
            self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def full_page(text: str = "words") -> Page:
    page = Page(text, text)
    page.figure([(PICTURE, f"{text}\n{text}")], caption=text)
    for size in ("small", "medium", "large"):
        page.section(text, f"{text}\n\n{text}")
        page.subsection(text, text)
        page.figure([(PICTURE, text), (PICTURE[:4, :4], "")], size=size, pixelated=True)
    page.table([(text, 0.5, "3 MB"), (text, 12, text)], header=(text, text, text), caption=text)
    page.code(text, text)
    page.slider(PICTURE, PICTURE, text, names=(text, text))
    return page


def test_nothing_is_fetched_from_anywhere():
    page = full_page().html()
    outline = Outline(page)
    policy = next(
        meta["content"] for meta in outline.all("meta") if "content" in meta and "default-src" in meta["content"]
    )
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy
    for tag, attributes in outline.elements:
        for name in ("src", "href", "action", "data", "poster", "srcset"):
            assert (attributes.get(name) or "#").startswith(("data:image/webp;base64,", "#")), (tag, name)
        assert "style" not in attributes, tag
        assert not any(name.startswith("on") for name in attributes), tag
    assert not re.search(r"url\(|@import|https?://", page)


@settings(max_examples=25, deadline=None)
@given(st.text(min_size=1).filter(lambda text: text.strip() and "`" not in text and "\r" not in text))
def test_any_text_is_shown_as_it_is(text):
    text = " ".join(text.split())
    if not text or not text.isprintable():
        return
    page = Page("title")
    page.section(text, text)
    page.table([(text, text)])
    page.code(text)
    shown = Outline(page.html()).text
    assert shown.count(text) >= 4
    assert Outline(page.html()).all("script") == [{}]


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</style>", "&amp;", "'"]
)
def test_hostile_text_stays_text(text):
    outline = Outline(full_page(text).html())
    assert len(outline.all("script")) == 1
    assert len(outline.all("style")) == 1
    assert not any("onerror" in attributes for _, attributes in outline.elements)
    assert text in outline.text


def test_it_is_built_for_people_and_for_their_tools(tmp_path):
    outline = Outline(full_page().html())
    assert outline.all("html") == [{"lang": "en"}]
    assert all(image["alt"] and image["width"] and image["height"] for image in outline.all("img"))
    anchors = [section["id"] for section in outline.all("section")]
    assert len(set(anchors)) == len(anchors) == 3
    assert [link["href"] for link in outline.all("a")] == [f"#{anchor}" for anchor in anchors]
    headings = [tag for tag, _ in outline.elements if tag in ("h1", "h2", "h3")]
    assert headings[0] == "h1"
    assert headings.count("h1") == 1
    (slider,) = outline.all("input")
    assert slider["type"] == "range"
    assert "words" in slider["aria-label"]
    assert {tag for tag, _ in outline.elements} >= {
        "header",
        "main",
        "footer",
        "nav",
        "figure",
        "figcaption",
        "caption",
    }


def test_numbers_stand_to_the_right_in_columns_of_numbers():
    page = Page("t")
    page.table([("a", 0.123456, "x"), ("b", "12.3 MB", "3")], header=("name", "size", "mixed"))
    html = page.html()
    assert '<td class="number">0.1235</td>' in html
    assert '<th scope="col" class="number">size</th>' in html
    assert '<th scope="col">mixed</th>' in html


def test_pictures_inside_are_the_pictures_given():
    page = Page("t")
    page.figure([(PICTURE, "exact")], pixelated=True)
    (image,) = Outline(page.html()).all("img")
    import base64

    inside = read(base64.b64decode(image["src"].partition(",")[2]))
    assert np.array_equal(inside.samples, PICTURE)
    page.figure([(np.zeros((40, 4000), np.uint8), "wide")])
    assert Outline(page.html()).all("img")[1]["width"] == "1600"


def test_writing_is_whole_or_not_at_all(tmp_path):
    place = full_page().write(tmp_path / "page.html")
    assert place.is_absolute()
    assert place.read_text(encoding="utf-8").startswith("<!doctype html>")
    with pytest.raises(UnpoolError):
        full_page().write(tmp_path / "missing" / "page.html")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_an_unknown_size_is_refused():
    with pytest.raises(ValueError, match="small, medium, large"):
        Page("t").figure([(PICTURE, "")], size="huge")
