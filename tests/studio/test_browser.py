"""Every panel in a real browser, on a phone in the dark and on a desk in the light; by keyboard; checked by axe."""

import json

import pytest

from unpool.zoo.weights import shipped

WINGS = {name.split("/")[0] for name in shipped()}
SHAPES = pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")], ids=["phone", "desk"])


def healthy(page):
    """No serious fault, and nothing wider than the screen."""
    Axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe
    found = Axe().run(page).response["violations"]
    bad = [one for one in found if one["impact"] in ("serious", "critical")]
    assert bad == [], json.dumps([(one["id"], one["nodes"][0]["html"]) for one in bad])
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def started(open_page, *arguments, **keywords):
    page = open_page(*arguments, **keywords)
    page.wait_for_selector("html[data-ready]")
    return page


def given(page, path):
    page.set_input_files("#file", path)
    page.wait_for_selector("#given:not([hidden])")


@SHAPES
def test_restore(open_page, small, width, scheme):
    page = started(open_page, width, scheme)
    healthy(page)
    given(page, small)
    page.click("#restore-go")
    page.wait_for_selector("#restore-facts:not([hidden])")
    facts = page.inner_text("#restore-facts")
    assert "192 × 160" in facts
    assert "noise removed, enlarged" in facts
    page.focus(".viewer input")
    page.keyboard.press("Home")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert page.eval_on_selector("#restore .viewer", "box => box.style.getPropertyValue('--cut')") == "3%"
    page.click("#restore [aria-label=Larger]")
    assert page.inner_text("#restore .zoom button:nth-child(2)").endswith("%")
    with page.expect_download() as saved:
        page.click("#restore-save button:has-text('JPEG')")
    assert saved.value.path().read_bytes()[:2] == b"\xff\xd8"
    healthy(page)


@SHAPES
def test_compress(open_page, small, width, scheme):
    page = started(open_page, width, scheme)
    page.click("#tab-compress")
    given(page, small)
    rows = page.locator("#compress-rows tr")
    page.locator("#compress-rows:not(:has-text('…'))").wait_for()
    before = rows.nth(0).inner_text()
    assert "dB" in before
    page.eval_on_selector(
        "#compress-quality", "it => { it.value = 95; it.dispatchEvent(new Event('input', { bubbles: true })); }"
    )
    page.locator("#compress-rows tr:first-child", has_not_text=before.split("\t")[1]).wait_for()
    page.locator("#compress-rows:not(:has-text('…'))").wait_for()
    for row in rows.all_inner_texts()[1:]:
        assert "dB" in row or "no smaller than" in row
    page.check("#compress-beside [value=webp]", force=True)
    page.locator("#compress .name.left:has-text('WebP')").wait_for()
    with page.expect_download() as saved:
        page.click("#compress-save")
    file = saved.value.path()
    healthy(page)
    again = file.with_suffix(".unp")
    file.rename(again)
    given(page, again)  # and back: an .unp file is a picture too
    page.locator("#given small:has-text('96 × 80')").wait_for()


@SHAPES
def test_explain(open_page, portrait, width, scheme):
    page = started(open_page, width, scheme)
    given(page, portrait)
    page.click("#tab-explain")
    page.wait_for_selector("#explain-save:not([hidden])")
    assert page.locator("#explain-classes button").count() == 5
    box = page.locator("#explain-seen").bounding_box()
    if width < 500:  # by keyboard, from the middle
        page.focus("#explain-seen")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Enter")
        place = "row 3, column 4"
    else:
        page.click("#explain-seen", position={"x": 0.5 * box["width"], "y": 0.1 * box["height"]})
        place = "row 1, column 4"
    page.locator(f"#explain-caption:has-text('{place}')").wait_for()
    page.locator(f"#explain-where:has-text('{place}')").wait_for()
    unit = page.locator("#explain-units button").first
    words = unit.get_attribute("aria-label").lower()
    unit.click()
    page.locator(f"#explain-caption:has-text('{words} ')").wait_for()
    assert unit.get_attribute("aria-pressed") == "true"
    healthy(page)


@pytest.mark.skipif("generation" not in WINGS, reason="no generator is shipped")
@SHAPES
def test_generate(open_page, width, scheme):
    page = started(open_page, width, scheme)
    page.click("#tab-generate")
    page.click("#generate-sheet button:nth-child(3)")
    page.wait_for_selector("#generate-one > img[src]")
    first = page.get_attribute("#generate-one > img", "src")
    page.focus("#generate-sliders input")
    page.keyboard.press("End")
    page.wait_for_selector(f"#generate-one > img:not([src='{first}'])")
    if page.locator("#generate-model input").count() > 1:
        page.locator("#generate-model input").nth(1).check(force=True)
        page.locator("#generate-one").wait_for(state="hidden")
        page.click("#generate-sheet button[title*=',']")
    healthy(page)


@pytest.mark.skipif("faces" not in WINGS, reason="no recogniser is shipped")
@SHAPES
def test_faces(open_page, portrait, width, scheme):
    pytest.importorskip("onnxruntime")
    page = started(open_page, width, scheme)
    given(page, portrait)
    page.click("#tab-faces")
    page.wait_for_selector(".face[aria-pressed=true]")  # the only face is chosen by itself
    if width < 500:
        page.click("#faces-compare")
        page.click("#faces-compare:has-text('first')")
        page.locator(".verdict.yes").wait_for()
        assert page.locator("#faces-two img").count() == 4
        healthy(page)
        return
    page.click("#faces-enrol")
    assert "name" in page.inner_text("#message")
    page.fill("#faces-name", "Eileen")
    page.keyboard.press("Enter")
    page.locator(".face:has-text('Eileen')").wait_for()
    assert page.inner_text("#faces-people").startswith("Eileen")
    healthy(page)
    page.click("#faces-people button")
    page.locator("#faces-people:has-text('Nobody yet')").wait_for()


def test_tabs_by_keyboard_and_colours(open_page):
    page = started(open_page)
    page.focus("#tab-restore")
    page.keyboard.press("ArrowLeft")
    last = page.locator("[role=tab]").last
    assert last.get_attribute("aria-selected") == "true"
    assert page.evaluate("document.activeElement.getAttribute('aria-selected')") == "true"
    paper = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(paper) == "rgb(251, 250, 247)"
    page.click("#theme")
    assert page.evaluate(paper) == "rgb(20, 22, 26)"
    page.reload()
    page.wait_for_selector("html[data-ready]")  # the token outlives a reload, the colours too
    assert page.evaluate(paper) == "rgb(20, 22, 26)"


def test_mistakes_are_one_sentence(open_page, address, tmp_path):
    page = started(open_page)
    (tmp_path / "notes.png").write_text("no picture")
    page.set_input_files("#file", tmp_path / "notes.png")
    page.locator("#message:has-text('cannot show notes.png')").wait_for()
    healthy(page)
    page.click("#message button")
    page.locator("#message").wait_for(state="hidden")
    stranger = open_page(at=address.partition("#")[0])
    stranger.locator("#message:has-text('open the address')").wait_for()
    assert [text for text in open_page.complaints if "401" not in text] == []
    open_page.complaints.clear()


def test_a_wing_that_is_not_there_is_not_on_the_page(open_page):
    def without(page):
        def answer(route):
            paths = {"/v1/restore": {}, "/v1/explain": {}}
            route.fulfill(json={"paths": paths})

        page.route("**/v1/openapi.json", answer)

    page = started(open_page, prepare=without)
    assert page.locator("[role=tab]").all_inner_texts() == ["Restore", "Explain"]
    assert page.locator("#generate, #faces, #compress").count() == 0
