from types import SimpleNamespace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from unpool.cli.generate import app
from unpool.errors import DataError, UnpoolError
from unpool.generation import sentences as rooms
from unpool.generation.sentences import (
    END,
    LENGTH,
    RecurrentCoder,
    SentenceCoder,
    Writer,
    counted,
    glosses,
    shifted,
    texts,
)
from unpool.generation.sentences_task import _shuffled
from unpool.train import recipe as recipes
from unpool.train.loop import train
from unpool.zoo.loading import load

KINDS, PLACES, WHOLE = ("a small", "a large", "an old"), ("on", "under"), ("tree", "house", "river", "road", "wall")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A WordNet of 150 definitions made from a few words, with examples and headers as in the real one."""
    root = tmp_path_factory.mktemp("data")
    (root / "wordnet").mkdir()
    made = [
        f'00001740 03 n 01 thing 0 000 | {kind} {first} {place} {kind} {second}; "an example"  '
        for kind in KINDS
        for place in PLACES
        for first in WHOLE
        for second in WHOLE
    ]
    for i, part in enumerate(("noun", "verb", "adj", "adv")):
        text = "  1 This software | is a header of many more words\n" + "\n".join(made[i::4])
        (root / "wordnet" / f"data.{part}").write_text(text + "\n")
    rooms.glosses.cache_clear()
    yield root
    rooms.glosses.cache_clear()


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sentences")
    recipe = recipes.load("generation/sentences", ["evaluate_every=1000", "rise=50", "optimiser.lr=0.01"])
    return train(recipe, folder, data=data, steps=100, device="cpu"), folder / "sentences.safetensors"


def test_definitions_are_parted_and_numbered(data):
    text = glosses(100, data)
    rows = np.concatenate(list(text.parts.values()))
    assert len(rows) == len({tuple(row) for row in rows}) == 150
    assert rows.shape[1] == LENGTH
    assert text.words[END] == ""
    assert set(text.words[1:]) == {"a", "an", "small", "large", "old", *PLACES, *WHOLE}
    assert all(len(part) for part in text.parts.values())


def test_a_missing_wordnet_names_the_package(tmp_path, monkeypatch):
    from unpool.train.data import sets

    away = sets.SETS["wordnet"].__class__(**{**sets.SETS["wordnet"].__dict__, "installed": ()})
    monkeypatch.setitem(sets.SETS, "wordnet", away)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("UNPOOL_DATA", raising=False)
    with pytest.raises(DataError, match="wordnet-base"):
        glosses(7)


def test_places_and_shifts():
    numbers = torch.tensor([[3, 2, END, END], [1, 1, 1, 1]])
    assert counted(numbers).tolist() == [[True, True, True, False], [True] * 4]
    assert shifted(numbers).tolist() == [[END, 3, 2, END], [END, 1, 1, 1]]
    assert texts(numbers, ("", "x", ",", "y")) == ["y,", "x x x x"]
    mixed = _shuffled(torch.tensor([[3, 2, 5, END]] * 20))
    assert (mixed.sort(1).values == torch.tensor([END, 2, 3, 5])).all()
    assert (mixed[:, 3] == END).all()
    assert len(mixed.unique(dim=0)) > 1


def test_all_three_learn(trained):
    figures, _ = trained
    assert figures["word_accuracy"] > 0.5
    assert figures["word_accuracy_lstm"] > 0.25
    assert figures["perplexity_real"] < 5 < figures["perplexity_shuffled"]
    assert 0 <= figures["copies"] <= 1


def test_the_lstm_writes_where_its_code_is(data):
    peer, seen = RecurrentCoder(words=20).to("meta"), []
    peer.embedding.register_forward_pre_hook(lambda _, given: seen.append(given[0].device.type))
    peer.written(torch.zeros(2, 48, device="meta"))
    assert set(seen) == {"meta"}
    task, code = recipes.load("generation/sentences", []).make_task(data), torch.zeros(1, 48, device="meta")
    count, weights = len(task.text.parts["validation"]), list(task.peer.parameters())
    task.peer = SimpleNamespace(encode=lambda _: (code, None), parameters=lambda: weights)
    task.peer.written = lambda given: torch.full((count if given is code else 0, LENGTH), END)
    with torch.no_grad():
        assert 0 <= task.evaluate()["word_accuracy_lstm"] < 1


def test_sentences_there_and_back(trained):
    writer = load(str(trained[1]), "cpu")
    assert isinstance(writer, Writer)
    assert isinstance(writer.module, SentenceCoder)
    assert writer.write(3, seed=1)[2] == writer.write(1, seed=3)[0]
    codes = writer.encode(["A small tree on a small road"])
    assert codes.shape == (1, writer.module.code)
    assert len(writer.decode(codes)) == 1
    for mistake in ("a giraffe", "", "a " * LENGTH):
        with pytest.raises(UnpoolError, match="known words"):
            writer.encode([mistake])
    with pytest.raises(UnpoolError, match="truncation"):
        writer.write(truncation=3)


def test_command_prints_sentences(trained):
    answer = CliRunner().invoke(app, [str(trained[1]), "-n", "2", "--seed", "4"])
    assert answer.exit_code == 0, answer.output
    assert answer.output.splitlines()[1:] == load(str(trained[1]), "cpu").write(2, seed=4)
    refused = CliRunner().invoke(app, [str(trained[1]), "-n", "2", "-o", "x"])
    assert isinstance(refused.exception, UnpoolError)
