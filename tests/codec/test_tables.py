"""Tables and grouped symbols: exact frequencies, round trips, escapes, certain symbols, damage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unpool.codec.entropy import gaussian_tables
from unpool.codec.lossless import TABLES
from unpool.codec.tables import RAW, TOTAL, Decoder, Encoder, Tables, frequencies
from unpool.errors import BitstreamError

GAUSSIAN = gaussian_tables()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 300), st.sampled_from([0, 9]))
def test_round_trip_with_escapes(seed, count, certain):
    rng = np.random.default_rng(seed)
    tables = Tables(GAUSSIAN.frequency, certain)
    index = rng.integers(0, 64, count).astype(np.uint8)
    values = np.rint(rng.standard_cauchy(count) * 20).clip(-RAW, RAW - 1).astype(np.int32)
    values[index < certain] = 0
    encoder = Encoder()
    encoder.put(values, index, tables)
    encoder.raw(values & 1023, 1024)
    decoder = Decoder(encoder.finish())
    assert (decoder.get(index, tables) == values).all()
    assert (decoder.raw(count, 1024) == values & 1023).all()
    decoder.finish()


def test_frequencies_are_positive_and_sum_up():
    whole = frequencies(np.array([0, 1e-30, 5, 1, 0.0]))
    assert whole.sum() == TOTAL
    assert whole.min() >= 1
    assert all(one.sum() == TOTAL for one in TABLES.frequency)


def test_cost_is_what_the_stream_takes():
    rng = np.random.default_rng(0)
    index = np.full(20000, 40, np.uint8)
    values = np.rint(rng.normal(0, 5, 20000)).astype(np.int32)
    encoder = Encoder()
    encoder.put(values, index, GAUSSIAN)
    cost = GAUSSIAN.bits[40, values + GAUSSIAN.bits.shape[1] // 2].sum()
    assert 8 * len(encoder.finish()) == pytest.approx(cost, abs=64)


def test_a_certain_symbol_must_be_zero():
    with pytest.raises(ValueError, match="certain"):
        Encoder().put(np.array([1], np.int32), np.array([0], np.uint8), Tables(GAUSSIAN.frequency, 3))


@pytest.mark.parametrize("stream", [b"abc", b"\1\2\3\4\0\0\0\0"])
def test_impossible_streams(stream):
    with pytest.raises(BitstreamError):
        Decoder(stream)


def test_a_stream_must_end_with_its_symbols():
    encoder = Encoder()
    encoder.raw(np.arange(100), 128)
    decoder = Decoder(encoder.finish())
    decoder.raw(50, 128)
    with pytest.raises(BitstreamError, match="more than its symbols"):
        decoder.finish()


def test_wrong_tables_are_refused():
    with pytest.raises(ValueError, match="sum"):
        Tables([np.array([5, 5])])
