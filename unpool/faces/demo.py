"""The wing's part of the demo: a face 16 pixels small restored, recognised, explained, and known among others."""

from collections.abc import Mapping

from unpool.errors import UnpoolError
from unpool.faces.api import ENLARGER, RECOGNISER, align, detect, loaded, restore_face, verify
from unpool.faces.detection import framed
from unpool.faces.gallery.demo import section as gallery_section
from unpool.faces.why import why
from unpool.images.page import Page
from unpool.images.picture import Picture
from unpool.images.resampling import imresize
from unpool.zoo.weights import shipped

_SMALL = 16


def sections(page: Page, pictures: Mapping[str, Picture]) -> None:
    """Add one section about the first picture that shows a face; nothing where none does or the detector is missing."""
    if RECOGNISER not in shipped():
        return
    try:
        name, faces = next((name, found) for name, picture in pictures.items() if (found := detect(picture)))
    except (StopIteration, UnpoolError):
        return
    picture, face = pictures[name], faces[0]
    clean = align(picture, landmarks=face.landmarks)
    small = Picture.from_tensor(imresize(clean.rgb(), size=(_SMALL, _SMALL)))
    answer = verify(clean, small, aligned=True)
    before, after = why(loaded(), answer)
    page.section(
        "Faces",
        f"{len(faces)} face{'s' if len(faces) > 1 else ''} found in {name}. The largest was made {_SMALL} pixels "
        "small, enlarged and recognised again.",
    )
    page.figure([(framed(picture, faces), f"{name}\nfound by a fully convolutional detector")])
    shown = [(clean, "aligned\n112 pixels"), (small, f"made small\n{_SMALL} pixels")]
    if after.restored is not None:
        shown.append((after.restored, "restored\n112 pixels"))
    if ENLARGER in shipped():
        wide = align(picture, landmarks=face.landmarks, size=128, margin=8)
        tiny = Picture.from_tensor(imresize(wide.rgb(), size=(_SMALL, _SMALL)))
        shown.append((restore_face(tiny, aligned=True, model=ENLARGER), "enlarged\n128 pixels"))
    page.figure(shown, size="small", pixelated=True)
    page.figure(
        [(before.similarity, "what made it resemble\nthe good face"), (after.similarity, "the same\nat 16 pixels")],
        size="small",
    )
    page.text(
        f"Similarity of the good and the small face: {answer.similarity:.2f}; one pair of strangers in a thousand "
        f"passes {answer.threshold:.2f}. A restored face is a likely face, not evidence of who it was."
    )
    page.code(
        "unpool faces verify one.jpg other.jpg --explain why.html",
        'from unpool.faces.api import verify\n\nverify("one.jpg", "other.jpg").same',
    )
    gallery_section(page, name, picture, clean, face)
