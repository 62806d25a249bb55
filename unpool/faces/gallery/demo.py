"""The gallery's part of the demo's page: a small face that is unknown among decoys, and known once it is enrolled."""

import tempfile
from pathlib import Path

import numpy as np

from unpool.errors import GalleryError
from unpool.faces.api import Face, embed, gallery_embedder
from unpool.faces.gallery.answers import Identification
from unpool.faces.gallery.embedder import Seen
from unpool.faces.gallery.gallery import Gallery
from unpool.images.page import Page
from unpool.images.picture import Picture
from unpool.images.resampling import imresize
from unpool.train.data.faces import MARGIN
from unpool.train.data.faces import SIZE as SIDE
from unpool.zoo.loading import load
from unpool.zoo.weights import shipped

GENERATOR = "autoencoders/faces"
_DECOYS = 4
_DRAWN = 16  # random codes among whose faces decoys are looked for that are good enough
_SMALL = 24  # pixels of the face that asks


class _Aligned:
    """The recogniser on faces that are aligned already: a made face stands where a found one would."""

    def __init__(self) -> None:
        recogniser = gallery_embedder()
        self.identity, self.calibration = recogniser.identity, recogniser.calibration

    def faces(self, picture: Picture) -> list[Seen]:
        one = embed(picture, aligned=True)
        return [Seen(one.embedding, max(one.quality, 1e-3), None, one.reason)]


def section(page: Page, name: str, picture: Picture, clean: Picture, face: Face) -> None:
    """Ask with the picture made small, before its face is enrolled among nobody's faces and afterwards.

    name: of the picture. clean: its largest face, aligned. face: where that is.
    """
    if GENERATOR not in shipped():
        return
    embedder = _Aligned()
    decoys = _good(embedder)
    if not decoys or embedder.calibration is None:
        return
    scale = _SMALL / face.size
    size = (max(1, round(picture.height * scale)), max(1, round(picture.width * scale)))
    small = Picture.from_tensor(imresize(picture.rgb(), size=size))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "people.db"
        try:
            with Gallery.open(place, embedder=embedder) as gallery, Gallery.open(place) as asked:
                for number, one in enumerate(decoys):
                    gallery.enroll(_decoy(number), one)
                before = asked.identify(small)
                gallery.enroll(name, clean)
                after = asked.identify(small)
        except GalleryError:  # the face is too poor to be enrolled
            return
    page.subsection(
        "Who is this, or nobody we know",
        f"{len(decoys)} faces made of random codes, which are nobody's, were enrolled with one picture each. The "
        f"photograph, its face {_SMALL} pixels small, came twice: as a stranger's, and after {name} was enrolled with "
        "the good face.",
    )
    enrolled = [*((one, f"{_decoy(i)}\nenrolled") for i, one in enumerate(decoys)), (clean, f"{name}\nenrolled later")]
    page.figure(enrolled, size="small", pixelated=True)
    answers = [(small, f"{when}: {_sentence(said)}") for when, said in (("before", before), ("after", after))]
    page.figure(answers, size="small", pixelated=True)
    page.code(
        'unpool faces enroll "Ada Lovelace" ada.jpg --gallery people.db\n'
        "unpool faces identify crowd.jpg --gallery people.db",
        "from unpool.faces.gallery import Gallery\n\n"
        'with Gallery.open("people.db") as gallery:\n'
        '    gallery.enroll("Ada Lovelace", "ada.jpg")\n'
        '    print(gallery.identify("crowd.jpg"))',
    )


def _good(embedder: _Aligned) -> list[Picture]:
    """Faces of random codes in the framing of aligned ones, those that are taken for faces."""
    faces = []
    coder = load(GENERATOR)
    codes = np.random.default_rng(0).normal(size=(_DRAWN, coder.module.code))
    for made in coder.decode(codes.astype(np.float32)):
        edge = round(MARGIN / SIDE * made.height)
        face = Picture(made.samples[edge:-edge, edge:-edge])
        if embedder.faces(face)[0].reason is None:
            faces.append(face)
    return faces[:_DECOYS]


def _decoy(number: int) -> str:
    return f"Nobody {number + 1}"


def _sentence(answers: list[Identification]) -> str:
    if not answers or answers[0].reason is not None:
        return f"not compared\n{answers[0].reason if answers else 'no face found'}"
    answer = answers[0]
    return f"{answer.name or 'unknown'}\nscore {answer.score:.2f}, asked for {answer.threshold:.2f}"
