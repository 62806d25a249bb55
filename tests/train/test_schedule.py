"""Learning rates over a run."""

from hypothesis import given, settings
from hypothesis import strategies as st

from unpool.train.recipe import Budget, Optimiser
from unpool.train.schedule import Clock, learning_rate

SETTINGS = st.builds(Optimiser, schedule=st.sampled_from(["cosine", "onecycle", "constant"]))


@settings(max_examples=50, deadline=None)
@given(SETTINGS, st.floats(0, 1))
def test_rate_stays_between_zero_and_lr(chosen, progress):
    assert 0 < learning_rate(chosen, progress) <= chosen.lr


def test_rises_then_falls_to_its_end():
    chosen = Optimiser(lr=1.0, warmup=0.1, final=0.01)
    assert learning_rate(chosen, 0.05) == 0.5
    assert learning_rate(chosen, 0.1) == 1.0
    assert abs(learning_rate(chosen, 1.0) - 0.01) < 1e-12
    rates = [learning_rate(chosen, p / 100) for p in range(10, 101)]
    assert rates == sorted(rates, reverse=True)


def test_clock():
    assert Clock(Budget(steps=10)).progress(5) == 0.5
    assert Clock(Budget(steps=10)).progress(50) == 1.0
    assert 0.5 <= Clock(Budget(minutes=2), elapsed=60).progress(0) < 0.51
