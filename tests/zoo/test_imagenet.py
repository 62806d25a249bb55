from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

import unpool
from unpool.errors import DataError, ModelError
from unpool.zoo import imagenet


@pytest.fixture(scope="module")
def classifier():
    return unpool.load("efficientnet-lite0", device="cpu")


def test_classes_are_a_thousand():
    pairs = imagenet.classes()
    assert len(pairs) == 1000
    assert len({synset for synset, _ in pairs}) == len({name for _, name in pairs}) == 1000
    assert pairs[285] == ("n02124075", "Egyptian cat")


def test_a_cat_is_a_cat_however_it_comes(classifier, tmp_path):
    array = skimage.data.chelsea()
    path = tmp_path / "cat.png"
    Image.fromarray(array).save(path)
    tensor = torch.from_numpy(array.transpose(2, 0, 1).copy()).float() / 255
    answers = [classifier.classify(p, top=3) for p in (array, path, Image.open(path), tensor)]
    assert any("cat" in name or name == "tabby" for name, _ in answers[0])
    for other in answers[1:]:
        assert [n for n, _ in other] == [n for n, _ in answers[0]]


def test_input_is_the_published_one(classifier):
    prepared = classifier.prepare(np.full((100, 60, 3), 255, np.uint8))
    assert prepared.shape == (1, 3, 224, 224)
    torch.testing.assert_close(prepared, torch.ones_like(prepared), atol=1e-4, rtol=0)


def test_changed_weights_are_not_read(monkeypatch, tmp_path):
    broken = tmp_path / "w.pth"
    broken.write_bytes(b"not the file")
    monkeypatch.setattr(imagenet.EfficientNetLite0Package, "path", broken)
    with pytest.raises(ModelError, match="hash"):
        imagenet.EfficientNetLite0Package.load()


def test_accuracy_reads_synsets_from_names(classifier, tmp_path):
    Image.fromarray(skimage.data.chelsea()).save(tmp_path / "n02124075_Egyptian_cat.png")
    Image.fromarray(skimage.data.chelsea()).save(tmp_path / "n01440764_tench.png")
    found = imagenet.accuracy(classifier, Path(tmp_path))
    assert found == {"top_1": pytest.approx(0.5, abs=0.5), "top_5": 0.5, "pictures": 2.0}
    with pytest.raises(DataError, match="synset"):
        imagenet.accuracy(classifier, tmp_path / "nowhere")
