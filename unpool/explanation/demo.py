"""The wing's part of `unpool demo`: what a real ImageNet network saw in each photograph."""

import torch

from unpool.explanation.api import Channel, explain
from unpool.explanation.rendering import crop_around
from unpool.explanation.run import Run
from unpool.explanation.shadow import shadow
from unpool.explanation.subject import Subject
from unpool.images.page import Page
from unpool.images.picture import Picture

MODEL = "efficientnet-lite0"
METHODS = {
    "deconvnet": "What survives in the features, sent back down.",
    "guided": "The same, only where the rectifiers were open.",
    "gradient": "Where a small change would change the answer.",
    "grad-cam": "Which places of the last convolution speak for it.",
}
LAYER = "_blocks.4"
CHANNELS = 6


def sections(page: Page, pictures: dict[str, Picture]) -> None:
    """Add what EfficientNet-Lite0 sees in the pictures."""
    subject = Subject(MODEL)
    for name, picture in pictures.items():
        page.section(f"What a network saw: {name}")
        _maps(page, subject, picture)
    page.section(
        "Inside the network",
        f"The strongest channels of layer `{LAYER}` in each picture, and what each of them saw at its strongest place, "
        "projected back to pixels through the network's own filters.",
    )
    for name, picture in pictures.items():
        page.subsection(name)
        _channels(page, subject, picture)
    page.code(
        f"unpool explain photo.jpg --model {MODEL} --layer {LAYER} --target channel:7 -o channel.png",
        "import unpool\n"
        f'found = unpool.explain("{MODEL}", "photo.jpg", layer="{LAYER}", target=7)\n'
        'found.save("channel.png")',
    )


def _maps(page: Page, subject: Subject, picture: Picture) -> None:
    shown: list[tuple[Picture, str]] = []
    for method, meaning in METHODS.items():
        found = explain(subject, picture, method=method)
        if not shown:
            top = [(subject.names[i] if subject.names else str(i), f"{p:.1%}") for i, p in found.top[0]]
            page.table(top, header=("class", "probability"))
            shown.append((found.seen(), "as the network gets it"))
        shown.append((found.picture(), f"{method}\n{meaning} {found.seconds:.2f} s"))
    page.figure(shown, size="small", caption=f"Maps for {found.described()}; {found.rectifiers} rectifiers caught.")
    page.code(
        f"unpool explain photo.jpg --model {MODEL} --method grad-cam -o map.png",
        f'import unpool\nfound = unpool.explain("{MODEL}", "photo.jpg", method="grad-cam")\nfound.save("map.png")',
    )


def _channels(page: Page, subject: Subject, picture: Picture) -> None:
    x = subject.inputs(picture)
    twin = shadow(subject.module)
    activation = Run(twin, x, [], twin.get_submodule(LAYER)).activation()
    peaks = activation[0].flatten(1).amax(1)
    strongest = torch.topk(peaks, CHANNELS).indices.tolist()
    seen = subject.picture(x)
    shown: list[tuple[Picture, str]] = []
    for channel, found in zip(
        strongest, explain(subject, picture, target=[Channel(c) for c in strongest], layer=LAYER)
    ):
        shown.append((crop_around(found.maps[0], seen), f"channel {channel}"))
        shown.append((crop_around(found.maps[0]), f"{float(found.scores[0]):.1f}, projected"))
    page.figure(shown, size="small")
