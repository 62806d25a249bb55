"""One photograph through JPEG's and JPEG 2000's steps, done here in the open, and through ours, at the same bytes.

Fills in classical_codecs.md as docs/codec-classics.md, with its pictures: `python examples/classical_codecs.py [docs]`.
"""

import heapq
import io
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.fft import dctn, idctn
from scipy.special import gammaln
from skimage.data import coffee

import unpool
from unpool.codec.api import load_codec
from unpool.codec.container import parse
from unpool.codec.tables import Decoder
from unpool.codec.tiling import latent_size
from unpool.images.picture import Picture
from unpool.images.writing import write

SIZE = 24_000  # bytes every file may have
SHOWN = 12  # the 8x8 block that is shown has about so many coefficients left
LUMA = np.array(  # ITU-T T.81, annex K
    [
        *([16, 11, 10, 16, 24, 40, 51, 61], [12, 12, 14, 19, 26, 58, 60, 55], [14, 13, 16, 24, 40, 57, 69, 56]),
        *([14, 17, 22, 29, 51, 87, 80, 62], [18, 22, 37, 56, 68, 109, 103, 77], [24, 35, 55, 64, 81, 104, 113, 92]),
        *([49, 64, 78, 87, 103, 121, 120, 101], [72, 92, 95, 98, 112, 100, 103, 99]),
    ]
)
CHROMA = np.full((8, 8), 99)
CHROMA[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]
ZIGZAG = sorted(np.ndindex(8, 8), key=lambda at: (sum(at), at[1 - sum(at) % 2]))
TO_YCC = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])


def to_ycc(picture: np.ndarray) -> list[np.ndarray]:
    """RGB uint8 (H, W, 3) to luma and two colour differences about 0, the latter at half the resolution."""
    planes = np.moveaxis(picture @ TO_YCC.T, 2, 0)
    luma, *colour = planes
    half = [one.reshape(one.shape[0] // 2, 2, one.shape[1] // 2, 2).mean((1, 3)) for one in colour]
    return [luma - 128, *half]


def to_rgb(planes: list[np.ndarray]) -> np.ndarray:
    """The way back, to uint8."""
    luma, *half = planes
    colour = [np.asarray(Image.fromarray(one.astype(np.float32)).resize(luma.shape[::-1], 2)) for one in half]
    values = np.stack([luma + 128, *colour], -1) @ np.linalg.inv(TO_YCC).T
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def psnr(picture: np.ndarray, other: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((picture.astype(float) - other) ** 2)))


# DCT and Huffman ------------------------------------------------------------------------------------------------------


def steps_of(quality: int, table: np.ndarray) -> np.ndarray:
    """The quantiser's steps at a quality of 1 to 100, as libjpeg scales them."""
    scale = 5000 / quality if quality < 50 else 200 - 2 * quality
    return np.clip((table * scale + 50) // 100, 1, 255)


def blocks_of(plane: np.ndarray) -> np.ndarray:
    """(rows, columns, 8, 8), the plane's last samples repeated to fill them."""
    full = np.pad(plane, [(0, -side % 8) for side in plane.shape], mode="edge")
    return full.reshape(full.shape[0] // 8, 8, full.shape[1] // 8, 8).swapaxes(1, 2)


def symbols_of(levels: np.ndarray) -> tuple[list[int], list[tuple[int, int]], int]:
    """Quantised blocks to Huffman symbols: sizes of DC differences, (zeros before, size) of the rest, and raw bits."""
    flat = levels.reshape(-1, 64)[:, [8 * row + column for row, column in ZIGZAG]].astype(int)
    first = np.diff(flat[:, 0], prepend=0)
    dc = [int(abs(one)).bit_length() for one in first]
    ac: list[tuple[int, int]] = []
    raw = sum(dc)
    for block in flat[:, 1:]:
        last = -1
        for place in np.flatnonzero(block):
            run = int(place) - last - 1
            ac += [(15, 0)] * (run // 16)
            size = int(abs(block[place])).bit_length()
            ac.append((run % 16, size))
            raw += size
            last = int(place)
        if last < 62:
            ac.append((0, 0))  # end of block
    return dc, ac, raw


def huffman(counts: Counter) -> dict:
    """The length of each symbol's code word (Huffman 1952)."""
    heap = [(count, number, [symbol]) for number, (symbol, count) in enumerate(counts.items())]
    lengths = dict.fromkeys(counts, 1 if len(counts) == 1 else 0)
    heapq.heapify(heap)
    while len(heap) > 1:
        first, second = heapq.heappop(heap), heapq.heappop(heap)
        for symbol in first[2] + second[2]:
            lengths[symbol] += 1
        heapq.heappush(heap, (first[0] + second[0], first[1], first[2] + second[2]))
    return lengths


def jpeg(planes: list[np.ndarray], quality: int) -> tuple[float, list[np.ndarray]]:
    """Bytes and decoded planes of the steps DCT, quantisation, zigzag and run lengths, Huffman."""
    bits, decoded = 0.0, []
    counts: dict[str, Counter] = {}
    for number, plane in enumerate(planes):
        steps = steps_of(quality, LUMA if number == 0 else CHROMA)
        levels = np.rint(dctn(blocks_of(plane), axes=(2, 3), norm="ortho") / steps)
        dc, ac, raw = symbols_of(levels)
        bits += raw
        kind = "luma" if number == 0 else "colour"
        counts.setdefault(kind + " dc", Counter()).update(dc)
        counts.setdefault(kind + " ac", Counter()).update(ac)
        back = idctn(levels * steps, axes=(2, 3), norm="ortho").swapaxes(1, 2)
        decoded.append(back.reshape(back.shape[0] * 8, -1)[: plane.shape[0], : plane.shape[1]])
    for one in counts.values():
        lengths = huffman(one)
        bits += sum(count * lengths[symbol] for symbol, count in one.items()) + 8 * (16 + len(one))
    return bits / 8, decoded


# DWT and arithmetic coding --------------------------------------------------------------------------------------------

LIFTING = (-1.586134342, -0.052980118, 0.882911075, 0.443506852)  # Daubechies and Sweldens 1998, the 9/7 wavelet
SCALE = 1.230174105 / 2**0.5  # makes the transform nearly orthonormal
LEVELS = 5


def lift(plane: np.ndarray, axis: int, back: bool = False) -> np.ndarray:
    """One level of the 9/7 wavelet along an axis: low half, then high half; the border is mirrored."""
    x = np.moveaxis(plane, axis, 0)
    half = -(-len(x) // 2)
    low, high = (x[:half] * SCALE, x[half:] / SCALE) if back else (x[0::2].copy(), x[1::2].copy())
    for number, weight in list(enumerate(LIFTING))[:: -1 if back else 1]:
        change = -weight if back else weight
        if number % 2 == 0:  # odd samples from their even neighbours
            after = np.concatenate([low[1:], low[-1:]])[: len(high)]
            high = high + change * (low[: len(high)] + after)
        else:
            before = np.concatenate([high[:1], high])[: len(low)]
            behind = np.concatenate([high, high[-1:]])[: len(low)]
            low = low + change * (before + behind)
    if back:
        out = np.empty_like(x)
        out[0::2], out[1::2] = low, high
    else:
        out = np.concatenate([low / SCALE, high * SCALE])
    return np.moveaxis(out, 0, axis)


def wavelet(plane: np.ndarray, back: bool = False) -> np.ndarray:
    """All levels, the coarsest in the upper left corner."""
    out = plane.astype(float).copy()
    corners = [tuple(-(-side // 2**level) for side in plane.shape) for level in range(LEVELS)]
    for height, width in corners[::-1] if back else corners:
        part = out[:height, :width]
        out[:height, :width] = lift(lift(part, 1, True), 0, True) if back else lift(lift(part, 0), 1)
    return out


def adaptive_bits(symbols: np.ndarray, contexts: np.ndarray) -> float:
    """Bits of an adaptive arithmetic coder, one frequency count a context, all symbols starting at one half.

    Its code length does not depend on the order, so it has a closed form (Krichevsky and Trofimov 1981).
    """
    counts = np.zeros((contexts.max() + 1, symbols.max() + 1))
    np.add.at(counts, (contexts.reshape(-1), symbols.reshape(-1)), 1)
    start = 0.5
    total = gammaln(counts.sum(1) + start * counts.shape[1]) - gammaln(start * counts.shape[1])
    return float((total - (gammaln(counts + start) - gammaln(start)).sum(1)).sum() / np.log(2))


def jpeg2000(planes: list[np.ndarray], step: float) -> tuple[float, list[np.ndarray]]:
    """Bytes and decoded planes of the steps wavelet, dead-zone quantiser, context, arithmetic coding."""
    bits, decoded = 0.0, []
    for plane in planes:
        coefficients = wavelet(plane)
        levels = np.fix(coefficients / step).astype(int)
        size = np.ceil(np.log2(np.abs(levels) + 1)).astype(int)  # binary digits
        known = np.pad(size, 1)
        around = known[:-2, 1:-1] + known[1:-1, :-2]
        around = 2 * around + known[:-2, :-2] + known[:-2, 2:]  # left and above: already coded
        parent = size[np.ix_(np.arange(size.shape[0]) // 2, np.arange(size.shape[1]) // 2)]
        contexts = 6 * np.minimum(around, 11) + np.minimum(parent, 5)
        bits += adaptive_bits(size, contexts) + size.sum()  # sign, and the digits after the first
        values = np.sign(levels) * (np.abs(levels) + 0.4) * step
        decoded.append(wavelet(np.where(levels == 0, 0, values), back=True))
    return bits / 8, decoded


# The page -------------------------------------------------------------------------------------------------------------


def largest(low: float, high: float, fits: Callable[[float], bool], steps: int = 12) -> float:
    """The largest number for which something fits, by halving."""
    for _ in range(steps):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def pillow(picture: np.ndarray, kind: str, **options: object) -> tuple[int, np.ndarray]:
    """Size and pixels of a file as Pillow writes it."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, kind, **options)
    return buffer.tell(), np.asarray(Image.open(buffer).convert("RGB"))


def shades(values: np.ndarray, side: int) -> np.ndarray:
    """Numbers about 0 as greys, each a square of `side` pixels."""
    largest_shown = max(np.percentile(np.abs(values), 99.5), 1)
    grey = 128 + 127 * np.sign(values) * np.sqrt(np.minimum(np.abs(values) / largest_shown, 1))
    return np.kron(grey, np.ones((side, side)))[..., None].astype(np.uint8)


def beside(*pictures: np.ndarray) -> Picture:
    """Pictures of one height in a row, a light line between them."""
    colour = [np.broadcast_to(one, (*one.shape[:2], 3)) for one in pictures]
    line = np.full((colour[0].shape[0], 4, 3), 255, np.uint8)
    return Picture(np.concatenate([part for one in colour for part in (one, line)][:-1], axis=1))


def numbers(values: np.ndarray) -> str:
    return "\n".join("   " + " ".join(f"{round(value):5d}" for value in row) for row in values)


def symbols_of_ours(data: bytes) -> dict[str, np.ndarray]:
    """What one tile of a `.unp` file holds for each latent: its value, its bits, the step its width stands for."""
    coder, parsed = load_codec().coder, parse(data)
    decoder, tables = Decoder(parsed.tile(0)), coder.tables
    size = latent_size(parsed.header.height, parsed.header.width)
    shape = (coder.codec.latents, *size)
    found = {name: np.zeros(int(np.prod(shape))) for name in ("value", "bits", "certain")}
    widest = tables.bits.shape[1] // 2

    def code(where: np.ndarray | None, _mean: np.ndarray, index: np.ndarray) -> np.ndarray:
        values = decoder.get(index, tables)
        if where is not None:
            found["value"][where] = values
            found["certain"][where] = index < tables.certain
            found["bits"][where] = tables.bits[index, np.clip(values, -widest, widest) + widest]
        return values

    coder.walk(size, parsed.header.tenths, code)
    return {name: values.reshape(shape) for name, values in found.items()}


def main(folder: Path) -> None:
    """Write the pictures and the page."""
    pictures = folder / "pictures" / "codec"
    pictures.mkdir(parents=True, exist_ok=True)
    photo = coffee()
    pixels = photo.shape[0] * photo.shape[1]
    planes = to_ycc(photo)

    quality = int(largest(1, 100, lambda q: jpeg(planes, int(q))[0] <= SIZE, 8))
    jpeg_size, jpeg_planes = jpeg(planes, quality)
    step = 1 / largest(1 / 200, 1, lambda s: jpeg2000(planes, 1 / s)[0] <= SIZE)
    wavelet_size, wavelet_planes = jpeg2000(planes, step)
    ours = unpool.compress(photo, size=SIZE)
    decoded = {
        "JPEG's steps": (jpeg_size, to_rgb(jpeg_planes)),
        "JPEG 2000's steps": (wavelet_size, to_rgb(wavelet_planes)),
        "ours": (len(ours), unpool.decompress(ours).samples),
    }
    real_quality = int(largest(1, 95, lambda q: pillow(photo, "JPEG", quality=int(q), optimize=True)[0] <= SIZE, 8))
    decoded["Pillow's JPEG, optimised"] = pillow(photo, "JPEG", quality=real_quality, optimize=True)
    rate = 24 * pixels / 8 / SIZE
    decoded["Pillow's JPEG 2000"] = pillow(photo, "JPEG2000", irreversible=True, quality_layers=[rate], mct=1)

    blocks = blocks_of(planes[0])
    left_over = np.rint(dctn(blocks, axes=(2, 3), norm="ortho") / steps_of(quality, LUMA)) != 0
    block = blocks.reshape(-1, 8, 8)[np.abs(left_over.sum((2, 3)) - SHOWN).argmin()]
    spectrum = dctn(block, norm="ortho")
    levels = np.rint(spectrum / steps_of(quality, LUMA))
    back = idctn(levels * steps_of(quality, LUMA), norm="ortho")
    write(beside(*(shades(one, 24) for one in (block, spectrum, levels, back))), pictures / "classics-dct.png")
    bands = wavelet(planes[0])
    kept = np.fix(bands / step)
    write(beside(shades(bands, 1), shades(kept, 1)), pictures / "classics-dwt.webp", quality=95)
    latents = symbols_of_ours(ours)
    cost = latents["bits"].sum(0)
    busiest = np.argsort(latents["bits"].sum((1, 2)))[::-1][:4]
    maps = [shades(latents["value"][channel], 8) for channel in busiest[:2]]
    write(beside(shades(cost, 8), *maps), pictures / "classics-latents.webp", quality=95)
    top, left = 110, 210
    shown = [photo] + [decoded[name][1] for name in ("JPEG's steps", "JPEG 2000's steps", "ours")]
    crops = [np.kron(one[top : top + 130, left : left + 200], np.ones((2, 2, 1), np.uint8)) for one in shown]
    two = [beside(*crops[:2]).samples, beside(*crops[2:]).samples]
    write(
        Picture(np.concatenate([two[0], np.full_like(two[0][:4], 255), two[1]])),
        pictures / "classics-crops.webp",
        quality=95,
    )

    _, ac, raw = symbols_of(levels[None, None])
    rows = "\n".join(f"| {name} | {size:,.0f} | {psnr(photo, one):.2f} |" for name, (size, one) in decoded.items())
    page = (
        Path(__file__)
        .with_suffix(".md")
        .read_text(encoding="utf-8")
        .format(
            size=SIZE,
            rows=rows,
            quality=quality,
            step=step,
            block=numbers(block + 128),
            spectrum=numbers(spectrum),
            levels=numbers(levels),
            symbols=" ".join(f"({run}, {size})" for run, size in ac),
            zeros=100 * np.mean(levels == 0),
            wavelet_zeros=100 * np.mean(kept == 0),
            count=latents["bits"].size,
            zero=100 * np.mean(latents["value"] == 0),
            certain=100 * np.mean(latents["certain"]),
            bits=latents["bits"].sum() / 8,
            raw=raw,
        )
    )
    (folder / "codec-classics.md").write_text(page, encoding="utf-8")
    print(rows)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))
