"""What a user calls: find, align, embed, compare and restore faces. A network is loaded once and serves many calls."""

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from unpool.errors import ModelError, PictureError
from unpool.faces.alignment import check_landmarks, crop_matrix, warp
from unpool.faces.calibrating import calibration_of
from unpool.faces.detection import Face, detect
from unpool.faces.enlarger import LARGE, SMALL, FaceEnlarger, both_ways
from unpool.faces.flaws import flaw
from unpool.faces.gallery.calibration import Calibration
from unpool.faces.gallery.embedder import Seen
from unpool.faces.gallery.store import Identity
from unpool.faces.model import SIZE, FaceNetwork
from unpool.images.picture import Picture
from unpool.images.reading import Source, as_picture
from unpool.images.resampling import imresize
from unpool.train.data.faces import faces
from unpool.zoo.loading import load
from unpool.zoo.record import Record
from unpool.zoo.runtime import inference
from unpool.zoo.weights import tensor_hash

__all__ = [
    "Embedded",
    "Face",
    "Recogniser",
    "Verification",
    "align",
    "detect",
    "embed",
    "restore_face",
    "teacher_views",
    "verify",
]

RECOGNISER, ENLARGER = "faces/recogniser", "faces/sr-x8"
FALSE_MATCH_RATE = 1e-3  # of the default threshold, among strangers
_BATCH = 64
_VISIBLE = 0.5  # dB by which a restored face must be nearer to the truth than an enlarged one, to be called restored


@dataclass(frozen=True, eq=False)
class Embedded:
    """One face as the recogniser sees it.

    Attributes:
        embedding: (256,) float32, unit length.
        quality: what the network expects the embedding to be worth, 0 to 1.
        crop: (1, 3, 112, 112) in [0, 1], the aligned face.
        face: where it was found; None for an aligned picture or the caller's own landmarks.
        found: how many faces the picture shows.
        reason: why the face should not be used, or None.
    """

    embedding: np.ndarray
    quality: float
    crop: Tensor = field(repr=False)
    face: Face | None = None
    found: int = 1
    reason: str | None = None


@dataclass(frozen=True, eq=False)
class Verification:
    """Whether two pictures show one person.

    Attributes:
        same: similarity above the threshold, and both faces good enough to say so.
        similarity: cosine of the two embeddings.
        threshold: the least similarity of "the same".
        probability: that it is one person, if both answers are equally likely beforehand.
        first, second: the two faces.
        reason: why there is no answer, or None.
    """

    same: bool
    similarity: float
    threshold: float
    probability: float
    first: Embedded
    second: Embedded
    reason: str | None = None


class Recogniser:
    """The face network with what surrounds it; what `unpool.load("faces/recogniser")` gives.

    `identity` and `calibration` make it an embedder for a gallery.
    """

    def __init__(self, module: nn.Module, record: Record, device: torch.device) -> None:
        if not isinstance(module, FaceNetwork):
            raise ModelError(f"{record.name}: not a face recogniser")
        self.module, self.record, self.device = module, record, device
        # The decoder may learn more without a gallery having to be made again.
        seeing = {name: one for name, one in module.state_dict().items() if not name.startswith("decoder.")}
        self.identity = Identity(f"{record.name}:{tensor_hash(seeing)[:12]}", module.head.embed.out_features)
        self.calibration: Calibration | None = calibration_of(record.figures)

    @property
    def restores(self) -> bool:
        """Whether the decoder was trained so far that its faces are visibly nearer to the truth than enlarged ones."""
        figures = self.record.figures
        return figures.get("psnr_16", 0.0) >= figures.get("psnr_16_bicubic", 0.0) + _VISIBLE

    def embed_crops(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Aligned faces (N, 3, 112, 112) in [0, 1] -> unit embeddings (N, 256) and qualities (N,), on the CPU."""
        answers = []
        with inference(self.device):
            for part in crops.split(_BATCH):
                given = part.to(self.device).contiguous(memory_format=torch.channels_last)
                answers.append([one.float().cpu() for one in self.module(given)])
        embeddings, qualities = zip(*answers)
        return torch.cat(embeddings), torch.cat(qualities)

    def restore_crops(self, crops: Tensor) -> Tensor:
        """Aligned faces (N, 3, 112, 112) in [0, 1] -> restored ones, on the CPU."""
        with inference(self.device):
            made = [self.module.restore(part.to(self.device)).float().cpu() for part in crops.split(_BATCH)]
        return torch.cat(made).clamp(0, 1)

    def embedded(self, rgb: Tensor, faces: list[Face]) -> list[Embedded]:
        """Every given face of a picture (1, 3, H, W), described."""
        if not faces:
            return []
        crops = torch.cat([warp(rgb, crop_matrix(face.landmarks), SIZE) for face in faces])
        return [
            _described(vector, quality, crop[None], face, len(faces))
            for vector, quality, crop, face in zip(*self.embed_crops(crops), crops, faces)
        ]

    def faces(self, picture: Picture) -> list[Seen]:
        """Every face of a picture for a gallery, the largest first."""
        seen = []
        for one in self.embedded(picture.rgb(), detect(picture)):
            box = None if one.face is None else tuple(float(value) for value in one.face.box)
            seen.append(Seen(one.embedding, max(one.quality, 1e-3), box, one.reason))  # type: ignore[arg-type]
        return seen

    def threshold(self, *qualities: float, false_match_rate: float = FALSE_MATCH_RATE) -> float:
        """The similarity that strangers reach at most this often, by people held out of training.

        qualities: of the two faces; without them one of the faces is taken for a clear one.
        """
        if self.calibration is None:
            raise ModelError(f"{self.record.name} was never calibrated: give a threshold")
        both = qualities or (1.0, 1.0)
        return self.calibration.between(min(both), max(both)).threshold(false_match_rate)


class Enlarger:
    """The network that makes 128 pixels of 16; what `unpool.load("faces/sr-x8")` gives."""

    def __init__(self, module: nn.Module, record: Record, device: torch.device) -> None:
        self.module, self.record, self.device = module, record, device

    def enlarge(self, crops: Tensor) -> Tensor:
        """Aligned faces (N, 3, 16, 16) in [0, 1], the template with a margin of 8 of 128, -> (N, 3, 128, 128)."""
        with inference(self.device):
            return both_ways(self.module, crops.to(self.device)).float().cpu().clamp(0, 1)


def predictor(module: nn.Module, record: Record, device: torch.device) -> "Recogniser | Enlarger":
    """The class that answers for a model of this wing."""
    return (Enlarger if isinstance(module, FaceEnlarger) else Recogniser)(module, record, device)


@lru_cache(maxsize=8)
def loaded(model: str | Path = RECOGNISER, device: str = "auto") -> Any:
    """A model of this wing, loaded on first use and kept."""
    return load(model, device)


def _recogniser(model: str | Path, device: str) -> Recogniser:
    made = loaded(model, device)
    if not isinstance(made, Recogniser):
        raise ModelError(f"{model} is no face recogniser; `unpool models --task faces` lists them")
    return made


def gallery_embedder() -> Recogniser:
    """unpool's own recogniser as a gallery wants it."""
    return loaded()


def teacher_views(data: Path | None = None) -> dict[str, np.ndarray]:
    """What the recogniser's teacher, dlib's network, says of each training face: unit vectors (128,) by file name.

    The mean over training faces is taken off, so that strangers are at right angles. Some minutes where it was never
    asked; then kept beside the packs.
    """
    from unpool.faces.teacher import centred, embeddings

    pack = faces(128, data)
    return dict(zip(pack.names, centred(embeddings(pack, data), pack.where(part="train"))))


def align(picture: Source, *, landmarks: Any = None, size: int = SIZE, margin: float = 0.0) -> Picture:
    """The largest face, upright, at the standard template's places.

    Args:
        landmarks: (5, 2) points (x, y) where you know them: eyes, nose, corners of the mouth; else they are found.
        size: pixels a side. margin: how much more to show on each side, in pixels of the 112-pixel template.

    Raises:
        PictureError: no face was found, or the landmarks are not five points.
    """
    picture = as_picture(picture)
    rgb = picture.rgb()
    points = check_landmarks(landmarks) if landmarks is not None else _largest(picture).landmarks
    return Picture.from_tensor(warp(rgb, crop_matrix(points, size, margin), size))


def embed(
    picture: Source,
    *,
    landmarks: Any = None,
    aligned: bool = False,
    model: str | Path = RECOGNISER,
    device: str = "auto",
) -> Embedded:
    """The largest face of a picture as a unit vector with a quality.

    Args:
        landmarks: the face's five points, where you know them.
        aligned: the picture is an aligned crop already (112x112, or of another size with the same framing).
        model: a name or a weight file. device: "auto", "cpu" or "cuda".

    Raises:
        PictureError: no face was found.
    """
    recogniser = _recogniser(model, device)
    picture = as_picture(picture)
    rgb = picture.rgb()
    if aligned or landmarks is not None:
        crop = _sized(rgb) if aligned else warp(rgb, crop_matrix(landmarks), SIZE)
        vectors, qualities = recogniser.embed_crops(crop)
        return _described(vectors[0], qualities[0], crop, None, 1)
    faces = detect(picture)
    if not faces:
        raise PictureError(_NO_FACE)
    first = recogniser.embedded(rgb, faces[:1])[0]
    return _described(torch.from_numpy(first.embedding), first.quality, first.crop, first.face, len(faces))


def verify(
    first: Source,
    second: Source,
    *,
    threshold: float | None = None,
    aligned: bool = False,
    model: str | Path = RECOGNISER,
    device: str = "auto",
) -> Verification:
    """Whether two pictures show one person: the largest face of each is compared.

    Args:
        threshold: the least cosine of "the same"; by default the one that one pair of strangers in a thousand passes,
            measured on people held out of training.
        aligned: both pictures are aligned crops already.

    Raises:
        PictureError: a picture has no face.
    """
    recogniser = _recogniser(model, device)
    one, other = (embed(p, aligned=aligned, model=model, device=device) for p in (first, second))
    cosine = float(one.embedding @ other.embedding)
    limit = recogniser.threshold(one.quality, other.quality) if threshold is None else threshold
    calibration = recogniser.calibration and recogniser.calibration.between(one.quality, other.quality)
    probability = calibration.probability(cosine) if calibration else float(cosine > limit)
    reasons = [f"{which} picture: {it.reason}" for which, it in (("first", one), ("second", other)) if it.reason]
    reason = "; ".join(reasons) or None
    return Verification(cosine > limit and reason is None, cosine, limit, probability, one, other, reason)


def restore_face(
    picture: Source,
    *,
    landmarks: Any = None,
    aligned: bool = False,
    model: str | Path | None = None,
    device: str = "auto",
) -> Picture:
    """The largest face as a network believes it looks, aligned.

    Args:
        model: an enlarger (`faces/sr-x8`: 128x128 pixels from the face's 16x16), or a recogniser, whose decoder makes
            112x112 of a face of any size. None takes the enlarger where the face has at most 16 pixels, else the
            recogniser.

    Raises:
        PictureError: no face was found.
    """
    picture = as_picture(picture)
    rgb = picture.rgb()
    points = None if aligned else check_landmarks(landmarks if landmarks is not None else _largest(picture).landmarks)
    maker = loaded(model, device) if model is not None else _restorer(rgb, points, device)
    if not isinstance(maker, Recogniser | Enlarger):
        raise ModelError(f"{model} restores no faces; `unpool models --task faces` lists those that do")
    if isinstance(maker, Enlarger):
        margin = (LARGE - SIZE) / 2  # its crop shows a little more than the recogniser's
        small = _sized(rgb, SMALL) if points is None else warp(rgb, crop_matrix(points, SMALL, margin), SMALL)
        return Picture.from_tensor(maker.enlarge(small.clamp(0, 1)))
    crop = _sized(rgb) if points is None else warp(rgb, crop_matrix(points), SIZE)
    return Picture.from_tensor(maker.restore_crops(crop))


def _restorer(rgb: Tensor, points: np.ndarray | None, device: str) -> "Recogniser | Enlarger":
    """Who restores a face: the enlarger one of `SMALL` pixels, for it would throw away what a larger one has more."""
    side = min(rgb.shape[-2:]) if points is None else SIZE / np.sqrt(np.linalg.det(crop_matrix(points)[:, :2]))
    recogniser = loaded(RECOGNISER, device)
    return recogniser if round(side) > SMALL and recogniser.restores else loaded(ENLARGER, device)


_NO_FACE = "no face was found; give a picture that shows one, its landmarks, or say that it is aligned already"


def _largest(picture: Source) -> Face:
    faces = detect(picture)
    if not faces:
        raise PictureError(_NO_FACE)
    return faces[0]


def _sized(rgb: Tensor, side: int = SIZE) -> Tensor:
    """An aligned face of any size at a network's."""
    height, width = rgb.shape[-2:]
    if abs(height - width) > 1:
        raise PictureError(f"an aligned face is square, not {width}x{height}; leave out `aligned` to have it found")
    return rgb if (height, width) == (side, side) else imresize(rgb, size=(side, side)).clamp_(0, 1)


def _described(vector: Tensor, quality: "Tensor | float", crop: Tensor, face: Face | None, found: int) -> Embedded:
    size, score = (None, None) if face is None else (face.size, face.score)
    reason = flaw(crop, float(quality), size, score)
    return Embedded(vector.numpy(), float(quality), crop, face, found, reason)
