"""Every way to name pictures gives the same pictures."""

import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from unpool.batch.sources import Reader, listed
from unpool.errors import PictureError
from unpool.images.reading import read


def test_a_folder_a_glob_a_list_and_parquet_name_the_same(folder, tmp_path):
    (folder / ".hidden.jpg").touch()
    (folder / "below").mkdir()
    (folder / "photo-0000.jpg").rename(folder / "below" / "photo-0000.jpg")
    wanted = sorted(str(path) for path in folder.rglob("[!.]*.*"))
    (tmp_path / "list.txt").write_text("\n".join(wanted) + "\n\n")
    (tmp_path / "relative.txt").write_text("\n".join(path.removeprefix(f"{tmp_path}/") for path in wanted))
    pq.write_table(pa.table({"path": wanted}), tmp_path / "names.parquet")
    for one in (folder, folder / "**" / "[!.]*.*", tmp_path / "list.txt", tmp_path / "relative.txt"):
        assert sorted(listed([str(one)])) == wanted, one
    assert sorted(listed([str(tmp_path / "names.parquet")])) == wanted
    assert list(listed(wanted)) == wanted


@pytest.mark.parametrize("struct", [False, True])
def test_pictures_inside_parquet(folder, tmp_path, struct):
    paths = sorted(folder.glob("photo*"))
    data = [path.read_bytes() for path in paths]
    values = [{"bytes": one, "path": None} for one in data] if struct else data
    (tmp_path / "set.parquet").mkdir()
    place = tmp_path / "set.parquet" / "a.parquet"
    pq.write_table(pa.table({"image" if struct else "bytes": [*values, None]}), place, row_group_size=2)
    names = list(listed([str(tmp_path / "set.parquet")]))
    assert names == [f"{place}#{row}" for row in range(7)]
    reader = Reader()
    for name, path in [*zip(names, paths), (names[0], paths[0])]:
        assert (read(reader(name)).samples == read(path).samples).all()
    with pytest.raises(PictureError, match="holds no picture"):
        reader(names[6])


def test_what_names_no_picture_is_said(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.parquet").write_text("no")
    pq.write_table(pa.table({"x": [1]}), tmp_path / "other.parquet")
    for name, said in {
        "empty": "no pictures in",
        "missing": "there is no",
        "*.none": "no pictures in",
        "bad.parquet": "is no Parquet",
        "other.parquet": "has the columns x",
    }.items():
        with pytest.raises(PictureError, match=said):
            list(listed([str(tmp_path / name)]))


def test_lists_with_a_mark_or_bytes_of_no_utf_8(tmp_path):
    (tmp_path / "mark.txt").write_bytes("\ufeffa.png\n".encode())
    (tmp_path / "bytes.txt").write_bytes(b"caf\xe9.png\n")
    assert list(listed([str(tmp_path / "mark.txt")])) == [str(tmp_path / "a.png")]
    assert list(listed([str(tmp_path / "bytes.txt")])) == [str(tmp_path / os.fsdecode(b"caf\xe9.png"))]
    pq.write_table(pa.table({"path": ["a.png", None]}), tmp_path / "names.parquet")
    with pytest.raises(PictureError, match="None where a picture's path belongs"):
        list(listed([str(tmp_path / "names.parquet")]))
