"""What is measured beside LFW: speed, groups, non-faces, enlargement, detection."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from unpool.faces.alignment import TEMPLATE, apply, crop_matrix, warp
from unpool.faces.api import ENLARGER, Recogniser, loaded
from unpool.faces.damage import reduced
from unpool.faces.detection import detect
from unpool.faces.dlib_network import DlibRecogniser, model_file
from unpool.faces.peers import Peer, eight, in_canvas
from unpool.images.metrics import eight_bit, psnr_rgb, ssim_y
from unpool.images.reading import read
from unpool.images.resampling import imresize
from unpool.train.data.faces import SHARP, faces, halves
from unpool.train.data.folders import pictures
from unpool.train.data.photos import photos
from unpool.zoo.imagenet import classes
from unpool.zoo.measure import interleaved

_TRAINED = {  # pictures of UTKFace's test groups that All-Age-Faces has as well
    "85_1_1_20170110182031363",
    "90_1_0_20170110143355280",
    "10_1_0_20170109204259563",
    "16_0_4_20170110232131606",
}
# Photographs of animals that show people too, found by looking; they are no pictures without a face.
_WITH_PEOPLE = {
    "n01494475", "n02088466", "n02093859", "n02098286", "n02098413", "n02102040",
    "n02105641", "n02107908", "n02108422", "n02111500", "n02113712", "n02398521",
    "n02514041", "n02536864", "n02640242", "n02641379",
}  # fmt: skip


def speed(recogniser: Recogniser, quick: bool) -> dict[str, Any]:
    """Faces a second, one at a time, of finding (a picture of 512 pixels), aligning and embedding, and of dlib's."""
    from skimage.data import astronaut

    picture = read(astronaut())
    rgb, points = picture.rgb(), detect(picture)[0].landmarks
    crop = warp(rgb, crop_matrix(points), 112)
    chip = torch.rand(1, 3, 150, 150)
    network = DlibRecogniser().eval()

    def in_torch() -> Tensor:
        with torch.inference_mode():
            return network(chip)

    calls = {
        "detect": lambda: detect(picture),
        "align": lambda: warp(rgb, crop_matrix(points), 112),
        "embed": lambda: recogniser.embed_crops(crop),
        "dlib's network in torch": in_torch,
    }
    try:
        import dlib

        own = dlib.face_recognition_model_v1(str(model_file()))
        cut = eight(chip)[0]
        calls["dlib"] = lambda: own.compute_face_descriptor(cut)
    except ImportError:
        pass
    times = interleaved(calls, 5 if quick else 21)
    figures: dict[str, Any] = {"embed_faces_per_second": 1 / times["embed"]["median"]}
    if "dlib" in times:
        figures["peer_faces_per_second"] = 1 / times["dlib"]["median"]
    return figures | {"seconds_a_face": times}


def groups(recogniser: Recogniser, folder: Path, each: int | None) -> dict[str, Any]:
    """Share of pairs of two people of one group that are taken for one, where 1e-3 of all pairs are.

    Four pictures that are in All-Age-Faces too, from which the recogniser learned, are left out.
    """
    vectors, group = [], []
    for inside in sorted(path for path in folder.iterdir() if path.is_dir()):
        for listed in [one for one in pictures(inside) if one.path.stem not in _TRAINED][:each]:
            rgb = read(listed.path).rgb()
            edge = (rgb.shape[-1] - 112) // 2
            vectors.append(recogniser.embed_crops(rgb[..., edge : edge + 112, edge : edge + 112])[0])
            group.append(inside.name)
    cosines = torch.cat(vectors) @ torch.cat(vectors).T
    of = np.array(group)
    upper = np.triu(np.ones(cosines.shape, dtype=bool), 1)
    limit = float(np.quantile(cosines.numpy()[upper], 1 - 1e-3))
    rates = {}
    for name in np.unique(of):
        own = upper & (of[:, None] == name) & (of[None] == name)
        rates[str(name)] = float((cosines.numpy()[own] > limit).mean())
    return {"fmr_worst_group": max(rates.values()), "false_match_rate": rates}


def nonfaces(recogniser: Recogniser, data: Path | None, count: int) -> dict[str, Any]:
    """How many of `count` pictures without a face are taken for one: animals, the same blurred, noise, blank, ramps."""
    pack = photos(data)
    animals = {synset for synset, _ in classes()[:398]} - _WITH_PEOPLE
    shown = [i for i, name in enumerate(pack.names) if name.split("/")[-1].split("_")[0] in animals]
    rng = np.random.default_rng(0)
    accepted: list[str] = []
    for number in range(count):
        kind = ("animal", "blurred", "noise", "blank", "ramp")[min(number % 10 // 2, 4)]
        name, picture = kind, np.zeros((96, 96, 3), np.uint8)
        if kind in ("animal", "blurred"):
            at = shown[(number // 10 * 2 + number % 2) % len(shown)]
            name, picture = f"{kind} {pack.names[at]}", pack[at]
        if kind == "blurred":
            height, width = picture.shape[:2]
            small = Image.fromarray(picture).resize((max(1, width // 8), max(1, height // 8)))
            picture = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))
        elif kind == "noise":
            picture = rng.integers(0, 256, (96, 96, 3), dtype=np.uint8)
        elif kind == "blank":
            picture = np.full((96, 96, 3), rng.integers(0, 256, 3), np.uint8)
        elif kind == "ramp":
            picture = np.repeat(np.outer(np.linspace(0, 255, 96), np.ones(96))[:, :, None], 3, 2).astype(np.uint8)
        found = read(picture)
        if any(one.reason is None for one in recogniser.embedded(found.rgb(), detect(found))):
            accepted.append(name)
    return {"nonfaces_accepted": len(accepted), "nonfaces": {"shown": count, "accepted": accepted}}


def enlargement(recogniser: Recogniser, data: Path | None, count: int, judge: Peer | None) -> dict[str, Any]:
    """PSNR and SSIM of 16 pixels made 128, and of 28 made 112, on people held out, and the identity kept.

    The first is the enlarger's work, the second the recogniser's decoder's, where that has been trained. Identity is
    the mean cosine between the enlarged and the original face as `judge` sees them, who is neither our recogniser nor
    its teacher; without a judge it is left out.
    """
    pack = faces(128, data)
    held = halves(pack, SHARP)[1][:count]
    large = torch.stack([torch.from_numpy(pack[int(i)].transpose(2, 0, 1).copy()) for i in held]).float() / 255
    small = eight_bit(imresize(large, size=(16, 16)))
    eightfold = {"unpool": loaded(ENLARGER).enlarge(small), "bicubic": imresize(small, size=(128, 128))}
    rows = {name: _nearness(one, large, judge) for name, one in eightfold.items()}
    figures = {"sr8_psnr": rows["unpool"]["psnr_rgb"], "sr8_psnr_bicubic": rows["bicubic"]["psnr_rgb"]}
    if recogniser.restores:
        clean = large[..., 8:120, 8:120]
        poor = reduced(clean, 28)
        fourfold = {"unpool's decoder, x4": recogniser.restore_crops(poor), "bicubic, x4": poor}
        rows |= {name: _nearness(one, clean, judge) for name, one in fourfold.items()}
        figures["sr4_psnr"], figures["sr4_psnr_bicubic"] = (rows[name]["psnr_rgb"] for name in fourfold)
    return figures | {"enlargement": rows}


def _nearness(made: Tensor, true: Tensor, judge: Peer | None) -> dict[str, float]:
    """How near faces are to the true ones, (N, 3, 128, 128) or their middle 112 pixels."""
    row = {
        "psnr_rgb": float(psnr_rgb(eight_bit(made), true).mean()),
        "ssim_y": float(ssim_y(eight_bit(made), true, crop=0).mean()),
    }
    if judge is not None:
        edge = (128 - true.shape[-1]) // 2
        shown = (in_canvas(F.pad(one.clamp(0, 1), [edge] * 4, mode="replicate")) for one in (made, true))
        seen, known = (judge.embed(one, one) for one in shown)
        row[f"identity kept, by {judge.name}"] = float((known * seen).sum(1).mean())
    return row


def detection(data: Path | None, quick: bool) -> dict[str, Any]:
    """Recall and landmark error on aligned faces of people held out, shown at known places, sizes and angles.

    A face counts as found if the middle of its landmarks is within half the face of the truth. The landmark error of
    our detector is in distances between the eyes.
    """
    pack = faces(128, data)
    held = [int(i) for i in halves(pack, SHARP)[1][:: 20 if quick else 2]][:100]
    peer = _hog()
    rows: dict[str, dict[str, float]] = {}
    cases = [(size, 0) for size in ((16, 64) if quick else (12, 16, 24, 32, 64, 128, 400))]
    cases += [(64, 45), (64, 90)] if quick else [(64, 30), (64, 45), (64, 90), (64, 180)]
    for size, angle in cases:
        counts: dict[str, list[float]] = {"unpool": [], "error": [], "dlib": []}
        for index in held:
            picture, truth = _shown(pack[index], size, angle)
            found = [face.landmarks for face in detect(picture)]
            errors = [float(np.linalg.norm(points - truth, axis=1).mean()) / (size * 0.315) for points in found]
            counts["unpool"].append(float(min(errors, default=9.0) < 1))
            counts["error"] += [min(errors)] if errors and min(errors) < 1 else []
            if peer is not None:
                middles = [np.array([r.center().x, r.center().y]) for r in peer(picture, 1)]
                apart = [float(np.linalg.norm(middle - truth.mean(0))) for middle in middles]
                counts["dlib"].append(float(min(apart, default=1e9) < size / 2))
        rows[f"{size} pixels, {angle} degrees"] = {name: float(np.mean(v)) for name, v in counts.items() if v}
    return {"detection": rows}


def _shown(face: np.ndarray, size: int, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """An aligned face (128, 128, 3) with its 112-pixel crop `size` pixels large, turned, on grey; and its landmarks."""
    scale, turn = size / 112, np.radians(angle)
    side = max(64, round(size * 2.5))
    matrix = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = np.concatenate([matrix, (np.array([side / 2, side / 2]) - matrix @ [64, 64])[:, None]], axis=1)
    rgb = torch.from_numpy(face.copy()).permute(2, 0, 1)[None].float() / 255
    mask = warp(torch.ones_like(rgb), matrix, side)
    shown = warp(rgb, matrix, side) + 0.5 * (1 - mask)
    return eight(shown.clamp(0, 1))[0], apply(matrix, TEMPLATE + 8)


def _hog() -> Any:
    try:
        import dlib
    except ImportError:
        return None
    return dlib.get_frontal_face_detector()
