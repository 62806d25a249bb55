"""`unpool bench faces`: recognition at many resolutions beside its peers, non-faces, groups, enlargement, speed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from unpool.errors import DataError, ModelError
from unpool.faces import probes, protocol
from unpool.faces.api import ENLARGER, Recogniser, loaded
from unpool.faces.model import SIZE
from unpool.faces.peers import MARGIN, Peer, crops, dlib_peer, mobile_peer
from unpool.images.resampling import imresize
from unpool.train.data.find import find
from unpool.train.data.lfw import lfw_pairs
from unpool.zoo.measure import macs, parameters

# Pixels of a face, and how it lost the others: those that every pair is asked at, and those that some are.
_MAIN = ((SIZE, "none"), (32, "bicubic"), (16, "bicubic"))
_OTHERS = (
    (64, "bicubic"),
    (24, "bicubic"),
    (12, "bicubic"),
    *((s, k) for s in (24, 16, 12) for k in ("area", "camera")),
)
_FOUND_SMALL = (32, 16)  # pixels at which faces are also looked for in the reduced picture itself
_SOME, _QUICK = 60, 14  # pairs of each fold, half of them of one person
_POOR = 24  # pixels at and below which one poor face against a good one is tried too

Report = Callable[[str], None]


def bench(*, quick: bool, data: Path | None, report: Report) -> dict[str, Any]:
    """Measure the shipped recogniser and its peers; the figures are explained in docs/faces.md."""
    recogniser = loaded()
    figures: dict[str, Any] = {
        "parameters": parameters(recogniser.module.encoder) + parameters(recogniser.module.head),
        "mmac": round(macs(recogniser.module, torch.zeros(1, 3, SIZE, SIZE)) / 1e6, 1),
    }
    left_out: dict[str, str] = {}
    figures |= probes.speed(recogniser, quick)
    report("speed measured")
    for name, part in (
        ("lfw", lambda: _lfw(recogniser, quick, data, report, left_out)),
        ("groups", lambda: probes.groups(recogniser, find("utkface", data), 20 if quick else None)),
        ("nonfaces", lambda: probes.nonfaces(recogniser, data, 20 if quick else 1000)),
        ("enlargement", lambda: probes.enlargement(recogniser, data, 32 if quick else 200, _judge(data, left_out))),
        ("detection", lambda: probes.detection(data, quick)),
    ):
        try:
            figures |= part()
            report(f"{name} measured")
        except (DataError, ModelError) as error:
            left_out[name] = str(error)
    figures["notes"] = {
        "subset": f"the first {_QUICK} pairs of each fold"
        if quick
        else f"all pairs; of rarer losses {_SOME} of each fold",
        "people": "dlib's and CelebA's training pictures may show people of LFW; dlib's layers are ours to begin from",
        "groups": "other pictures of UTKFace, without names, are among those the network learned from",
        "unseen": "`area` and `camera` reduction were not seen in training",
        "errors by group": "not measured except false matches; `unpool faces calibrate FOLDER` measures your own",
    }
    return figures | ({"left_out": left_out} if left_out else {})


def ours(recogniser: Recogniser) -> Peer:
    """Our recogniser as the protocol calls its peers."""
    return Peer("unpool", lambda _good, poor: recogniser.embed_crops(crops(poor))[0], "112x112, the standard template")


def _judge(data: Path | None, left_out: dict[str, str]) -> Peer | None:
    """Who says whether a face is still the same one: neither our recogniser nor its teacher."""
    return next((peer for peer in _peers(data, left_out) if peer.name == "mobilefacenet"), None)


def _peers(data: Path | None, left_out: dict[str, str]) -> list[Peer]:
    makers = {"dlib": dlib_peer, "mobilefacenet": lambda: mobile_peer(data, torch.get_num_threads())}
    peers = []
    for name, make in makers.items():
        try:
            peers.append(make())
        except ModelError as error:
            left_out[name] = str(error)
    return peers


def _lfw(
    recogniser: Recogniser, quick: bool, data: Path | None, report: Report, left_out: dict[str, str]
) -> dict[str, Any]:
    folds = protocol.gather(lfw_pairs(find("lfw", data)), _QUICK if quick else None)
    landmarks, found = protocol.find_faces(folds.pictures, report)
    faces = protocol.canvases(folds.pictures, landmarks)
    peers = [ours(recogniser), *_peers(data, left_out)]
    embeds = [peer.embed for peer in peers]
    good = dict(zip(embeds, protocol.embed_all(embeds, faces)))
    some, needed = protocol.fewer(folds, min(_SOME, folds.same.shape[1]))
    rows: dict[str, dict[str, float]] = {}
    for size, kernel in (*_MAIN, *(() if quick else _OTHERS)):
        main = (size, kernel) in _MAIN
        asked, shown = (folds, faces) if main else (some, faces[needed])
        spoilt = protocol.poor(size, kernel)
        found_there = good.values() if size == SIZE else protocol.embed_all(embeds, shown, spoilt)
        for peer, seen in zip(peers, found_there):
            name = f"{peer.name} {size} {kernel}"
            rows[name] = _row(asked, seen, seen)
            if kernel == "bicubic" and size <= _POOR:
                clear = good[peer.embed] if main else good[peer.embed][needed]
                rows[f"{name} against {SIZE}"] = _row(asked, clear, seen)
        report(f"LFW at {size} pixels ({kernel}) measured")
    found_small = {}
    for size in () if quick else _FOUND_SMALL:
        shown, found_small[str(size)] = protocol.find_small(some.pictures, [landmarks[i] for i in needed], size)
        for peer, seen in zip(peers, protocol.embed_all(embeds, shown)):
            rows[f"{peer.name} {size} bicubic, found there"] = _row(some, seen, seen)
        report(f"LFW at {size} pixels, found there, measured")
    accept = {
        peer.name: dict(zip(("share", "low", "high"), protocol.true_accepts(folds, good[peer.embed]))) for peer in peers
    }
    enlarged = protocol.embed_all([peer.embed for peer in peers[1:]], faces, _enlarged)
    for peer, seen in zip(peers[1:], enlarged):
        rows[f"{peer.name} 16 bicubic, enlarged by {ENLARGER}"] = _row(folds, seen, seen)
    names = [peer.name for peer in peers[1:]]
    at = {name: row["accuracy"] for name, row in rows.items()}
    figures: dict[str, Any] = {
        "lfw_112": at["unpool 112 none"],
        "lfw_32": at["unpool 32 bicubic"],
        "lfw_16": at["unpool 16 bicubic"],
        "lfw_16_vs_112": at["unpool 16 bicubic against 112"],
        "tar_at_far_1e3_112": accept["unpool"]["share"],
        "lfw_found": float(found.mean()),
        "lfw_found_small": found_small,
    }
    if "dlib" in names:
        figures["lfw_112_dlib"] = at["dlib 112 none"]
    if names:
        figures["lfw_16_best_peer"] = max(at[f"{name} 16 bicubic"] for name in names)
        figures["lfw_16_best_peer_with_sr"] = max(at[f"{name} 16 bicubic, enlarged by {ENLARGER}"] for name in names)
    return figures | {"lfw": rows, "tar_at_far_1e3": accept}


def _row(folds: protocol.Folds, one: Tensor, other: Tensor) -> dict[str, float]:
    accuracy, error = protocol.fold_accuracy(folds, one, other)
    return {"accuracy": accuracy, "standard error": error, "pairs": folds.same.size}


def _enlarged(good: Tensor) -> Tensor:
    """Canvases whose face has 16 of 112 pixels, enlarged by our enlarger where it reaches, by bicubic around it."""
    side = good.shape[-1]
    poor = protocol.poor_canvas(good, 16, protocol.spoil("bicubic"))
    edge, whole = round((MARGIN - 8) / (SIZE + 2 * MARGIN) * side), round(128 / (SIZE + 2 * MARGIN) * side)
    inner = (..., slice(edge, edge + whole), slice(edge, edge + whole))
    # 16 pixels of the 112-pixel crop are 18.3 of the 128-pixel one: the enlarger takes 16.
    small = imresize(poor[inner], size=(16, 16)).clamp_(0, 1)
    large = loaded(ENLARGER).enlarge(small)
    poor[inner] = F.interpolate(large, (whole, whole), mode="bicubic", align_corners=False).clamp(0, 1)
    return poor
