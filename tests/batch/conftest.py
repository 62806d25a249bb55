"""Small real pictures, and among them what is none."""

import pytest

pytest.importorskip("ray", reason="ray is not installed: pip install 'unpool[batch]'")
pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install 'unpool[batch]'")

from unpool.batch.bench import photographs


@pytest.fixture
def folder(tmp_path):
    """Six pictures of 96 pixels a side, one cut short, and a text with a picture's name."""
    place = tmp_path / "in"
    photographs(place, 6, side=96)
    whole = (place / "photo-0000.jpg").read_bytes()
    (place / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (place / "text.png").write_text("not a picture")
    return place
