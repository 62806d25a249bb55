"""Where sets are looked for, and what is said when one is not there."""

import pytest

from unpool.errors import DataError
from unpool.train.data.find import find, pack_path, roots
from unpool.train.data.sets import SETS


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A working folder with ./data and ../shared/data, and two more data folders."""
    work = tmp_path / "work"
    named = {
        "data": work / "data",
        "shared": tmp_path / "shared" / "data",
        "given": tmp_path / "given",
        "environment": tmp_path / "environment",
    }
    for folder in named.values():
        folder.mkdir(parents=True)
    monkeypatch.chdir(work)
    monkeypatch.setenv("UNPOOL_DATA", str(named["environment"]))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return named


def test_the_order_of_the_folders(places):
    for place in reversed(["given", "environment", "data", "shared"]):
        folder = places[place] / "faces" / "lfw"
        folder.mkdir(parents=True)
        assert find("lfw", places["given"]).resolve() == folder.resolve()


def test_a_path_below_a_data_folder_or_anywhere(places, tmp_path):
    (places["shared"] / "photos/test/kodak").mkdir(parents=True)
    assert find("photos/test/kodak").resolve() == find("kodak").resolve()
    own = tmp_path / "own.pack"
    own.touch()
    assert find(own) == own


def test_a_missing_set_says_what_to_place_where(places):
    for name in (name for name, known in SETS.items() if not known.installed):
        with pytest.raises(DataError, match=f"{name} is not here.*(https?://|your own).*DATA/") as caught:
            find(name)
        assert "\n" not in str(caught.value)


def test_an_unknown_name_gets_the_nearest(places):
    with pytest.raises(DataError, match="did you mean kodak"):
        find("kodac")
    with pytest.raises(DataError, match="unpool data list"):
        find("nothing/like/it")


def test_a_data_folder_that_is_not_there(places):
    with pytest.raises(DataError, match="does not exist"):
        roots(places["given"] / "missing")


def test_packs_lie_where_they_are_or_in_the_cache(places, tmp_path):
    assert pack_path("x.pack") == tmp_path / "cache/unpool/packs/x.pack"
    (tmp_path / "work/packs").mkdir()
    assert pack_path("x.pack").resolve() == tmp_path / "work/packs/x.pack"
    (places["given"] / "packs").mkdir()
    (places["given"] / "packs/x.pack").touch()
    assert pack_path("x.pack", places["given"]) == places["given"] / "packs/x.pack"
