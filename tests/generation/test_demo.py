from unpool.generation import demo
from unpool.generation.api import load_generation
from unpool.images.page import Page


def test_the_page_shows_a_grid_and_a_walk_of_each_model(monkeypatch, plain, classy):
    small = {"faces": plain, "fashion": classy}
    monkeypatch.setattr(demo, "shipped", lambda: {f"generation/{name}": "" for name in small})
    monkeypatch.setattr(demo, "load_generation", lambda name: load_generation(small[name], "cpu"))
    page = Page("A page")
    demo.sections(page, {})
    text = page.html()
    assert text.count('src="data:image') == 4
    assert "seeds 0 to 63" in text
    assert "unpool generate faces" in text
