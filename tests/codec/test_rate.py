"""The search finds a quality in few encodings, and never exceeds a size."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unpool.codec.rate import HIGH, LOW, search


@settings(max_examples=25, deadline=None)
@given(st.floats(3.4, 5.6), st.booleans(), st.floats(0.8, 2))
def test_sizes_are_met(log_target, never_above, bend):
    calls = []

    def measure(tenths):
        calls.append(tenths)
        return round(10 ** (3 + 3 * (tenths / 1000) ** bend) + 7 * math.sin(tenths))

    target = 10**log_target
    found = search(measure, target, tolerance=0.015, never_above=never_above)
    assert len(calls) <= 11
    if measure(LOW) <= target <= measure(HIGH):
        assert found.value == pytest.approx(target, rel=0.02)
    if never_above:
        assert found.value <= target


def test_out_of_reach():
    assert search(lambda t: 1000 + t, 10, tolerance=0.01, never_above=True).tenths == LOW
    assert search(lambda t: 1000 + t, 10**9, tolerance=0.01).tenths == HIGH
