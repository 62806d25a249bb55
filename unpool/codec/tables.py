"""Categorical tables with exact integer frequencies, and symbols coded with them in groups.

A table of half-width L gives a frequency to each of -L..L and to the escape that stands for everything further out.
Frequencies are positive integers that sum to 2**24, the precision of constriction's ANS coder, so nothing about them
depends on floating point.
"""

from functools import cached_property
from typing import Any

import constriction
import numpy as np

from unpool.errors import BitstreamError

TOTAL = 2**24
RAW = 2**19  # escaped values lie in -RAW .. RAW - 1

Model = constriction.stream.model.Categorical
Uniform = constriction.stream.model.Uniform


def frequencies(chances: np.ndarray) -> np.ndarray:
    """Positive integers with sum 2**24, near to the chances (n,); the most likely symbol takes up the rounding."""
    weights = np.maximum(np.asarray(chances, np.float64), 0)
    count = len(weights)
    whole = 1 + np.floor(weights / weights.sum() * (TOTAL - count)).astype(np.int64)
    whole[int(np.argmax(whole))] += TOTAL - whole.sum()
    return whole


class Tables:
    """A fixed list of tables, by index.

    Args:
        frequency: per table an array (2 L + 2) of integers, for -L..L and the escape.
        certain: tables with an index below this code nothing: their symbols are 0.
    """

    def __init__(self, frequency: list[np.ndarray], certain: int = 0) -> None:
        for one in frequency:
            if one.ndim != 1 or len(one) % 2 or int(one.min()) < 1 or int(one.sum()) != TOTAL:
                raise ValueError("a table needs an even number of positive frequencies that sum to 2**24")
        self.frequency = frequency
        self.certain = certain
        self.half_width = np.array([len(one) // 2 - 1 for one in frequency], np.int32)

    @cached_property
    def models(self) -> list[Any]:
        """The coder's models. To whole weights of sum 2**24 - n constriction adds one each and changes nothing else."""
        return [Model((one - 1).astype(np.float64), perfect=False) for one in self.frequency]

    @cached_property
    def bits(self) -> np.ndarray:
        """Cost (tables, 2 W + 1) of values -W..W, W the largest half-width; an escape costs 20 bits more."""
        widest = int(self.half_width.max())
        cost = np.empty((len(self.frequency), 2 * widest + 1), np.float32)
        for row, (one, half) in enumerate(zip(self.frequency, self.half_width)):
            logs = 24 - np.log2(one)
            cost[row] = logs[-1] + 20
            cost[row, widest - half : widest + half + 1] = logs[:-1]
        cost[: self.certain] = 60.0
        cost[: self.certain, widest] = 0.0
        return cost


class Encoder:
    """Collects groups of symbols and codes them at the end, last first, as a stack coder wants."""

    def __init__(self) -> None:
        self._groups: list[tuple[np.ndarray, Any]] = []

    def put(self, values: np.ndarray, index: np.ndarray, tables: Tables) -> None:
        """Add values (n,) int32, each coded with the table that `index` (n,) uint8 names."""
        order = np.argsort(index, kind="stable")
        counts = np.bincount(index, minlength=len(tables.frequency))
        sorted_values = values[order]
        start = int(counts[: tables.certain].sum())
        if start and sorted_values[:start].any():
            raise ValueError("a symbol that is certain to be zero is not")
        for table in range(tables.certain, len(counts)):
            count = int(counts[table])
            if not count:
                continue
            part = sorted_values[start : start + count]
            start += count
            half = int(tables.half_width[table])
            outside = np.abs(part) > half
            self._groups.append((np.where(outside, 2 * half + 1, part + half).astype(np.int32), tables.models[table]))
            if outside.any():
                self._groups.append(((part[outside] + RAW).astype(np.int32), _raw_model()))

    def raw(self, values: np.ndarray, size: int) -> None:
        """Add values (n,) of 0..size - 1, all equally likely; size below 2**24."""
        if len(values):
            self._groups.append((np.ascontiguousarray(values, np.int32), Uniform(size)))

    def finish(self) -> bytes:
        """The stream: 32-bit words, little-endian."""
        coder = constriction.stream.stack.AnsCoder()
        for symbols, model in reversed(self._groups):
            coder.encode_reverse(symbols, model)
        return coder.get_compressed().astype("<u4").tobytes()


class Decoder:
    """Reads back what an `Encoder` wrote, in the same order.

    Raises:
        BitstreamError: the stream is no whole number of words, or ends before or after its symbols do.
    """

    def __init__(self, stream: bytes) -> None:
        if len(stream) % 4:
            raise BitstreamError("damaged .unp file: a tile is not a whole number of words")
        words = np.frombuffer(stream, "<u4").astype(np.uint32)
        if len(words) and words[-1] == 0:
            raise BitstreamError("damaged .unp file: a tile ends in an empty word")
        self._coder = constriction.stream.stack.AnsCoder(words)

    def get(self, index: np.ndarray, tables: Tables) -> np.ndarray:
        """Values (n,) int32 for the tables that `index` (n,) uint8 names."""
        order = np.argsort(index, kind="stable")
        counts = np.bincount(index, minlength=len(tables.frequency))
        decoded = np.zeros(len(index), np.int32)
        start = int(counts[: tables.certain].sum())
        for table in range(tables.certain, len(counts)):
            count = int(counts[table])
            if not count:
                continue
            half = int(tables.half_width[table])
            part = self._decode(tables.models[table], count) - half
            outside = part == half + 1
            if outside.any():
                part[outside] = self._decode(_raw_model(), int(outside.sum())) - RAW
            decoded[start : start + count] = part
            start += count
        values = np.empty_like(decoded)
        values[order] = decoded
        return values

    def raw(self, count: int, size: int) -> np.ndarray:
        """`count` values of 0..size - 1, all equally likely."""
        return self._decode(Uniform(size), count) if count else np.zeros(0, np.int32)

    def finish(self) -> None:
        """Check that the stream ends where its symbols do."""
        if not self._coder.is_empty():
            raise BitstreamError("damaged .unp file: a tile holds more than its symbols")

    def _decode(self, model: Any, count: int) -> np.ndarray:
        return self._coder.decode(model, count)


def _raw_model() -> Any:
    return Uniform(2 * RAW)
