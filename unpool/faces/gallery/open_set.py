"""Open-set identification on LFW: half of those who come are enrolled by one picture, half are strangers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from unpool.errors import DataError, ModelError
from unpool.faces import protocol
from unpool.faces.bench import ours
from unpool.faces.peers import Peer, dlib_peer
from unpool.train.data.find import find

_FALSE_ALARMS = 0.01
_DLIB_USUAL = 0.6  # the distance that dlib's documentation calls one person
_FIELDS = ("open_set_rate_112", "open_set_rate_16", "open_set_rate_dlib")
_SMALL = 16  # pixels of a poor face that asks; the enrolled picture is good


def open_set(people: int, data: Path | None, report: Callable[[str], None]) -> dict[str, Any]:
    """Detection-and-identification rate at 1 % false alarms, at 112 and 16 pixels, ours beside dlib's.

    `people` are enrolled with one picture and come with another; as many strangers come with one each. Every rate has a
    95 % interval beside it, dlib's also what its usual threshold gives. Where the set or the weights are missing,
    `left_out` says which.
    """
    from unpool.faces.api import loaded

    try:
        folder = find("lfw", data) / "images"
        recogniser = loaded()
    except (DataError, ModelError) as error:
        return dict.fromkeys(_FIELDS) | {"left_out": str(error)}
    enrolled, known, strangers = choose(folder, people)
    pictures = [*enrolled, *known, *strangers]
    landmarks, _ = protocol.find_faces(pictures, report)
    faces = protocol.canvases(pictures, landmarks)
    rows = {}
    peers = [ours(recogniser)]
    try:
        peers.append(dlib_peer())
    except ModelError as error:
        report(str(error))
    for peer in peers:
        for size in (112, _SMALL):
            near, right = _nearest(peer, faces, size, len(enrolled), len(known))
            rows[f"{peer.name} {size}"] = _rates(near, right, len(known))
            if peer.name == "dlib":
                rows[f"dlib {size}, at {_DLIB_USUAL}"] = _at(near, right, len(known), _DLIB_USUAL**2)
            elif recogniser.calibration is not None:
                limit = 2 - 2 * recogniser.calibration.gallery_threshold(_FALSE_ALARMS, len(enrolled))
                rows[f"{peer.name} {size}, as calibrated"] = _at(near, right, len(known), limit)
        report(f"{peer.name} measured")
    figures = dict.fromkeys(_FIELDS)
    for field, row in zip(_FIELDS, ("unpool 112", f"unpool {_SMALL}", "dlib 112")):
        if row in rows:
            figures |= {field: rows[row]["rate"], f"{field}_low": rows[row]["low"], f"{field}_high": rows[row]["high"]}
    return figures | {"open_set": rows}


def choose(folder: Path, people: int, seed: int = 0) -> tuple[list[Path], list[Path], list[Path]]:
    """Pictures to enrol, other pictures of the same people, and pictures of as many others, drawn by `seed`."""
    by_person = {p.name: sorted(p.glob("*.jpg")) for p in sorted(folder.iterdir()) if p.is_dir()}
    several = [name for name, pictures in by_person.items() if len(pictures) > 1]
    rng = np.random.default_rng(seed)
    in_gallery = [several[i] for i in rng.permutation(len(several))[:people]]
    others = sorted(set(by_person) - set(in_gallery))
    strangers = [others[i] for i in rng.permutation(len(others))[: len(in_gallery)]]
    return (
        [by_person[name][0] for name in in_gallery],
        [by_person[name][1] for name in in_gallery],
        [by_person[name][0] for name in strangers],
    )


def _nearest(peer: Peer, faces: torch.Tensor, size: int, enrolled: int, known: int) -> tuple[np.ndarray, np.ndarray]:
    """Squared distance of each who comes to the nearest enrolled picture, and whether that is of the same person."""
    (gallery,) = protocol.embed_all([peer.embed], faces[:enrolled])
    (coming,) = protocol.embed_all([peer.embed], faces[enrolled:], protocol.poor(size, "bicubic"))
    gaps = torch.cdist(coming.double(), gallery.double()).square()
    nearest = gaps.argmin(1)
    right = nearest == torch.arange(len(coming))
    right[known:] = False
    return gaps.min(1).values.numpy(), right.numpy()


def _at(near: np.ndarray, right: np.ndarray, known: int, limit: float) -> dict[str, float]:
    accepted = near <= limit
    return {"rate": float((accepted & right)[:known].mean()), "false alarms": float(accepted[known:].mean())}


def _rates(near: np.ndarray, right: np.ndarray, known: int) -> dict[str, float]:
    """The rate at 1 % false alarms with its 95 % interval: people drawn with replacement."""
    row = _at(near, right, known, np.quantile(near[known:], _FALSE_ALARMS, method="lower"))
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(1000):
        mine, theirs = rng.integers(0, known, known), rng.integers(known, len(near), len(near) - known)
        limit = np.quantile(near[theirs], _FALSE_ALARMS, method="lower")
        drawn.append(float((right[mine] & (near[mine] <= limit)).mean()))
    row["low"], row["high"] = (float(q) for q in np.quantile(drawn, [0.025, 0.975]))
    return row
