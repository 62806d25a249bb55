"""A second decoder of `.unp` files in plain NumPy, written from docs/format.md alone."""

import ast
import hashlib
import json
import struct
import zlib
from pathlib import Path

import numpy as np

TOTAL = 2**24


def read_weights(path):
    """Tensors of a safetensors file, floats widened to 32 bits, and the record."""
    data = Path(path).read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    entries = json.loads(data[8 : 8 + length])
    record = json.loads(entries.pop("__metadata__")["unpool"])
    kinds = {"F16": "<f2", "F32": "<f4", "I32": "<i4", "I8": "<i1", "U8": "<u1"}
    tensors = {}
    for name, entry in entries.items():
        start, end = (8 + length + offset for offset in entry["data_offsets"])
        array = np.frombuffer(data[start:end], kinds[entry["dtype"]]).reshape(entry["shape"])
        tensors[name] = array.astype(np.float32) if entry["dtype"][0] == "F" else array
    return tensors, record


class Stream:
    def __init__(self, data):
        assert len(data) % 4 == 0
        self.words = [int(word) for word in np.frombuffer(data, "<u4")]
        assert not self.words or self.words[-1]
        self.state = 0
        for _ in range(2):
            if self.words:
                self.state = (self.state << 32) + self.words.pop()

    def symbol(self, frequency, cumulative):
        q = self.state % TOTAL
        s = int(np.searchsorted(cumulative, q, side="right")) - 1
        self.state = (self.state >> 24) * int(frequency[s]) + q - int(cumulative[s])
        if self.state < 2**32 and self.words:
            self.state = (self.state << 32) + self.words.pop()
        return s

    def uniform(self, size):
        each = TOTAL // size
        s = min(self.state % TOTAL // each, size - 1)
        frequency = each if s < size - 1 else TOTAL - each * (size - 1)
        self.state = (self.state >> 24) * frequency + self.state % TOTAL - s * each
        if self.state < 2**32 and self.words:
            self.state = (self.state << 32) + self.words.pop()
        return s

    def values(self, indices, tables, certain):
        out = np.zeros(len(indices), np.int64)
        for table in range(certain, len(tables)):
            mine = [k for k, index in enumerate(indices) if index == table]
            frequency = tables[table]
            half = len(frequency) // 2 - 1
            cumulative = np.concatenate([[0], np.cumsum(frequency)[:-1]])
            for k in mine:
                out[k] = self.symbol(frequency, cumulative) - half
            for k in mine:
                if out[k] == half + 1:
                    out[k] = self.uniform(2**20) - 2**19
        return out

    def finish(self):
        assert self.state == 0
        assert not self.words


def parse(data):
    magic, version, flags, width, height, tenths, log_tile, identity = struct.unpack_from("<4sBBIIHB8s", data)
    assert magic == b"\x89UNP"
    assert version == 0
    assert struct.unpack_from("<I", data, 25)[0] == zlib.crc32(data[:25])
    tile = 2**log_tile
    rows, columns = -(-height // tile), -(-width // tile)
    count = (flags >> 4 & 1) + rows * columns * (2 if flags & 4 else 1)
    index = data[29 : 29 + 8 * count]
    assert struct.unpack_from("<I", data, 29 + 8 * count)[0] == zlib.crc32(index)
    place, parts = 33 + 8 * count, []
    for length, checksum in struct.iter_unpack("<II", index):
        parts.append(data[place : place + length])
        assert zlib.crc32(parts[-1]) == checksum
        place += length
    assert place == len(data)
    return flags, width, height, tenths, tile, identity, parts


def boxes(width, height, tile):
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            yield top, left, min(tile, height - top), min(tile, width - left)


def decode(data, weights_path=None):
    """Samples (H, W, C) and alpha (H, W) or None."""
    flags, width, height, tenths, tile, identity, parts = parse(data)
    depth, channels = (16 if flags & 8 else 8), (1 if flags & 2 else 3)
    first, tiles = flags >> 4 & 1, list(boxes(width, height, tile))
    kind = np.uint16 if depth == 16 else np.uint8
    if flags & 1:
        samples = np.zeros((height, width, channels), kind)
        for (top, left, h, w), part in zip(tiles, parts[first:]):
            samples[top : top + h, left : left + w] = lossless_tile(part, h, w, channels, depth)
    else:
        model = Lossy(weights_path)
        assert model.identity() == identity
        latents = np.zeros((sum(model.slices), -(-height // 16), -(-width // 16)), np.int64)
        for (top, left, h, w), part in zip(tiles, parts[first:]):
            row, column, tall, wide = top // 16, left // 16, -(-h // 16), -(-w // 16)
            latents[:, row : row + tall, column : column + wide] = model.tile(part, tall, wide, tenths)
        values = model.synthesis(latents, tenths)[:, :height, :width]
        if channels == 1:
            values = values.mean(0, keepdims=True)
        samples = np.clip(np.rint(255 * values), 0, 255).astype(np.uint8).transpose(1, 2, 0)
    alpha = None
    if flags & 4:
        alpha = np.zeros((height, width), kind)
        for (top, left, h, w), part in zip(tiles, parts[first + len(tiles) :]):
            alpha[top : top + h, left : left + w] = lossless_tile(part, h, w, 1, depth)[:, :, 0]
    return samples, alpha


def convolve(x, weights):
    """(C, h, w) with weights (O, C, k, k), odd k, zeros beyond the border."""
    k = weights.shape[-1]
    padded = np.pad(x, ((0, 0), (k // 2, k // 2), (k // 2, k // 2)))
    h, w = x.shape[1:]
    out = np.zeros((len(weights), h, w), np.result_type(x, weights))
    for i in range(k):
        for j in range(k):
            out += np.tensordot(weights[:, :, i, j], padded[:, i : i + h, j : j + w], 1)
    return out


def shuffle(x, r=2):
    c, h, w = x.shape[0] // r**2, *x.shape[1:]
    return x.reshape(c, r, r, h, w).transpose(0, 3, 1, 4, 2).reshape(c, h * r, w * r)


class Lossy:
    def __init__(self, path):
        self.tensors, record = read_weights(path)
        self.config = record["config"]
        self.slices = list(self.config["slices"])
        sizes = self.tensors["table_sizes"]
        self.tables = np.split(self.tensors["table_frequencies"].astype(np.int64), np.cumsum(sizes)[:-1])
        self.certain = int(self.tensors["certain"])

    def identity(self):
        digest = hashlib.sha256()
        starts = ("synthesis.", "hyper_synthesis.", "passes.", "log_inverse_gain", "hyper_scale")
        starts += ("table_frequencies", "table_sizes", "certain")
        for name in sorted(self.tensors):
            if name.startswith(starts):
                array = self.tensors[name]
                shape = tuple(int(n) for n in array.shape)
                assert ast.literal_eval(str(shape)) == shape
                digest.update(f"{name}\0torch.{array.dtype}\0{shape}\0".encode() + array.tobytes())
        return digest.digest()[:8]

    def between(self, table, tenths):
        row, part = divmod((tenths - 10) * (len(table) - 1), 990)
        if row == len(table) - 1:
            row, part = row - 1, 990
        if table.dtype == np.int64:
            return (table[row] * (990 - part) + table[row + 1] * part) // 990
        return table[row] * (1 - part / 990) + table[row + 1] * (part / 990)

    def layer(self, name, x, rectified, extra=0):
        whole, offset, shift = (self.tensors[f"{name}.{part}"].astype(np.int64) for part in ("weight", "bias", "shift"))
        wide = shift[:, None, None]
        total = convolve(x, whole) + offset[:, None, None] + (extra << wide) + ((1 << wide) >> 1)
        low, high = (0, 255) if rectified else (-32767, 32767)
        return np.clip(total >> wide, low, high)

    def tile(self, data, h, w, tenths):
        stream = Stream(data)
        low = -(-h // 4), -(-w // 4)
        scale = np.floor(256 * self.tensors["hyper_scale"].astype(np.float64) + 0.5).astype(np.int64)
        index = np.clip((self.between(scale, tenths) + 8) // 16, 0, 63)
        z = stream.values(np.repeat(index, low[0] * low[1]), self.tables, self.certain).reshape(-1, *low)
        bias = self.tensors["hyper_synthesis.quality_bias"].astype(np.float64)
        extra = np.clip(self.between(np.floor(32 * bias + 0.5).astype(np.int64), tenths), -1023, 1023)
        f = self.layer("hyper_synthesis.enter", np.clip(16 * z, -1024, 1024), True, extra[:, None, None])
        f = shuffle(self.layer("hyper_synthesis.first", f, True))
        f = self.layer("hyper_synthesis.middle", f, True)
        f = shuffle(self.layer("hyper_synthesis.second", f, True))[:, :h, :w]
        odd = (np.arange(h)[:, None] + np.arange(w)) % 2
        latents = np.zeros((sum(self.slices), h, w), np.int64)
        for i in range(len(self.slices) + 1):
            number = max(0, i - 1)
            start, coded = sum(self.slices[:number]), self.slices[number]
            known = self.slices[0] if i == 1 else start
            t = self.layer(f"passes.{i}.features", f, False)
            if i > 0:
                y = latents[:known]
                size = np.abs(y)
                inputs = np.sign(y) * np.where(size < 512, size // 4, np.minimum(255, 128 + (size - 512) // 16))
                t = t + self.layer(f"passes.{i}.context", inputs, False)
            t = self.layer(f"passes.{i}.hidden", np.clip(t, 0, 255), True)
            t = self.layer(f"passes.{i}.head", t, False)
            mean, index = t[:coded], (np.clip(t[coded:], 0, 1008) + 8) // 16
            here = np.broadcast_to(odd == i if i < 2 else np.ones((h, w), bool), mean.shape)
            values = stream.values(index[here], self.tables, self.certain)
            latents[start : start + coded][here] = np.clip(mean[here] + 16 * values, -32767, 32767)
        stream.finish()
        return latents

    def residual_blocks(self, name, x):
        number = 0
        while f"synthesis.{name}.{number}.spread.weight" in self.tensors:
            x = x + self.plain(f"{name}.{number}.gather", np.maximum(self.plain(f"{name}.{number}.spread", x), 0))
            number += 1
        return x

    def plain(self, name, x):
        w, b = (self.tensors[f"synthesis.{name}.{part}"].astype(np.float64) for part in ("weight", "bias"))
        return convolve(x, w) + b[:, None, None]

    def synthesis(self, latents, tenths):
        gain = np.exp(self.between(self.tensors["log_inverse_gain"].astype(np.float64), tenths))
        x = self.residual_blocks("low", latents * (gain / 16)[:, None, None])
        x = self.residual_blocks("blocks", shuffle(self.plain("up", x)))
        w = self.tensors["synthesis.deconvolution.weight"].astype(np.float64)
        b = self.tensors["synthesis.deconvolution.bias"].astype(np.float64)
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
        h, wide = x.shape[1] + 1, x.shape[2] + 1
        y = sum(np.tensordot(w[:, :, i, j], padded[:, i : i + h, j : j + wide], 1) for i in (0, 1) for j in (0, 1))
        return shuffle(y + b[:, None, None], 8)[:, 4:-4, 4:-4] + 0.5


NUMBERS = (1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 32, 40, 51, 64, 81, 102, 128, 161, 203, 256, 323, 406, 512)
BOUNDS = sorted({1} | {2**k for k in range(1, 20)} | {3 * 2 ** (k - 1) for k in range(1, 20)})
NEIGHBOURS = (
    "(-1,-1) (-1,1) (1,-1) (1,1) (-1,-3) (-1,3) (1,-3) (1,3) (-3,-1) (-3,1) (3,-1) (3,1)",
    "(0,-1) (0,1) (-1,0) (1,0) (0,-3) (0,3) (-2,-1) (-2,1) (2,-1) (2,1) (-1,-2) (-1,2) (1,-2) (1,2)",
    "(-1,0) (1,0) (0,-1) (0,1) (-1,-1) (-1,1) (1,-1) (1,1) (-3,0) (3,0) (-2,-1) (-2,1) (2,-1) (2,1) (-1,-2) (-1,2) "
    "(1,-2) (1,2)",
)
OFFSETS = [[ast.literal_eval(pair) for pair in line.split()] for line in NEIGHBOURS]


def lossless_table(a):
    half = min(8 + a // 2, 300)
    u = [2**40]
    for _ in range(half):
        u.append(u[-1] * a // (a + 16))
    weights = [u[abs(k)] for k in range(-half, half + 1)] + [u[half]]
    n = 2 * half + 2
    frequency = [1 + weight * (TOTAL - n) // sum(weights) for weight in weights]
    frequency[half] += TOTAL - sum(frequency)
    return np.array(frequency)


LOSSLESS_TABLES = [lossless_table(a) for a in NUMBERS]


def along(place, offset, step, size):
    """Where an offset in steps leads on one axis, or None."""
    while True:
        for candidate in (place + offset * step, place - offset * step):
            if 0 <= candidate < size:
                return candidate
        if abs(offset) < 2:
            return None
        offset += -2 if offset > 0 else 2


def lossless_tile(data, height, width, channels, depth):
    stream = Stream(data)
    rich = height * width >= 16384
    steps = []
    step = 2 ** max(height - 1, width - 1).bit_length() // 2
    while step:
        for kind, (r0, c0) in enumerate(((1, 1), (0, 1), (1, 0))):
            rows, columns = range(r0 * step, height, 2 * step), range(c0 * step, width, 2 * step)
            if rows and columns:
                group = kind + (0 if step == 1 else 3 if step == 2 else 6) * rich
                steps.append((kind, group, step, rows, columns))
        step //= 2
    models = {}
    for plane in range(channels):
        for group in sorted({one[1] for one in steps}):
            inputs = len(OFFSETS[group % 3]) + 5 * plane
            if rich:
                weights = [stream.uniform(2**16) - 2**15 for _ in range(inputs)]
                widths = [stream.uniform(56) for _ in range(40)]
            else:
                weights = [1024] * 4 + [0] * (inputs - 4)
                offset = stream.uniform(56) - 32
                widths = [min(max(3 * k // 2 + offset, 0), 55) for k in range(40)]
            models[plane, group] = weights, widths
    planes = np.zeros((channels, height, width), np.int64)
    residuals = np.zeros_like(planes)
    for plane in range(channels):
        planes[plane, 0, 0] = stream.uniform(2 ** (depth + 1)) - 2**depth
    for kind, group, step, rows, columns in steps:
        for plane in range(channels):
            one_pass(stream, planes, residuals, plane, depth, kind, step, rows, columns, models[plane, group])
    stream.finish()
    if channels == 3:
        light, orange, leaf = planes
        t = light - (leaf >> 1)
        green = leaf + t
        blue = t - (orange >> 1)
        planes = np.stack([blue + orange, green, blue])
    assert planes.min() >= 0
    assert planes.max() < 2**depth
    return planes.transpose(1, 2, 0)


def one_pass(stream, planes, residuals, plane, depth, kind, step, rows, columns, model):
    weights, widths = model
    low, high = (0 if plane == 0 else -(2**depth - 1)), 2**depth - 1
    height, width = planes.shape[1:]
    places = [(r, c) for r in rows for c in columns]
    predictions, found = [], []
    for r, c in places:
        around = [(along(r, i, step, height), along(c, j, step, width)) for i, j in OFFSETS[kind]]
        first = next(place for place in around if None not in place)
        around = [first if None in place else place for place in around]
        inputs = [planes[plane][place] for place in around]
        for earlier in range(plane):
            inputs.append(planes[earlier, r, c])
            inputs += [planes[earlier][place] for place in around[:4]]
        total = sum(int(weight) * int(value) for weight, value in zip(weights, inputs))
        prediction = min(max((total + 2048) >> 12, low), high)
        activity = sum(abs(int(value) - prediction) for value in inputs[:4])
        activity += 2 * sum(abs(int(residuals[plane][place])) for place in around[:4])
        activity += 4 * sum(abs(int(residuals[earlier, r, c])) for earlier in range(plane))
        predictions.append(prediction)
        found.append(widths[sum(bound <= activity for bound in BOUNDS)])
    bits = [max(0, -(-(one - 24) // 3)) for one in found]
    values = stream.values([one - 3 * b for one, b in zip(found, bits)], LOSSLESS_TABLES, 0)
    for b in sorted(set(bits) - {0}):
        for k, mine in enumerate(bits):
            if mine == b:
                values[k] = (int(values[k]) << b) + stream.uniform(2**b)
    for (r, c), value, prediction in zip(places, values, predictions):
        residuals[plane, r, c] = value
        planes[plane, r, c] = prediction + value
