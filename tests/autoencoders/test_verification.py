import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.manifold import trustworthiness as reference
from sklearn.metrics import roc_auc_score

from unpool.autoencoders.neighbours import auroc, continuity, nearest_is_same, squared_distances, trustworthiness
from unpool.autoencoders.verification import accept_rate, balanced_pairs, best_threshold, cosines, ten_folds


def scores(seed: int, count: int = 200):
    rng = np.random.default_rng(seed)
    same = rng.random(count) < 0.5
    return np.round(rng.normal(size=count) + same, 1), same


@given(st.integers(0, 10**6), st.integers(2, 40))
@settings(max_examples=25, deadline=None)
def test_no_threshold_is_better(seed, count):
    values, same = scores(seed, count)
    best = ((values >= best_threshold(values, same)) == same).mean()
    for other in [*values, values.max() + 1]:
        # Equal scores fall on one side of a threshold between different scores; cutting among them is not possible.
        assert ((values >= other) == same).mean() <= best + (len(values) - len(np.unique(values))) / len(values)


def test_threshold_of_separable_scores_separates():
    values, same = np.array([0.1, 0.2, 0.8, 0.9]), np.array([False, False, True, True])
    assert best_threshold(values, same) == pytest.approx(0.5)
    assert ten_folds(values, same, np.array([0, 1, 0, 1]))[0] == 1.0


def test_ten_folds_take_the_threshold_from_the_others():
    values = np.array([0.0, 1.0, 2.0, 3.0])
    same = np.array([False, True, False, True])
    fold = np.array([0, 0, 1, 1])
    # Fold 1's threshold (2.5) calls both of fold 0 different; fold 0's (0.5) calls both of fold 1 the same.
    assert ten_folds(values, same, fold) == (0.5, 0.0)


def test_accept_rate_at_far():
    same = np.arange(200) < 100
    values = np.where(same, np.linspace(0, 2, 200) * 4, np.linspace(0, 1, 200))
    impostors = np.sort(values[~same])
    assert accept_rate(values, same, 0.01) == (values[same] > impostors[-2]).mean()


def test_cosines_are_cosines():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 5, 3))
    assert cosines(a, b) == pytest.approx([x @ y / np.linalg.norm(x) / np.linalg.norm(y) for x, y in zip(a, b)])
    assert cosines(np.zeros((1, 3)), b[:1]) == 0


def test_pairs_are_balanced_and_repeatable():
    people = np.repeat(np.arange(8), 4)
    first, second, same = balanced_pairs(people, 30)
    assert same.sum() == 30 == (~same).sum()
    assert ((people[first] == people[second]) == same).all()
    assert (balanced_pairs(people, 30)[0] == first).all()


def test_auroc_is_scikit_learns():
    values, label = scores(5)
    assert auroc(values[~label], values[label]) == pytest.approx(roc_auc_score(label, values))


def test_trustworthiness_is_scikit_learns():
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(80, 6))
    places = codes[:, :2] + 0.3 * rng.normal(size=(80, 2))
    assert trustworthiness(codes, places, 7) == pytest.approx(reference(codes, places, n_neighbors=7))
    assert continuity(codes, places, 7) == pytest.approx(reference(places, codes, n_neighbors=7))
    assert trustworthiness(codes, codes, 7) == 1.0


def test_nearest_neighbours_count_people_with_several_pictures():
    codes = np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0], [0.7, 0.7]])
    assert nearest_is_same(codes, np.array([0, 0, 1, 1, 2])) == 1.0
    assert nearest_is_same(codes, np.array([0, 1, 1, 1, 2])) == pytest.approx(2 / 3)
    assert squared_distances(codes, codes).diagonal() == pytest.approx(0, abs=1e-12)
