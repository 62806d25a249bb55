"""A file is wholly there or not there."""

import os
import stat

import pytest

from unpool.errors import UnpoolError
from unpool.images.atomic import atomic


def test_the_new_name_appears_only_at_the_end(tmp_path):
    place = tmp_path / "page.html"
    with atomic(place) as beside:
        beside.write_text("new")
        assert not place.exists()
        assert beside.parent == tmp_path
        assert beside.suffix == ".part"
    assert place.read_text() == "new"
    assert list(tmp_path.iterdir()) == [place]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    place = tmp_path / "page.html"
    place.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic(place) as beside:
        beside.write_text(str(1 / 0))
    assert place.read_text() == "old"
    assert list(tmp_path.iterdir()) == [place]


def test_a_block_that_writes_nothing_makes_nothing(tmp_path):
    with pytest.raises(FileNotFoundError), atomic(tmp_path / "page.html"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_permissions_are_kept_and_links_are_followed(tmp_path):
    place, link = tmp_path / "real", tmp_path / "link"
    place.write_text("old")
    place.chmod(0o640)
    link.symlink_to(place)
    with atomic(link) as beside:
        beside.write_text("new")
    assert link.is_symlink()
    assert place.read_text() == "new"
    assert stat.S_IMODE(place.stat().st_mode) == 0o640


def test_a_device_stays_a_device():
    with atomic(os.devnull) as beside:
        beside.write_text("gone")
    assert not os.path.isfile(os.devnull)


@pytest.mark.parametrize("where", ["missing/page.html", "."])
def test_a_place_that_cannot_be_is_an_error(tmp_path, where):
    with pytest.raises(UnpoolError), atomic(tmp_path / where) as beside:
        beside.write_text("x")


def test_a_very_long_name_still_fits(tmp_path):
    place = tmp_path / ("a" * 250)
    with atomic(place) as beside:
        beside.write_text("x")
    assert place.exists()


def test_the_longest_name_a_file_can_have(tmp_path):
    for name in ("写" * 80 + ".png", "a" * 255):
        with atomic(tmp_path / name) as beside:
            beside.write_text("42")
        assert (tmp_path / name).read_text() == "42"
