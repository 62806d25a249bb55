import pytest
import torch

from unpool.generation.api import load_generation
from unpool.generation.expansion import USUAL, accuracy, comparison, expanded, moved


def _stripes(n, seed):
    """28x28 pictures of three easy classes."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 3
    pictures = 0.3 * torch.rand(n, 1, 28, 28, generator=generator)
    for picture, label in zip(pictures, labels):
        picture[0, 4 + 7 * int(label) : 8 + 7 * int(label)] += 0.6
    return pictures, labels


class _Stripes:
    """Stands for a good generator: it draws from the classes' own distribution."""

    classes = 3

    def latents(self, n, *, seed, truncation):
        return torch.full((n, 1), float(seed)), torch.arange(n) % 3

    def tensor(self, latents, labels):
        return _stripes(len(labels), int(latents[0, 0]))[0]


def test_generated_pictures_are_appended_with_their_classes(classy):
    pictures, labels = torch.zeros(2, 1, 12, 12), torch.tensor([0, 2])
    more, names = expanded(pictures, labels, load_generation(classy, "cpu"), each=4)
    assert more.shape == (14, 1, 12, 12)
    assert names[:2].tolist() == [0, 2]
    assert names[2:].bincount().tolist() == [4, 4, 4]
    assert torch.equal(more[:2], pictures)


def test_a_generator_without_classes_is_refused(plain):
    with pytest.raises(ValueError, match="no classes"):
        expanded(torch.zeros(1, 3, 16, 16), torch.zeros(1), load_generation(plain, "cpu"), each=1)


def test_moved_keeps_shape_and_repeats():
    pictures = torch.rand(6, 1, 8, 8)
    one, two = (moved(pictures, torch.Generator().manual_seed(0)) for _ in range(2))
    assert one.shape == pictures.shape
    assert torch.equal(one, two)
    assert not torch.equal(one, pictures)


def test_comparison_learns_and_reports_the_spread():
    pictures, labels = _stripes(60, 0)
    tested = _stripes(90, 1)
    assert accuracy(pictures, labels, tested, real=60, augment=False, steps=40) > 0.9
    table = comparison(pictures, labels, tested, _Stripes(), each=2, runs=1, steps=30)
    assert list(table) == ["nothing", USUAL, f"{USUAL} and generated"]
    assert all(row["deviation"] >= 0 for row in table.values())
    assert table[f"{USUAL} and generated"]["accuracy"] > 0.9
