"""Faces: one template, people under one number, whole people held out, and the corners without a picture."""

import os

import numpy as np
import pytest
from PIL import Image

from unpool.errors import DataError
from unpool.train.data.faces import (
    MARGIN,
    SHARP,
    TEMPLATE,
    celeba_to_template,
    faces,
    filled,
    halves,
    held_out,
    inside,
    present,
)
from unpool.train.data.pack import Entry, Pack, write_pack
from unpool.train.data.photos import crop, photos


@pytest.mark.parametrize("scale", [1, 2])
def test_celeba_eyes_land_on_the_template_at_both_sizes(scale):
    rows, columns = np.mgrid[: 109 * scale, : 89 * scale]  # a picture that shows where each of its pixels is
    face = celeba_to_template(np.stack([columns, rows, 0 * rows], 2).astype(np.uint8)).astype(float)
    for (x, y), eye in zip(TEMPLATE[:2] + MARGIN, [(34.6, 55.36), (53.45, 55.36)]):
        left, top = int(x), int(y)
        corners = face[top : top + 2, left : left + 2, :2]
        across = corners[:, 0] + (x - left) * (corners[:, 1] - corners[:, 0])
        found = across[0] + (y - top) * (across[1] - across[0]) + 0.5  # PIL cuts what it interpolates down to integers
        np.testing.assert_allclose(found, np.array(eye) * scale, atol=0.6)


def test_corners_without_a_picture_are_found():
    rng = np.random.default_rng(0)
    face = rng.integers(40, 255, (128, 128, 3), dtype=np.uint8)
    assert inside(face).all()
    shown = np.add.outer(np.arange(128), np.arange(128)) > 60
    face[~shown] = rng.integers(0, 6, ((~shown).sum(), 3))
    mask = inside(face)
    assert not mask[~shown].any()
    assert mask.sum() > 0.93 * shown.sum()
    assert not inside(np.zeros((128, 128, 3), np.uint8)).any()


def test_corners_outside_the_picture_are_filled_from_its_border():
    rng = np.random.default_rng(0)
    face = rng.integers(40, 256, (128, 128, 3), dtype=np.uint8)
    assert filled(face) is face
    face[:, :30] = 0
    mask = inside(face)
    made = filled(face)
    assert np.array_equal(made[mask], face[mask])
    first = mask[64].argmax()
    assert (made[64, :first] == face[64, first]).all()
    nothing = np.zeros((128, 128, 3), np.uint8)
    assert filled(nothing) is nothing


def test_a_dark_patch_inside_stays():
    face = np.full((128, 128, 3), 128, np.uint8)
    face[40:80, 40:80] = 0
    assert inside(face).all()


def jpeg(path, size, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, value, value)).save(path)


@pytest.fixture
def small_sets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("UNPOOL_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    data = tmp_path / "data"
    (data / "packs").mkdir(parents=True)
    for person in ("00007", "00012"):
        jpeg(data / f"faces/celeba_aligned/{person}/000001.jpg", (128, 128), int(person))
    jpeg(data / "faces/named_aligned/A_Name/web_1.jpg", (128, 128), 70)
    for number in (1, 2):
        jpeg(data / f"faces/celeba_small/00000{number}.jpg", (89, 109), 90)
    (data / "faces/celeba_small/identity.csv").write_text("picture,person\n000001.jpg,00007\n000002.jpg,7\n")
    jpeg(data / "faces/celeba/img_align_celeba/000009.jpg", (178, 218), 99)
    (data / "faces/celeba/identity_CelebA.txt").write_text("000009.jpg 12\n")
    return data


def test_all_sets_as_one_pack_with_one_number_for_a_person(small_sets):
    pack = faces(64, small_sets)
    assert {tuple(shape) for shape in pack.shapes} == {(64, 64, 3)}
    people = {name: pack.label_names[label] for name, label in zip(pack.names, pack.labels)}
    assert people == {
        "celeba_aligned/00007/000001.jpg": "celeba/00007",
        "celeba_aligned/00012/000001.jpg": "celeba/00012",
        "celeba_small/000001.jpg": "celeba/00007",
        "celeba_small/000002.jpg": "celeba/00007",
        "named_aligned/A_Name/web_1.jpg": "named/A_Name",
        "celeba/000009.jpg": "celeba/00012",
    }
    for i in range(len(pack)):
        assert pack.column("part")[i] == ("held-out" if held_out(people[pack.names[i]]) else "train")


def test_ones_own_people_are_nobody_else(small_sets):
    jpeg(small_sets / "faces/own_aligned/7/me.jpg", (128, 128), 5)
    pack = faces(64, small_sets)
    at = pack.names.index("own_aligned/7/me.jpg")
    assert pack.label_names[pack.labels[at]] == "own/7"
    assert present(pack, (*SHARP, "utkface_aligned")) == ("own-aligned", "celeba-aligned")


def test_a_pack_is_made_once_and_another_when_files_change(small_sets):
    first = faces(64, small_sets).path
    written = first.stat().st_mtime_ns
    assert faces(64, small_sets).path == first
    assert first.stat().st_mtime_ns == written
    jpeg(small_sets / "faces/named_aligned/A_Name/web_2.jpg", (128, 128), 71)
    assert len(faces(64, small_sets)) == 7
    assert first.stat().st_mtime_ns == written


def test_a_pack_serves_without_its_pictures(small_sets):
    number = len(faces(64, small_sets))
    (small_sets / "faces").rename(small_sets / "elsewhere")
    assert len(faces(64, small_sets)) == number


def test_about_a_tenth_of_all_people_is_held_out():
    share = np.mean([held_out(f"celeba/{number:05d}") for number in range(1, 10178)])
    assert 0.09 < share < 0.11


def test_photos_keep_their_test_pictures_out(small_sets):
    for name in ("bsds/1.jpg", "bsds/train/2.jpg", "bsds/val/3.jpg", "cameras/4.jpg"):
        jpeg(small_sets / "photos/train" / name, (40, 30), 50)
    pack = photos(small_sets)
    assert sorted(pack.names) == ["bsds/1.jpg", "bsds/train/2.jpg", "cameras/4.jpg"]
    assert set(pack.column("part")) <= {"train", "validation"}


def test_crops_are_a_function_of_the_generator_and_reflect_where_too_small():
    samples = np.random.default_rng(0).integers(0, 256, (20, 50, 3), dtype=np.uint8)
    one, same = (crop(samples, 16, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one, same)
    assert one.flags.c_contiguous
    assert one.base is None or one.base is not samples
    assert crop(samples, 64, np.random.default_rng(0)).shape == (64, 64, 3)


def test_held_out_people_are_halved_by_person(tmp_path):
    names = [f"celeba/{number:05d}" for number in range(1, 120)]
    entries = [
        Entry(np.zeros((2, 2, 3), np.uint8), f"{name}/{n}.jpg", name, {"part": part, "source": "a"})
        for name in names
        for n in range(2)
        if (part := "held-out" if held_out(name) else "train")
    ]
    write_pack(tmp_path / "small.pack", entries)
    pack = Pack(tmp_path / "small.pack")
    first, second = halves(pack, "a")
    assert len(first)
    assert len(second)
    assert sorted([*first, *second]) == pack.where(part="held-out").tolist()
    assert not set(pack.labels[first]) & set(pack.labels[second])


def test_a_set_that_does_not_say_who_is_who_has_no_labels(small_sets):
    jpeg(small_sets / "faces/utkface_aligned/1_0_0.jpg", (128, 128), 5)
    pack = faces(64, small_sets)
    (unnamed,) = pack.where(part="unnamed")
    assert (pack.names[unnamed], pack.labels[unnamed]) == ("utkface_aligned/1_0_0.jpg", -1)
    assert len(pack.where(part=["train", "held-out"])) == 6


def test_too_few_held_out_people_are_not_halved(tmp_path):
    entries = [
        Entry(np.zeros((2, 2, 3), np.uint8), f"{who}/{n}.jpg", f"named/{who}", {"part": part, "source": "a"})
        for who, part in (("Ada", "held-out"), ("Bob", "held-out"), ("Cy", "held-out"), ("Di", "train"))
        for n in range(2)
    ]
    pack = Pack(write_pack(tmp_path / "few.pack", entries))
    assert [half.tolist() for half in halves(pack, "a")] == [list(range(6))] * 2
    with pytest.raises(DataError, match="nobody in b is held out"):
        halves(pack, "b")


def test_pictures_of_other_sizes_are_no_aligned_faces(small_sets):
    jpeg(small_sets / "faces/own_aligned/A/raw.jpg", (640, 480), 5)
    with pytest.raises(DataError, match="is 640x480, not the template's 128x128"):
        faces(64, small_sets)


def test_lines_that_are_none_in_celebas_list(small_sets):
    place = small_sets / "faces/celeba/identity_CelebA.txt"
    place.write_text("000009.jpg 12\n\n")
    assert "celeba/000009.jpg" in faces(64, small_sets).names
    place.write_text("000009.jpg 12\n000010.jpg\n")
    with pytest.raises(DataError, match="line 2"):
        faces(64, small_sets)


def test_people_whose_names_are_no_utf_8(small_sets):
    name = os.fsdecode(b"caf\xe9")
    jpeg(small_sets / "faces/own_aligned" / name / "me.jpg", (128, 128), 5)
    assert f"own_aligned/{name}/me.jpg" in faces(64, small_sets).names
