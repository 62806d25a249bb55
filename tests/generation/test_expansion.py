import torch
from hypothesis import given
from hypothesis import strategies as st

from unpool.generation.api import load_generation
from unpool.generation.expansion import USUAL, accuracy, comparison, expanded, moved, parted


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


def test_a_generator_without_classes_makes_pictures_from_between_those_of_a_label(plain):
    made = load_generation(plain, "cpu")
    latents = made.latents(3)[0]
    pictures, labels = made.tensor(latents), torch.tensor([4, 4, 7])
    more, names = expanded(pictures, labels, made, each=5, latents=latents)
    assert torch.equal(more[:3], pictures)
    assert names[3:].tolist() == [4] * 5 + [7] * 5
    assert torch.allclose(more[8:], pictures[2:].expand(5, -1, -1, -1), atol=0.02)  # label 7 has but one latent
    ways = made.tensor(made.between(latents[0], latents[1], 101))
    nearest = [float((ways - one).abs().amax((1, 2, 3)).min()) for one in more[3:8]]
    assert max(nearest) < 0.02


def test_latents_that_are_not_given_are_found(plain):
    made = load_generation(plain, "cpu")
    pictures = made.tensor(0.5 * made.latents(2, seed=3)[0])
    more, _ = expanded(pictures, torch.tensor([0, 1]), made, each=1)
    assert ((more[2:] - pictures).square().mean((1, 2, 3)) < 0.5 * pictures.var()).all()


@given(st.lists(st.integers(3, 9), min_size=1, max_size=5), st.integers(1, 3), st.integers(0, 99))
def test_parted_never_tests_what_trains(counts, each, seed):
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    own, others = parted(labels, each, 3, seed)
    assert labels[own].bincount(minlength=len(counts)).tolist() == [each] * len(counts)
    assert labels[others].bincount(minlength=len(counts)).tolist() == [count - 3 for count in counts]
    assert not set(own.tolist()) & set(others.tolist())


def test_moved_keeps_shape_and_repeats():
    pictures = torch.rand(6, 1, 8, 8)
    one, two = (moved(pictures, torch.Generator().manual_seed(0), 2) for _ in range(2))
    assert one.shape == pictures.shape
    assert torch.equal(one, two)
    assert not torch.equal(one, pictures)


def test_comparison_learns_and_reports_the_spread():
    pictures, labels = _stripes(150, 0)
    tested = (pictures[60:], labels[60:])
    assert accuracy(pictures[:60], labels[:60], tested, real=60, augment=False, steps=40) > 0.9
    table = comparison(pictures, labels, lambda seed: parted(labels, 2, 20, seed), _Stripes(), runs=2, steps=30)
    assert list(table) == ["nothing", USUAL, f"{USUAL} and generated"]
    assert all(row["deviation"] >= 0 for row in table.values())
    assert table[f"{USUAL} and generated"]["accuracy"] > 0.9
