"""The encoder's choices for a lossless tile: weights by least squares, widths by the residuals' mean size."""

from collections import defaultdict
from dataclasses import replace

import numpy as np

from unpool.codec.lossless import (
    BUCKETS,
    DECAYS,
    OCTAVE,
    OFFSET_ZERO,
    PRECISION,
    RICH,
    WEIGHT_LIMIT,
    WIDTHS,
    Model,
    Pass,
    default_weights,
    default_widths,
    groups,
    inputs_of,
    passes,
    split_width,
    walk,
)

_SAMPLES = 20_000  # of each pass that the least squares look at
_PULL = 50.0  # how strongly few samples leave the weights where they start


def _mean_sizes() -> np.ndarray:
    """The mean magnitude of each width's distribution."""
    sizes = []
    for width in range(WIDTHS):
        table, low_bits = split_width(width)
        share = DECAYS[table] / (DECAYS[table] + 16)
        sizes.append(2 * share / (1 - share**2) * 2**low_bits)
    return np.array(sizes)


_LOG_SIZES = np.log(_mean_sizes())


def fit(planes: np.ndarray, depth: int) -> Model:
    """Choose a tile's predictor for planes (C, H, W)."""
    model = Model()
    rich = planes.shape[1] * planes.shape[2] >= RICH
    for plane, group, count in groups(planes.shape):
        model.weights[plane, group] = default_weights(count)
    if rich:
        _fit_weights(planes, model)
    sums: dict[tuple[int, int], np.ndarray] = defaultdict(lambda: np.zeros(BUCKETS))
    counts: dict[tuple[int, int], np.ndarray] = defaultdict(lambda: np.zeros(BUCKETS))

    def look(work: Pass, predicted: np.ndarray, bucket: np.ndarray) -> np.ndarray:
        residual = planes[work.plane][work.rows[:, None], work.columns] - predicted
        key = work.plane, work.group
        sums[key] += np.bincount(bucket, np.abs(residual).reshape(-1), BUCKETS)
        counts[key] += np.bincount(bucket, minlength=BUCKETS)
        return residual

    walk(planes, depth, model, look)
    for key, total in sums.items():
        mean = (total + 0.02) / np.maximum(counts[key], 0.5)
        wanted = np.abs(_LOG_SIZES[None] - np.log(mean)[:, None]).argmin(1)
        if rich:
            model.widths[key] = wanted
        else:
            rule = np.arange(BUCKETS) * OCTAVE // 2
            weight = np.maximum(counts[key], 1e-9)
            offset = round(float(np.average(wanted - rule, weights=weight)))
            model.offsets[key] = int(np.clip(offset, -OFFSET_ZERO, WIDTHS - 1 - OFFSET_ZERO))
            model.widths[key] = default_widths(model.offsets[key])
    return model


def _fit_weights(planes: np.ndarray, model: Model) -> None:
    moments: dict[tuple[int, int], list[np.ndarray]] = {}
    for work in passes(planes.shape[1], planes.shape[2], len(planes)):
        stride = max(1, int((len(work.rows) * len(work.columns) / _SAMPLES) ** 0.5))
        some = replace(work, rows=work.rows[stride // 2 :: stride], columns=work.columns[stride // 2 :: stride])
        wanted = planes[work.plane][some.rows[:, None], some.columns].reshape(-1).astype(np.float64)
        inputs = np.stack([values.reshape(-1) for values in inputs_of(some, planes)]).astype(np.float64)
        start = default_weights(len(inputs)) / 2**PRECISION
        rest = wanted - start @ inputs
        size = 1 / (1 + np.abs(rest))  # nearer to the least sum of logarithms than to the least squares
        found = moments.setdefault((work.plane, work.group), [np.zeros((len(inputs),) * 2), np.zeros(len(inputs))])
        found[0] += (inputs * size) @ inputs.T
        found[1] += (inputs * size) @ rest
    for key, (square, mixed) in moments.items():
        pull = _PULL * np.eye(len(mixed))
        change = np.linalg.solve(square + pull, mixed) * 2**PRECISION
        weights = model.weights[key] + np.rint(change).astype(np.int64)
        model.weights[key] = np.clip(weights, -WEIGHT_LIMIT, WEIGHT_LIMIT - 1)
