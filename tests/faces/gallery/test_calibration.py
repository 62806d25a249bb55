"""Scores become probabilities and false-match rates."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unpool.errors import GalleryError
from unpool.faces.gallery.calibration import Calibration, fit


def fitted(seed=0, same=0.6, spread=0.12):
    rng = np.random.default_rng(seed)
    return fit(rng.normal(same, spread, 2000), rng.normal(0.0, spread, 20_000))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 50), st.floats(1e-6, 0.9))
def test_threshold_inverts_the_rate(seed, rate):
    calibration = fitted(seed)
    assert calibration.false_match_rate(calibration.threshold(rate)) == pytest.approx(rate, rel=0.02, abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=2, max_size=10))
def test_monotone(scores):
    calibration, scores = fitted(), sorted(scores)
    rates = [calibration.false_match_rate(s) for s in scores]
    probabilities = [calibration.probability(s) for s in scores]
    assert rates == sorted(rates, reverse=True)
    assert probabilities == sorted(probabilities)


def test_rates_hold_on_fresh_strangers():
    calibration, fresh = fitted(), np.random.default_rng(9).normal(0.0, 0.12, 2_000_000)
    for rate in (0.1, 0.01, 1e-3, 1e-4):
        measured = (fresh >= calibration.threshold(rate)).mean()
        assert measured <= 1.2 * rate  # never more false matches than said
        assert measured >= 0.02 * rate


def test_probability_of_equal_kinds():
    rng = np.random.default_rng(3)
    calibration = fitted(same=0.3)
    scores = np.concatenate([rng.normal(0.3, 0.12, 100_000), rng.normal(0, 0.12, 100_000)])
    same = np.arange(200_000) < 100_000
    near = np.abs(scores - 0.2) < 0.01
    assert calibration.probability(0.2) == pytest.approx(same[near].mean(), abs=0.02)


def test_threshold_grows_with_the_gallery():
    calibration = fitted()
    thresholds = [calibration.gallery_threshold(0.01, size) for size in (1, 10, 1000, 100_000)]
    assert thresholds == sorted(thresholds)
    strangers = np.random.default_rng(5).normal(0.0, 0.12, (20_000, 100)).max(1)
    assert (strangers >= calibration.gallery_threshold(0.01, 100)).mean() <= 0.012


def test_round_trip_and_damage():
    calibration = replace(fitted(), clear=0.7, poor=fitted(1))
    assert calibration.shape < 0
    assert Calibration.from_dict(json.loads(json.dumps(calibration.to_dict()))) == calibration
    bad = ({"slope": "x"}, {"excess": -1.0}, {"knots": [1.0]}, {"slope": float("nan")}, {"shape": 0.5}, {"poor": 3})
    for damage in (*bad, {"poor": {"slope": 1.0}}, {"clear": "x"}):
        with pytest.raises(GalleryError):
            Calibration.from_dict(calibration.to_dict() | damage)


def test_two_poor_faces_have_their_own():
    calibration = replace(fitted(), clear=0.7, poor=fitted(spread=0.2))
    assert calibration.between(0.6, 0.8) is calibration
    assert calibration.between(0.6, 0.65) is calibration.poor
    assert fitted().between(0.1, 0.1).poor is None
    before = {name: value for name, value in fitted().to_dict().items() if name not in ("shape", "clear", "poor")}
    assert Calibration.from_dict(before).false_match_rate(0.9) > 0  # an exponential tail, as it was


def test_what_cannot_be_fitted():
    with pytest.raises(GalleryError, match="at least 20"):
        fit([0.5] * 5, [0.1] * 100)
    with pytest.raises(GalleryError, match="do not score higher"):
        fit([0.1] * 30, [0.5] * 30)
    separable = fit(np.linspace(0.8, 0.9, 30), np.linspace(-0.1, 0.1, 30))
    assert separable.probability(0.85) > 0.9
