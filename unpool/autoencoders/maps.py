"""Codes as a map: each picture a point in the plane, near those with a like code, on a page one can move over."""

import base64
import html
import importlib.util
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from unpool.autoencoders.neighbours import continuity, trustworthiness
from unpool.errors import MissingExtraError, UnpoolError
from unpool.images.atomic import atomic
from unpool.images.picture import Picture

_LEAST = 8
_THUMBNAIL = 64

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }}
body {{ margin: 1rem auto; max-width: 70rem; padding: 0 1rem; }}
#map {{ position: relative; width: 100%; aspect-ratio: 1; border: 1px solid #8884; overflow: hidden; }}
#map img {{ position: absolute; width: 3.2%; transform: translate(-50%, -50%); border-radius: 3px; }}
#map img:hover, #map img:focus {{ width: 14%; z-index: 1; outline: 2px solid Highlight; }}
</style></head><body>
<h1>{title}</h1><p>{lead}</p><div id="map">
{points}
</div></body></html>
"""


def check_map(count: int) -> None:
    """Raises UnpoolError where a map of so many codes cannot be made, MissingExtraError without openTSNE."""
    if count < _LEAST:
        raise UnpoolError(f"a map needs at least {_LEAST} pictures, not {count}")
    if importlib.util.find_spec("openTSNE") is None:
        raise MissingExtraError("a map of codes", "maps")


def places_of(codes: np.ndarray, seed: int = 0) -> np.ndarray:
    """Codes (N, D) to points (N, 2) by t-SNE (van der Maaten and Hinton 2008; openTSNE), cosine distances.

    Raises UnpoolError for fewer than eight codes, MissingExtraError without openTSNE.
    """
    check_map(len(codes))
    from openTSNE import TSNE

    perplexity = min(30.0, (len(codes) - 1) / 3)
    return np.asarray(TSNE(perplexity=perplexity, metric="cosine", random_state=seed, n_jobs=1).fit(codes))


def faithfulness(codes: np.ndarray, places: np.ndarray) -> dict[str, float]:
    """Trustworthiness and continuity of a map (12 nearest, fewer for few pictures), by directions of the codes."""
    unit = codes / np.maximum(np.linalg.norm(codes, axis=1, keepdims=True), 1e-12)
    near = min(12, (len(codes) - 1) // 3)
    return {
        "trustworthiness": trustworthiness(unit, places, near),
        "continuity": continuity(unit, places, near),
    }


def write_map(path: Path, pictures: Sequence[Picture], names: Sequence[str], codes: np.ndarray, title: str) -> None:
    """One self-contained HTML page: every picture at its place, larger under the pointer, with its name."""
    places = places_of(codes)
    low, high = places.min(0), places.max(0)
    share = 4 + 92 * (places - low) / np.maximum(high - low, 1e-9)
    points = [
        f'<img src="{_thumbnail(picture)}" style="left:{x:.2f}%;top:{y:.2f}%" tabindex="0" '
        f'title="{html.escape(name, quote=True)}" alt="{html.escape(name, quote=True)}">'
        for picture, name, (x, y) in zip(pictures, names, share, strict=True)
    ]
    figures = faithfulness(codes, places)
    lead = f"{len(points)} pictures by t-SNE of their codes. " + ", ".join(f"{k} {v:.3f}" for k, v in figures.items())
    with atomic(path) as beside:
        page = _PAGE.format(title=html.escape(title), lead=lead, points="\n".join(points))
        beside.write_text(page, encoding="utf-8")


def _thumbnail(picture: Picture) -> str:
    samples = picture.with_depth(8).samples
    image = Image.fromarray(samples[:, :, 0] if picture.grey else samples)
    image.thumbnail((_THUMBNAIL, _THUMBNAIL))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
