"""The wing's part of `unpool demo`: what a real ImageNet network saw in each photograph."""

import torch

from unpool.explanation.api import Channel, explain
from unpool.explanation.rendering import crop_around
from unpool.explanation.run import Run
from unpool.explanation.shadow import shadow
from unpool.explanation.strongest import top_activations
from unpool.explanation.subject import Subject
from unpool.images.page import Page
from unpool.images.picture import Picture
from unpool.zoo.loading import load
from unpool.zoo.weights import shipped

MODEL = "efficientnet-lite0"
METHODS = {
    "deconvnet": "What survives in the features, sent back down. This network has no pooling, so no switches guide it.",
    "guided": "The same, only where the rectifiers were open.",
    "gradient": "Where a small change would change the answer.",
    "grad-cam": "Which places of the last convolution speak for it.",
}
LAYER = "_blocks.4"
CHANNELS = 6
EXCITED = 4  # channels of the figure
PARTS = 3  # of a picture's shorter side: so many parts in a row are looked at for the figure
STEPS, STAGES = 8, 1  # of the scores: enough to see, quick enough to wait for


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
    _figure(page, subject, list(pictures.values()))
    _inversions(page, pictures)


def _maps(page: Page, subject: Subject, picture: Picture) -> None:
    shown: list[tuple[Picture, str]] = []
    for method, meaning in METHODS.items():
        found = explain(subject, picture, method=method)
        if not shown:
            top = [(subject.names[i] if subject.names else str(i), f"{p:.1%}") for i, p in found.top[0]]
            page.table(top, header=("class", "probability"))
            shown.append((found.seen(), "as the network gets it"))
        scores = found.honesty(steps=STEPS, stages=STAGES)
        measured = (
            f"insertion {scores.insertion:.2f}, deletion {scores.deletion:.2f}, "
            f"randomisation {scores.randomisation:.2f}, {found.seconds:.2f} s"
        )
        shown.append((found.picture(), f"{method}\n{meaning} {measured}"))
    page.figure(
        shown,
        size="small",
        caption=f"Maps for {found.described()}; {found.rectifiers} rectifiers caught. Insertion: the answer's mean "
        "probability while the hottest pixels come back first (high is good). Deletion: while they go first (low is "
        "good). Randomisation: how alike the map stays when the weights are shuffled (low is good).",
    )
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


def _figure(page: Page, subject: Subject, pictures: list[Picture]) -> None:
    """The figure of Zeiler and Fergus over parts of the pictures."""
    parts = [part for picture in pictures for part in _parts(picture)]
    found = top_activations(subject, LAYER, parts, k=9)
    page.section(
        "What excites a channel",
        f"The nine places that excite a channel of `{LAYER}` most, among {found.seen} overlapping parts of the "
        "pictures above, and what the channel saw in each (Zeiler and Fergus 2014).",
    )
    for channel in found.strongest_channels(EXCITED):
        patches, projected = found.figure(channel)
        page.figure(
            [(patches, f"channel {channel}"), (projected, f"projected\nstrongest {found.values[channel, 0]:.1f}")],
            size="small",
        )
    page.code(
        f"unpool explain FOLDER --model {MODEL} --layer {LAYER} --top 9 -o page.html",
        "from unpool.explanation.strongest import top_activations\n"
        f'found = top_activations("{MODEL}", "{LAYER}", files, k=9)\n'
        "patches, projections = found.figure(channel=7)",
    )


def _parts(picture: Picture) -> list[Picture]:
    """Overlapping squares, half as wide as the picture's shorter side."""
    side = max(1, min(picture.height, picture.width) // 2)
    rows, columns = (
        torch.linspace(0, extent - side, PARTS).round().int().tolist() for extent in (picture.height, picture.width)
    )
    return [Picture(picture.samples[top : top + side, left : left + side]) for top in rows for left in columns]


def _inversions(page: Page, pictures: dict[str, Picture]) -> None:
    """What each depth still knows, where inversions of this network are shipped."""
    names = [name for name in shipped() if name.startswith("explanation/invert-lite0")]
    if not names:
        return
    inverters = sorted((load(name) for name in names), key=lambda inverter: inverter.record.config["features"])
    page.section(
        "What each depth still knows",
        "Pictures drawn from the features of one layer alone, by a deconvolutional network trained for that layer "
        "(Dosovitskiy and Brox 2016).",
    )
    for picture in pictures.values():
        shown = [(inverters[0].subject.picture(inverters[0].subject.inputs(picture)), "as the network gets it")]
        for inverter in inverters:
            figures = inverter.record.figures
            below = f"from {inverter.layer}\nheld out {figures['psnr']:.1f} dB, same class {figures['same_class']:.0%}"
            shown.append((inverter.invert(picture), below))
        page.figure(shown, size="small")
    page.code("", f'import unpool\ninverter = unpool.load("{names[0]}")\ninverter.invert("photo.jpg")')
