"""Packs: what goes in comes out, and a damaged file never opens."""

import json
import pickle
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unpool.errors import DataError
from unpool.train.data.build import built
from unpool.train.data.pack import MAGIC, TRAILER, Entry, Pack, shard_path, write_pack


def some(number, seed=0, size=None):
    rng = np.random.default_rng(seed)
    for i in range(number):
        shape = (*(size or rng.integers(1, 30, 2)), (1, 3)[i % 2])
        samples = rng.integers(0, 256, shape, dtype=np.uint8)
        yield Entry(samples, f"picture {i}", "ab"[i % 2] if i else None, {"part": ("train", "test")[i % 2], "n": i})


@settings(max_examples=20, deadline=None)
@given(number=st.integers(1, 12), seed=st.integers(0, 99), max_mb=st.sampled_from([None, 0.001, 0.004]))
def test_what_goes_in_comes_out(tmp_path_factory, number, seed, max_mb):
    path = tmp_path_factory.mktemp("packs") / "x.pack"
    write_pack(path, some(number, seed), max_mb=max_mb, note={"from": "a test"})
    pack = Pack(path)
    assert len(pack) == number
    for i, entry in enumerate(some(number, seed)):
        np.testing.assert_array_equal(pack[i], entry.samples)
        assert tuple(pack.shapes[i]) == entry.samples.shape
        assert pack.names[i] == entry.name
        assert (pack.label_names[pack.labels[i]] if pack.labels[i] >= 0 else None) == entry.label
    assert pack.note == {"from": "a test"}
    assert pack.where(part="test").tolist() == list(range(1, number, 2))
    assert pack.where(part=["train"], n=[0, 1, 2]).tolist() == list(range(0, min(number, 3), 2))


def test_shards_have_the_size_one_chooses(tmp_path):
    write_pack(tmp_path / "x.pack", some(20, size=(20, 20)), max_mb=0.004)
    files = sorted(tmp_path.iterdir())
    pack = Pack(tmp_path / "x.pack")
    assert pack.files == len(files) > 3
    for number in range(pack.files):
        samples = struct.unpack("<Q", shard_path(tmp_path / "x.pack", number).read_bytes()[-TRAILER.size :][:8])[0]
        assert samples <= 4000


def test_a_picture_is_a_read_only_view(tmp_path):
    pack = Pack(write_pack(tmp_path / "x.pack", some(3)))
    assert not pack[1].flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        pack[1][0, 0] = 0


def test_a_worker_opens_the_file_instead_of_copying_it(tmp_path):
    pack = Pack(write_pack(tmp_path / "x.pack", some(6, size=(40, 40))))
    sent = pickle.dumps(pack)
    assert len(sent) < 500
    np.testing.assert_array_equal(pickle.loads(sent)[5], pack[5])


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_changed_byte_or_cut_is_noticed(tmp_path_factory, data):
    path = write_pack(tmp_path_factory.mktemp("packs") / "x.pack", some(3))
    whole = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        whole[place] ^= data.draw(st.integers(1, 255))
    else:
        del whole[place:]
    path.write_bytes(whole)
    with pytest.raises(DataError, match="damaged"):
        Pack(path)


@pytest.mark.parametrize(
    "index",
    [
        [],
        {},
        {"shapes": [[1, 1, 1]]},
        {"shapes": [[4, 4, 4]], "names": ["a"], "labels": [0], "columns": {}},
        {"shapes": [[-1, -3, 1]], "names": ["a"], "labels": [0], "columns": {}},
        {"shapes": [[3, 1, 1]], "names": [], "labels": [0], "columns": {}},
        {"shapes": [[2**40, 2**40, 3]], "names": ["a"], "labels": [0], "columns": {}},
        {"shapes": [[3, 1, 1]], "names": ["a"], "labels": [0], "columns": {"part": 3}},
    ],
)
def test_an_index_that_lies_is_refused(tmp_path, index):
    text = json.dumps(index).encode()
    samples = b"abc"
    trailer = TRAILER.pack(8 + len(samples), len(text), zlib.crc32(samples), zlib.crc32(text), MAGIC)
    (tmp_path / "x.pack").write_bytes(MAGIC + samples + text + trailer)
    with pytest.raises(DataError, match="damaged"):
        Pack(tmp_path / "x.pack")


def test_shards_of_another_pack_are_refused(tmp_path):
    write_pack(tmp_path / "x.pack", some(9, size=(20, 20)), max_mb=0.002)
    write_pack(tmp_path / "y.pack", some(9, seed=1, size=(20, 20)), max_mb=0.002)
    with pytest.raises(DataError, match="further shard"):
        Pack(tmp_path / "x.1.pack")
    (tmp_path / "y.1.pack").replace(tmp_path / "x.1.pack")
    with pytest.raises(DataError, match="does not belong"):
        Pack(tmp_path / "x.pack")
    (tmp_path / "x.1.pack").unlink()
    with pytest.raises(DataError, match="no pack"):
        Pack(tmp_path / "x.pack")


def test_a_failure_leaves_nothing_and_keeps_the_old_one(tmp_path):
    path = write_pack(tmp_path / "x.pack", some(2))
    before = path.read_bytes()

    def breaks():
        yield from some(1)
        raise DataError("the second picture is broken")

    for entries in (breaks(), iter([]), [Entry(np.zeros((2, 2, 3)), "floats")]):
        with pytest.raises(DataError):
            write_pack(path, entries)
        assert [one.name for one in tmp_path.iterdir()] == ["x.pack"]
    assert path.read_bytes() == before


def test_columns_must_agree(tmp_path):
    one = Entry(np.zeros((2, 2, 3), np.uint8), "a", None, {"part": "train"})
    with pytest.raises(DataError, match="same columns"):
        write_pack(tmp_path / "x.pack", [one, Entry(one.samples, "b")])
    pack = Pack(write_pack(tmp_path / "x.pack", [one]))
    with pytest.raises(DataError, match="no column"):
        pack.where(split="train")


def test_a_data_folder_that_is_not_there_takes_no_pack_from_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "packs").mkdir()
    made = write_pack(tmp_path / "packs" / f"some-{'0' * 16}.pack", [Entry(np.zeros((2, 2, 3), np.uint8), "a.png")])

    def missing():
        raise DataError("no pictures here")

    assert built("some", lambda folders: iter([]), missing).path == made.relative_to(tmp_path)
    with pytest.raises(DataError, match="does not exist"):
        built("some", lambda folders: iter([]), missing, tmp_path / "nowhere")
