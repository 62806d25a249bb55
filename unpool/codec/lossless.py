"""Lossless coding of a tile: from a coarse lattice to ever finer ones, predicted and coded in whole arrays of integers.

A picture is refined in levels (interlaced, as HINT of Roos et al. 1988). Each level has three passes: the middles of
known squares, then the middles of their rows, then those of their columns. A pass predicts its samples from known
neighbours with linear weights that the encoder fits and stores, and chooses each residual's distribution by how much
the neighbours disagree. No network, no floating point in the decoder; samples of 8 or 16 bits.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from unpool.codec.tables import TOTAL, Decoder, Encoder, Tables
from unpool.errors import BitstreamError

PRECISION = 12
WEIGHT_LIMIT = 2**15
RICH = 128 * 128  # tiles with as many pixels store fitted weights
OFFSETS = (
    ((-1, -1), (-1, 1), (1, -1), (1, 1), (-1, -3), (-1, 3), (1, -3), (1, 3), (-3, -1), (-3, 1), (3, -1), (3, 1)),
    (
        *((0, -1), (0, 1), (-1, 0), (1, 0), (0, -3), (0, 3), (-2, -1), (-2, 1), (2, -1), (2, 1)),
        *((-1, -2), (-1, 2), (1, -2), (1, 2)),
    ),
    (
        *((-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1), (-3, 0), (3, 0)),
        *((-2, -1), (-2, 1), (2, -1), (2, 1), (-1, -2), (-1, 2), (1, -2), (1, 2)),
    ),
)
STARTS = ((1, 1), (0, 1), (1, 0))  # first row and column of each pass, in steps
NEAR = 4  # the first neighbours of a pass touch its sample
DECAYS = (1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 32, 40, 51, 64, 81, 102, 128, 161, 203, 256, 323, 406, 512)
WIDTHS = 56  # 25 tables, then the last octave again with 1, 2, ... low bits sent as they are
OCTAVE = 3
BOUNDS = np.array([1] + [bound for k in range(1, 20) for bound in (2**k, 3 * 2**k // 2)], np.int64)
BUCKETS = len(BOUNDS) + 1
OFFSET_ZERO = 32


def _table(decay: int) -> np.ndarray:
    half = min(8 + decay // 2, 300)
    weights = [1 << 40]
    for _ in range(half):
        weights.append(weights[-1] * decay // (decay + 16))
    sides = weights[:0:-1] + weights + [weights[-1]]
    total, count = sum(sides), len(sides)
    whole = np.array([1 + weight * (TOTAL - count) // total for weight in sides], np.int64)
    whole[half] += TOTAL - whole.sum()
    return whole


TABLES = Tables([_table(decay) for decay in DECAYS])


def split_width(width: int) -> tuple[int, int]:
    """A width's table and the number of low bits that are sent as they are."""
    over = max(0, width - len(DECAYS) + 1)
    low_bits = -(-over // OCTAVE)
    return width - OCTAVE * low_bits, low_bits


_TABLE = np.array([split_width(width)[0] for width in range(WIDTHS)], np.uint8)
_LOW_BITS = np.array([split_width(width)[1] for width in range(WIDTHS)])


def default_widths(offset: int) -> np.ndarray:
    """The width of each bucket in a tile that stores but one number for all: both grow with the octaves."""
    return np.clip(np.arange(BUCKETS) * OCTAVE // 2 + offset, 0, WIDTHS - 1)


@dataclass
class Model:
    """A tile's predictor: per plane and group its weights and the buckets' widths, or in small tiles their offset."""

    weights: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)
    widths: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)
    offsets: dict[tuple[int, int], int] = field(default_factory=dict)


@dataclass(frozen=True)
class Pass:
    """One pass over one plane: which samples, and where their neighbours are."""

    plane: int
    group: int
    kind: int
    rows: np.ndarray
    columns: np.ndarray
    step: int

    def neighbours(self, plane: np.ndarray, offsets: tuple[tuple[int, int], ...]) -> list[np.ndarray]:
        """Values (rows, columns) of a plane at the offsets; beyond a border mirrored, or the nearest known."""
        found: list[np.ndarray | None] = []
        for down, right in offsets:
            rows = _reach(self.rows, down * self.step, 2 * self.step, plane.shape[0])
            columns = _reach(self.columns, right * self.step, 2 * self.step, plane.shape[1])
            found.append(None if rows is None or columns is None else plane[rows[:, None], columns])
        first = next(values for values in found if values is not None)
        return [first if values is None else values for values in found]


def _reach(places: np.ndarray, offset: int, period: int, size: int) -> np.ndarray | None:
    """Where an offset leads on one axis: there, else mirrored, else by a period less; None if nowhere."""
    there = places + offset
    there = np.where((there < 0) | (there >= size), places - offset, there)
    outside = (there < 0) | (there >= size)
    if not outside.any():
        return there
    if abs(offset) < period:
        return None
    nearer = _reach(places, offset - period if offset > 0 else offset + period, period, size)
    return None if nearer is None else np.where(outside, nearer, there)


def passes(height: int, width: int, planes: int) -> Iterator[Pass]:
    """All passes of a tile in coding order: level by level, pass by pass, plane by plane."""
    rich = height * width >= RICH
    step = 1 << max(height - 1, width - 1).bit_length() >> 1
    while step:
        level = 0 if step == 1 else 1 if step == 2 else 2
        for kind, (top, left) in enumerate(STARTS):
            rows, columns = (np.arange(start * step, size, 2 * step) for start, size in ((top, height), (left, width)))
            if len(rows) and len(columns):
                for plane in range(planes):
                    yield Pass(plane, 3 * level + kind if rich else kind, kind, rows, columns, step)
        step >>= 1


def inputs_of(work: Pass, values: np.ndarray) -> list[np.ndarray]:
    """What a prediction is a weighted sum of: neighbours, and from earlier planes the sample and its nearest."""
    offsets = OFFSETS[work.kind]
    inputs = work.neighbours(values[work.plane], offsets)
    for earlier in values[: work.plane]:
        inputs.append(earlier[work.rows[:, None], work.columns])
        inputs += work.neighbours(earlier, offsets[:NEAR])
    return inputs


def default_weights(count: int) -> np.ndarray:
    weights = np.zeros(count, np.int64)
    weights[:NEAR] = 2**PRECISION // NEAR
    return weights


def predict(inputs: list[np.ndarray], weights: np.ndarray, low: int, high: int) -> np.ndarray:
    total = np.full(inputs[0].shape, 1 << (PRECISION - 1), np.int64)
    for weight, values in zip(weights.tolist(), inputs):
        if weight:
            total += weight * values
    return np.clip(total >> PRECISION, low, high)


def _buckets(work: Pass, inputs: list[np.ndarray], predicted: np.ndarray, residuals: np.ndarray) -> np.ndarray:
    """How much the surroundings disagree, in steps of half an octave (flat)."""
    activity = np.zeros(predicted.shape, np.int64)
    for values in inputs[:NEAR]:
        activity += np.abs(values - predicted)
    for values in work.neighbours(residuals[work.plane], OFFSETS[work.kind][:NEAR]):
        activity += 2 * np.abs(values)
    for earlier in residuals[: work.plane]:
        activity += 4 * np.abs(earlier[work.rows[:, None], work.columns])
    return np.searchsorted(BOUNDS, activity.reshape(-1), side="right").astype(np.uint8)


def _to_planes(samples: np.ndarray) -> np.ndarray:
    """(H, W, 3) to Y, Co, Cg by the reversible lifting of Malvar and Sullivan (YCoCg-R); (H, W, 1) as it is."""
    if samples.shape[2] == 1:
        return samples.transpose(2, 0, 1).astype(np.int64)
    red, green, blue = samples.transpose(2, 0, 1).astype(np.int64)
    orange = red - blue
    middle = blue + (orange >> 1)
    leaf = green - middle
    return np.stack([middle + (leaf >> 1), orange, leaf])


def _to_samples(planes: np.ndarray, depth: int) -> np.ndarray:
    """The way back; samples that leave 0 .. 2**depth - 1 mean a damaged file."""
    if len(planes) == 3:
        light, orange, leaf = planes
        middle = light - (leaf >> 1)
        green = leaf + middle
        blue = middle - (orange >> 1)
        planes = np.stack([blue + orange, green, blue])
    if planes.min() < 0 or planes.max() >= 1 << depth:
        raise BitstreamError("damaged .unp file: a lossless tile leaves the range of its samples")
    return np.ascontiguousarray(planes.transpose(1, 2, 0)).astype(np.uint16 if depth == 16 else np.uint8)


def limits(plane: int, depth: int) -> tuple[int, int]:
    top = (1 << depth) - 1
    return (0, top) if plane == 0 else (-top, top)


def encode(samples: np.ndarray, depth: int, fit: Callable[[np.ndarray, int], Model]) -> bytes:
    """A tile (H, W, 1 or 3) of `depth` bits (8 or 16) as a stream; `fit` chooses the predictor (`fitting.fit`)."""
    planes = _to_planes(samples)
    model = fit(planes, depth)
    encoder = Encoder()
    _put_model(encoder, model, planes.shape)
    encoder.raw(planes[:, 0, 0].astype(np.int64) + (1 << depth), 2 << depth)

    def code(work: Pass, predicted: np.ndarray, bucket: np.ndarray) -> np.ndarray:
        residual = planes[work.plane][work.rows[:, None], work.columns] - predicted
        _put(encoder, residual.reshape(-1), model.widths[work.plane, work.group][bucket])
        return residual

    walk(planes.copy(), depth, model, code)
    return encoder.finish()


def decode(stream: bytes, height: int, width: int, channels: int, depth: int) -> np.ndarray:
    """The tile (height, width, channels) that `encode` was given; BitstreamError for a damaged stream."""
    decoder = Decoder(stream)
    planes = np.zeros((channels, height, width), np.int64)
    model = _get_model(decoder, planes.shape)
    planes[:, 0, 0] = decoder.raw(channels, 2 << depth) - (1 << depth)

    def code(work: Pass, predicted: np.ndarray, bucket: np.ndarray) -> np.ndarray:
        residual = _get(decoder, model.widths[work.plane, work.group][bucket]).reshape(predicted.shape)
        planes[work.plane][work.rows[:, None], work.columns] = predicted + residual
        return residual

    walk(planes, depth, model, code)
    decoder.finish()
    return _to_samples(planes, depth)


def walk(
    planes: np.ndarray, depth: int, model: Model, code: Callable[[Pass, np.ndarray, np.ndarray], np.ndarray]
) -> None:
    """Predict pass by pass; `code` gives the residuals, and while decoding fills in the samples."""
    residuals = np.zeros(planes.shape, np.int64)
    for work in passes(planes.shape[1], planes.shape[2], len(planes)):
        inputs = inputs_of(work, planes)
        predicted = predict(inputs, model.weights[work.plane, work.group], *limits(work.plane, depth))
        bucket = _buckets(work, inputs, predicted, residuals)
        residuals[work.plane][work.rows[:, None], work.columns] = code(work, predicted, bucket)


def _put(encoder: Encoder, residual: np.ndarray, widths: np.ndarray) -> None:
    low_bits = _LOW_BITS[widths]
    encoder.put((residual >> low_bits).astype(np.int32), _TABLE[widths], TABLES)
    for bits in np.unique(low_bits[low_bits > 0]).tolist():
        chosen = low_bits == bits
        encoder.raw(residual[chosen] & ((1 << bits) - 1), 1 << bits)


def _get(decoder: Decoder, widths: np.ndarray) -> np.ndarray:
    low_bits = _LOW_BITS[widths]
    residual = decoder.get(_TABLE[widths], TABLES).astype(np.int64)
    residual <<= low_bits
    for bits in np.unique(low_bits[low_bits > 0]).tolist():
        chosen = low_bits == bits
        residual[chosen] += decoder.raw(int(chosen.sum()), 1 << bits)
    return residual


def groups(shape: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """(plane, group, number of weights) in the order in which a tile stores them; only groups that have samples."""
    found: dict[tuple[int, int], int] = {}
    for work in passes(shape[1], shape[2], shape[0]):
        found[work.plane, work.group] = len(OFFSETS[work.kind]) + (1 + NEAR) * work.plane
    return [(plane, group, count) for (plane, group), count in sorted(found.items())]


def _put_model(encoder: Encoder, model: Model, shape: tuple[int, ...]) -> None:
    rich = shape[1] * shape[2] >= RICH
    for plane, group, _ in groups(shape):
        if rich:
            encoder.raw(model.weights[plane, group] + WEIGHT_LIMIT, 2 * WEIGHT_LIMIT)
            encoder.raw(model.widths[plane, group], WIDTHS)
        else:
            encoder.raw(np.array([model.offsets[plane, group] + OFFSET_ZERO]), WIDTHS)


def _get_model(decoder: Decoder, shape: tuple[int, ...]) -> Model:
    model, rich = Model(), shape[1] * shape[2] >= RICH
    for plane, group, count in groups(shape):
        if rich:
            model.weights[plane, group] = decoder.raw(count, 2 * WEIGHT_LIMIT).astype(np.int64) - WEIGHT_LIMIT
            model.widths[plane, group] = decoder.raw(BUCKETS, WIDTHS)
        else:
            model.weights[plane, group] = default_weights(count)
            model.widths[plane, group] = default_widths(int(decoder.raw(1, WIDTHS)[0]) - OFFSET_ZERO)
    return model
