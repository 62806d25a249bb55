"""Folders of pictures, LFW's list of pairs, and idx files."""

import gzip

import numpy as np
import pytest
from PIL import Image

from unpool.errors import DataError, PictureError
from unpool.train.data.fashion import FashionSamples, fashion, read_idx
from unpool.train.data.folders import entries, pictures, rgb8, square
from unpool.train.data.lfw import lfw_pairs


def draw(path, size=(20, 14), mode="RGB", value=100):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value if mode in ("L", "I;16") else (value,) * len(mode)).save(path)
    return path


def test_one_folder_per_class_or_none(tmp_path):
    for name in ("b/2.png", "a/1.png", "a/deep/3.png", "flat.png", ".hidden/4.png", "a/notes.txt"):
        draw(tmp_path / name) if name.endswith("png") else (tmp_path / name).write_text("x")
    (tmp_path / "empty").mkdir()
    found = pictures(tmp_path)
    assert [(one.name, one.label) for one in found] == [
        ("a/1.png", "a"),
        ("a/deep/3.png", "a/deep"),
        ("b/2.png", "b"),
        ("flat.png", None),
    ]
    with pytest.raises(DataError, match="no pictures"):
        pictures(tmp_path / "empty")
    with pytest.raises(DataError, match="not a folder"):
        pictures(tmp_path / "missing")


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "I;16"])
def test_every_mode_becomes_8_bit(tmp_path, mode):
    path = draw(tmp_path / "x.png", mode=mode, value=257 * 100 if mode == "I;16" else 100)
    assert rgb8(path).shape == (14, 20, 3)
    assert rgb8(path, grey=True).shape == (14, 20, 1)
    assert (rgb8(path) == 100).all()


def test_squares_keep_the_middle(tmp_path):
    samples = np.zeros((10, 30, 3), np.uint8)
    samples[:, 10:20] = 200
    assert (square(samples, 10) == 200).all()
    assert (square(samples, 5) == 200).all()
    assert square(samples[:, :, :1], 5).shape == (5, 5, 1)


def test_a_broken_picture_is_named(tmp_path):
    draw(tmp_path / "good.png")
    (tmp_path / "z.png").write_bytes(b"not a picture")
    with pytest.raises(PictureError, match=r"z\.png"):
        list(entries(tmp_path))


@pytest.mark.parametrize("where", ["images", "lfw-deepfunneled", "lfw", "."])
def test_lfw_in_either_layout(tmp_path, where):
    for person, number in (("A_B", 1), ("A_B", 2), ("C", 1), ("D", 12)):
        draw(tmp_path / where / person / f"{person}_{number:04d}.jpg")
    (tmp_path / "pairs.txt").write_text("2\t1\nA_B\t1\t2\nA_B\t1\tC\t1\nA_B\t2\t1\nC\t1\tD\t12\n")
    folds = lfw_pairs(tmp_path)
    assert [[pair.same for pair in fold] for fold in folds] == [[True, False], [True, False]]
    assert folds[1][1].second == tmp_path / where / "D" / "D_0012.jpg"
    (tmp_path / where / "C/C_0001.jpg").unlink()
    with pytest.raises(DataError, match=r"C_0001\.jpg"):
        lfw_pairs(tmp_path)


@pytest.mark.parametrize("text", ["", "10", "1 1\nA 1 2\n", "1 1\nA 1 x\nB 1 C 2\n", "0 0\n"])
def test_a_list_of_pairs_that_is_none(tmp_path, text):
    (tmp_path / "pairs.txt").write_text(text)
    with pytest.raises(DataError, match=r"pairs\.txt"):
        lfw_pairs(tmp_path)


def idx(array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return header + array.tobytes()


@pytest.fixture
def small_fashion(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "fashion-mnist"
    folder.mkdir()
    for prefix, number, pack in (("train", 5012, gzip.compress), ("t10k", 7, bytes)):
        suffix = ".gz" if pack is gzip.compress else ""
        pictures_ = rng.integers(0, 256, (number, 28, 28), dtype=np.uint8)
        (folder / f"{prefix}-images-idx3-ubyte{suffix}").write_bytes(pack(idx(pictures_)))
        labels = np.arange(number, dtype=np.uint8) % 10
        (folder / f"{prefix}-labels-idx1-ubyte{suffix}").write_bytes(pack(idx(labels)))
    return tmp_path


def test_fashion_in_three_parts(small_fashion):
    assert [len(fashion(part, small_fashion).labels) for part in ("train", "validation", "test")] == [12, 5000, 7]
    assert fashion("test", small_fashion).labels.tolist() == list(range(7))


def test_fashion_samples_are_a_function_of_the_generator(small_fashion):
    moved = FashionSamples("train", small_fashion, shift=2)
    one, same, other = (moved.sample(3, np.random.default_rng(seed))["picture"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert one.shape == (1, 28, 28)
    assert not np.array_equal(one, other)
    plain = FashionSamples("train", small_fashion)
    np.testing.assert_array_equal(plain.sample(3, np.random.default_rng(0))["picture"], moved.batch(3, 4)[0])


@pytest.mark.parametrize("damage", [lambda raw: raw[:-1], lambda raw: raw + b"x", lambda raw: b"\0\0\x0d" + raw[3:]])
def test_damaged_idx_files(tmp_path, damage):
    path = tmp_path / "x"
    path.write_bytes(damage(idx(np.zeros((3, 2), np.uint8))))
    with pytest.raises(DataError, match="x "):
        read_idx(path)
    path = tmp_path / "x.gz"
    path.write_bytes(b"no gzip")
    with pytest.raises(DataError, match="get it again"):
        read_idx(path)
