"""What the bench trains for itself, for a moment each, on made-up data."""

import numpy as np
import pytest

from unpool.autoencoders import lessons
from unpool.autoencoders.family import Supervised
from unpool.autoencoders.samples import FewLabels
from unpool.train.recipe import Budget
from unpool.train.recipe import load as load_recipe


@pytest.fixture
def short(monkeypatch):
    def brief(name):
        return load_recipe(name).model_copy(update={"budget": {"cpu": Budget(steps=2)}, "batch": 8})

    monkeypatch.setattr(lessons, "load_recipe", brief)
    monkeypatch.setattr(lessons, "CURVE_MINUTES", 0.002)


def test_every_other_sample_has_one_of_the_few_labels(data):
    samples, rng = FewLabels(data, 0.1), np.random.default_rng(0)
    assert len(samples.known) == 40
    assert np.bincount(samples.labels[samples.known]).tolist() == [4] * 10
    seen = [samples.sample(index, rng) for index in range(100)]
    assert [int(one["label"]) for one in seen[::2]] == [-1] * 50
    odd = seen[1::2]
    assert {int(one["label"]) for one in odd} == set(range(10))
    for one in odd:
        assert int(one["picture"].mean() * 255 / 20) in (int(one["label"]), int(one["label"]) + 1)
    assert len(FewLabels(data, 1.0).known) == 400


def test_a_classifier_alone_and_with_a_decoder(data, short, monkeypatch):
    monkeypatch.setattr(lessons, "SHARES", (0.1,))
    said = []
    table = lessons.joint(data, said.append)
    assert set(table) == {"10% of the labels"}
    assert set(table["10% of the labels"]) == {"classifier", "classifier and reconstruction"}
    assert all(0 <= value <= 1 for value in table["10% of the labels"].values())
    assert len(said) == 2


def test_a_coder_for_each_code_size(data, short):
    made = lessons.of_code_sizes((3, 5), data, lambda _: None)
    assert {numbers: coder.module.code for numbers, coder in made.items()} == {3: 3, 5: 5}


def test_classes_need_a_head():
    with pytest.raises(ValueError, match="without classes"):
        Supervised(code=4, widths=[4], strides=[4], blocks=0).classify(None)
