"""The bench's protocol on made-up embeddings and pictures."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from unpool.faces import protocol
from unpool.faces.alignment import TEMPLATE
from unpool.faces.detection import Face, detect
from unpool.faces.peers import CANVAS, canvas, crops, in_canvas, poor_canvas
from unpool.train.data.lfw import Pair


def picture(person, number):
    return Path(f"{person}/{person}_{number:04d}.jpg")


@pytest.fixture
def folds():
    rng = np.random.default_rng(0)
    made = []
    for fold in range(10):
        same = [Pair(picture(f"p{fold}{n}", 1), picture(f"p{fold}{n}", 2), True) for n in range(6)]
        other = [
            Pair(picture(f"p{fold}{n}", 1), picture(f"p{fold}{(n + rng.integers(1, 5)) % 6}", 2), False)
            for n in range(6)
        ]
        made.append(same + other)
    return made


def test_gather_keeps_pairs(folds):
    gathered = protocol.gather(folds)
    assert gathered.first.shape == (10, 12)
    assert gathered.same.sum() == 60
    for fold, row in zip(folds, range(10)):
        for number, pair in enumerate(fold):
            assert gathered.pictures[gathered.first[row, number]] == pair.first
            assert gathered.pictures[gathered.second[row, number]] == pair.second
    assert ((gathered.person[gathered.first] == gathered.person[gathered.second]) == gathered.same).all()


def test_gather_takes_a_part_of_each_fold(folds):
    gathered = protocol.gather(folds, each=4)
    assert gathered.first.shape == (10, 4)
    assert (gathered.same.sum(1) == 2).all()


def test_fewer_pairs_are_the_ones_gathered_when_fewer_are_asked_for(folds):
    whole = protocol.gather(folds)
    some, needed = protocol.fewer(whole, 4)
    direct = protocol.gather(folds, each=4)
    assert some.pictures == direct.pictures == [whole.pictures[i] for i in needed]
    assert (some.first == direct.first).all()
    assert (some.second == direct.second).all()
    assert (some.same == direct.same).all()


def test_every_recogniser_sees_the_same_poor_faces():
    faces = torch.randint(0, 256, (3, 3, 240, 240), dtype=torch.uint8)
    seen = []

    def embed(good, poor):
        seen.append((good, poor))
        return poor.mean((1, 2, 3))[:, None]

    one, other = protocol.embed_all([embed, embed], faces, protocol.poor(16, "bicubic"))
    assert torch.equal(one, other)
    assert seen[0][1] is seen[1][1]
    for made in (None, protocol.poor(112, "none")):
        (good,) = protocol.embed_all([embed], faces, made)
        assert torch.allclose(good[:, 0], faces.float().mean((1, 2, 3)) / 255)


def test_perfect_and_useless_embeddings(folds):
    gathered = protocol.gather(folds)
    perfect = torch.nn.functional.one_hot(torch.from_numpy(gathered.person)).float()
    assert protocol.fold_accuracy(gathered, perfect, perfect) == (1.0, 0.0)
    assert protocol.true_accepts(gathered, perfect)[0] == 1.0
    mean, error = protocol.fold_accuracy(gathered, *(torch.randn(len(perfect), 8) for _ in range(2)))
    assert 0.3 < mean < 0.7
    assert error > 0


def test_true_accepts_by_hand():
    # Two people with two pictures each on a line: 0, 1 and 10, 14. Pairs of strangers lie at least 9 apart.
    gathered = protocol.Folds([Path("x")] * 4, *(np.zeros((1, 1), int) for _ in range(3)), np.array([0, 0, 1, 1]))
    share, low, high = protocol.true_accepts(gathered, torch.tensor([[0.0], [1.0], [10.0], [14.0]]))
    assert share == 1.0
    assert low == high == 1.0
    share, _, _ = protocol.true_accepts(gathered, torch.tensor([[0.0], [1.0], [10.0], [24.0]]))
    assert share == 0.5


def test_the_central_face_is_taken():
    far = Face(np.array([0.0, 0, 40, 40]), np.full((5, 2), 20.0), 0.9)
    near = Face(np.array([60.0, 60, 90, 90]), np.full((5, 2), 75.0), 0.6)
    assert protocol.central([far, near], 160, 160) is near
    assert protocol.central([], 160, 160) is None


def test_canvas_holds_the_standard_crop():
    face = torch.nn.functional.interpolate(torch.rand(1, 3, 40, 40), (160, 160), mode="bicubic").clamp(0, 1)
    cut = crops(canvas(face, TEMPLATE + 24))
    assert cut.shape == (1, 3, 112, 112)
    torch.testing.assert_close(cut, face[..., 24:136, 24:136], atol=0.05, rtol=0)


@pytest.mark.parametrize("kernel", ["bicubic", "area", "camera"])
def test_poor_canvases_keep_their_size(kernel):
    poor = poor_canvas(torch.rand(2, 3, CANVAS, CANVAS), 16, protocol.spoil(kernel))
    assert poor.shape == (2, 3, CANVAS, CANVAS)
    assert float(poor.std()) < 0.15


def test_an_aligned_face_finds_its_place_in_a_canvas():
    ramp = torch.linspace(0.1, 0.9, 128)
    aligned = torch.stack([ramp[:, None].expand(128, 128), ramp.expand(128, 128), torch.full((128, 128), 0.4)])[None]
    placed = in_canvas(aligned)
    assert placed.shape == (1, 3, CANVAS, CANVAS)
    assert torch.allclose(crops(placed), aligned[..., 8:120, 8:120], atol=2e-3)


@pytest.mark.usefixtures("detector")
def test_a_small_face_is_found_where_it_is_small(tmp_path):
    file = tmp_path / "astronaut.png"
    Image.fromarray(data.astronaut()[:256, 100:356]).save(file)
    landmarks = detect(file)[0].landmarks
    small, found = protocol.find_small([file], [landmarks], 32)
    assert found == 1.0
    whole = protocol.canvases([file], [landmarks])
    there = poor_canvas(whole.float() / 255, 32, protocol.spoil("bicubic"))
    assert float((crops(small.float() / 255) - crops(there)).abs().mean()) < 0.04
    assert protocol.find_small([file], [landmarks], 2)[1] == 0.0
