"""The wing's functions with a small untrained network: what they take, give and refuse."""

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from unpool.errors import ModelError, PictureError
from unpool.faces import api
from unpool.faces.alignment import TEMPLATE
from unpool.faces.detection import Face
from unpool.faces.enlarger import Enlarge, EnlargeOptions
from unpool.faces.table import write_rows
from unpool.images.reading import as_picture
from unpool.zoo.loading import load
from unpool.zoo.record import Record


@pytest.fixture(scope="module")
def crop():
    return Image.fromarray(data.astronaut()).crop((165, 30, 285, 150)).resize((112, 112))


def test_an_aligned_face_needs_no_detector(model, crop, monkeypatch):
    monkeypatch.setattr(api, "detect", None)
    one = api.embed(crop, aligned=True, model=model)
    assert one.embedding.shape == (16,)
    assert one.embedding.dtype == np.float32
    assert np.linalg.norm(one.embedding) == pytest.approx(1, abs=1e-5)
    assert 0 <= one.quality <= 1
    assert one.face is None
    assert one.reason is None


def test_landmarks_of_the_caller_take_the_place_of_the_detector(model, crop, monkeypatch):
    monkeypatch.setattr(api, "detect", None)
    whole = np.zeros((200, 200, 3), np.uint8)
    whole[40:152, 50:162] = np.asarray(crop)
    found = api.embed(whole, landmarks=TEMPLATE + np.array([50.0, 40.0]), model=model)
    known = api.embed(crop, aligned=True, model=model)
    assert float(found.embedding @ known.embedding) > 0.999
    assert api.align(whole, landmarks=TEMPLATE + np.array([50.0, 40.0])).samples.shape == (112, 112, 3)


def test_an_aligned_face_may_be_of_any_size(model, crop):
    for size in (12, 64, 300):
        assert api.embed(crop.resize((size, size)), aligned=True, model=model).crop.shape == (1, 3, 112, 112)
    with pytest.raises(PictureError, match="square"):
        api.embed(crop.resize((80, 112)), aligned=True, model=model)


def test_one_face_is_itself(model, crop):
    answer = api.verify(crop, crop, aligned=True, model=model)
    assert answer.same
    assert answer.similarity == pytest.approx(1, abs=1e-5)
    assert answer.probability > 0.99
    assert 0 < answer.threshold < 1
    assert answer.reason is None


def test_a_caller_threshold_decides(model, crop):
    assert not api.verify(crop, crop, aligned=True, model=model, threshold=1.01).same


def test_poor_or_tiny_faces_are_not_compared(model, crop):
    vector, noise = torch.zeros(16), torch.rand(1, 3, 112, 112)
    tiny = Face(np.array([0.0, 0, 6, 8]), TEMPLATE, 0.9)
    assert "pixels" in (api._described(vector, 0.9, noise, tiny, 1).reason or "")
    assert "poor" in (api._described(vector, 0.01, noise, None, 1).reason or "")


def test_only_a_decoder_that_helps_visibly_is_said_to_restore(model):
    recogniser = api.loaded(model)
    assert not recogniser.restores
    for better, restores in ((0.001, False), (1.0, True)):
        figures = {"psnr_16": 22.0 + better, "psnr_16_bicubic": 22.0}
        record = recogniser.record.model_copy(update={"figures": figures})
        assert api.Recogniser(recogniser.module, record, recogniser.device).restores is restores


def test_restored_faces_have_the_size_of_the_model(model, enlarger, crop):
    assert api.restore_face(crop, aligned=True, model=model).samples.shape == (112, 112, 3)
    assert api.restore_face(crop.resize((16, 16)), aligned=True, model=enlarger).samples.shape == (128, 128, 3)
    assert api.restore_face(crop, landmarks=TEMPLATE, model=enlarger).samples.shape == (128, 128, 3)


def test_an_open_file_is_read_once(model, crop, tmp_path, monkeypatch):
    crop.save(tmp_path / "face.png")
    face = Face(np.array([0.0, 0, 112, 112]), TEMPLATE, 0.9)
    monkeypatch.setattr(api, "detect", lambda picture: [face] if as_picture(picture).width == 112 else [])
    for call in (api.align, lambda p: api.embed(p, model=model), lambda p: api.restore_face(p, model=model)):
        with open(tmp_path / "face.png", "rb") as file:
            call(file)


def test_a_mirrored_face_is_enlarged_to_the_mirror_image(enlarger):
    restorer = load(enlarger)
    torch.nn.init.normal_(restorer.module.up[-1].operation.weight)  # it begins as bicubic, which is symmetric anyway
    small = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert not torch.allclose(restorer.module(small).flip(3), restorer.module(small.flip(3)), atol=1e-2)
    assert torch.allclose(restorer.enlarge(small).flip(3), restorer.enlarge(small.flip(3)), atol=1e-6)


def test_a_model_of_another_kind_is_one_line(model, enlarger, crop):
    for call in (api.embed, lambda *a, **k: api.verify(crop, *a, **k)):
        with pytest.raises(ModelError, match="is no face recogniser"):
            call(crop, aligned=True, model=enlarger)
    with pytest.raises(ModelError, match="restores no faces"):
        api.restore_face(crop, aligned=True, model="restoration/sr-x4")


def test_an_aligned_face_to_be_enlarged_is_square(enlarger, crop):
    with pytest.raises(PictureError, match="square, not 30x112"):
        api.restore_face(crop.resize((30, 112)), aligned=True, model=enlarger)


def test_the_faces_size_selects_who_restores_it(model, enlarger, crop, monkeypatch):
    monkeypatch.setattr(api, "RECOGNISER", model)
    monkeypatch.setattr(api, "ENLARGER", enlarger)
    monkeypatch.setattr(api.Recogniser, "restores", True)
    for side, shown in ((16, 128), (28, 112), (112, 112)):
        small = crop.resize((side, side))
        assert api.restore_face(small, aligned=True).samples.shape == (shown, shown, 3)
        points = TEMPLATE * (side / 112)
        assert api.restore_face(small, landmarks=points).samples.shape == (shown, shown, 3)
    monkeypatch.setattr(api.Recogniser, "restores", False)
    assert api.restore_face(crop, aligned=True).samples.shape == (128, 128, 3)


def test_training_an_enlarger_can_go_on(enlarger):
    options = EnlargeOptions(channels=(8, 4, 4), blocks=1, start=enlarger)
    begun, trained = Enlarge(options).networks["enlarger"], load(enlarger).module
    small = torch.rand(1, 3, 16, 16)
    assert torch.equal(begun(small), trained(small))
    with pytest.raises(ModelError, match="another shape"):
        Enlarge(EnlargeOptions(start=enlarger))


def test_a_picture_without_a_face_is_refused(model, detector):
    blank = np.full((64, 64, 3), 90, np.uint8)
    for call in (api.embed, api.restore_face):
        with pytest.raises(PictureError, match="no face"):
            call(blank, model=model)
    with pytest.raises(PictureError, match="no face"):
        api.align(blank)


def test_a_photograph_goes_all_the_way(model, detector):
    photograph = data.astronaut()[:256, 100:356]
    one = api.embed(photograph, model=model)
    assert one.face is not None
    assert one.found == 1
    assert api.verify(photograph, photograph, model=model).similarity == pytest.approx(1, abs=1e-5)
    seen = load(model).faces(api.as_picture(photograph))
    assert len(seen) == 1
    np.testing.assert_allclose(seen[0].embedding, one.embedding, atol=1e-5)
    assert seen[0].reason is None


def test_the_predictor_serves_a_gallery(model):
    recogniser = load(model)
    assert isinstance(recogniser, api.Recogniser)
    assert recogniser.identity.dimension == 16
    assert recogniser.calibration is not None
    assert recogniser.threshold(false_match_rate=1e-3) > recogniser.threshold(false_match_rate=1e-2)


def test_batches_equal_single_faces(model):
    recogniser = load(model)
    faces = torch.rand(5, 3, 112, 112)
    whole, qualities = recogniser.embed_crops(faces)
    for number in range(5):
        one, quality = recogniser.embed_crops(faces[number : number + 1])
        torch.testing.assert_close(whole[number : number + 1], one, atol=1e-5, rtol=0)
        torch.testing.assert_close(qualities[number : number + 1], quality, atol=1e-5, rtol=0)


def test_a_network_of_another_kind_is_refused():
    record = Record(name="faces/x", task="faces", network="unpool.faces.model:FaceNetwork")
    with pytest.raises(ModelError, match="recogniser"):
        api.Recogniser(torch.nn.Linear(1, 1), record, torch.device("cpu"))


@pytest.mark.parametrize("name", ["out.npz", "out.csv"])
def test_embeddings_are_written(model, crop, tmp_path, name):
    one = api.embed(crop, aligned=True, model=model)
    write_rows(tmp_path / name, [("a.png", one), ("b.png", one)], "faces/small:0")
    if name.endswith("npz"):
        with np.load(tmp_path / name) as table:
            assert table["path"].tolist() == ["a.png", "b.png"]
            np.testing.assert_array_equal(table["embedding"][0], one.embedding)
            assert str(table["model"]) == "faces/small:0"
    else:
        lines = (tmp_path / name).read_text().splitlines()
        assert len(lines) == 3
        assert lines[0].split(",")[:3] == ["path", "quality", "embedding0"]


def test_why_shows_both_faces(model, crop):
    from unpool.faces.why import why_page

    answer = api.verify(crop, crop.rotate(10), aligned=True, model=model)
    page = why_page(load(model), answer, ("one.png", "two.png")).html()
    assert "one.png" in page
    assert page.count("data:image") == 4  # an untrained decoder shows nothing
