"""`unpool explain`: what a network saw in a picture."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from unpool.explanation.api import Explanation

app = typer.Typer(add_completion=False)


@app.command()
def explain(
    picture: Annotated[Path, typer.Argument(help="A photograph; with --top a folder of them.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The map to write; with --top the page.")],
    model: Annotated[str, typer.Option(help="A model's name or weight file.")] = "efficientnet-lite0",
    method: Annotated[str, typer.Option(help="guided, deconvnet, gradient, grad-cam, ...")] = "guided",
    target: Annotated[
        str | None,
        typer.Option(help="A class by number or name, channel:K, position:ROW,COLUMN or neuron:K,ROW,COLUMN."),
    ] = None,
    layer: Annotated[str | None, typer.Option(help="Of the target, or Grad-CAM's; else the last convolution.")] = None,
    top: Annotated[
        int | None, typer.Option(min=1, help="A page: how many patches excite each channel of the layer most.")
    ] = None,
    channels: Annotated[int | None, typer.Option(min=1, help="Only so many channels, strongest first.")] = None,
    scores: Annotated[bool, typer.Option(help="Also test the map: weight randomisation, insertion, deletion.")] = True,
    style: Annotated[str, typer.Option(help="projection, overlay, or auto: as suits the method.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show what a network saw in a picture."""
    import json

    from unpool.errors import ModelError
    from unpool.images.writing import check_output

    if top is None and channels is not None:
        raise ModelError("--channels goes with --top: add it")
    if top is not None:
        if (target, method, style) != (None, "guided", "auto"):
            raise ModelError("--top shows what excites a layer: leave out --target, --method and --style")
        _figure(picture, out, model, device, layer, top, channels, as_json)
        return
    check_output(out, height=1, width=1)
    from unpool.explanation.api import explain as explained
    from unpool.zoo.loading import load

    network = load(model, device)
    try:
        found = explained(network, picture, target=target, layer=layer, method=method)
    except (RuntimeError, TypeError, LookupError, ValueError) as error:
        said = " ".join(str(error).split())[:120]
        raise ModelError(f"{model} does not answer for a picture ({said}): choose another model") from None
    found.save(out, style=style)
    honesty = found.honesty() if scores else None
    answer = {"picture": str(picture), "model": model, **_answer(found), "output": str(out)}
    if honesty is not None:
        names = ("randomisation", "insertion", "deletion")
        answer["scores"] = {name: getattr(honesty, name) for name in names}
    if as_json:
        print(json.dumps(answer))
        return
    if found.top:
        print(", ".join(f"{one['class']} {one['probability']:.1%}" for one in answer["top"]))
    where = f" at {found.layer}" if found.layer else ""
    alone = ", ".join(f"{count} {name}" for name, count in found.left_alone.items())
    met = f"{found.rectifiers} rectifiers caught" + (f", left alone: {alone}" if alone else "")
    print(f"{found.method} of {found.described()}{where} ({float(found.scores[0]):.2f}): {met}; {found.seconds:.2f} s")
    if honesty is not None:
        print(
            f"randomisation {honesty.randomisation:.2f} (0: shows what was learned), "
            f"insertion {honesty.insertion:.2f} (high: these pixels suffice), "
            f"deletion {honesty.deletion:.2f} (low: without them the answer is gone)"
        )
    print(out)


def _answer(found: "Explanation") -> dict[str, Any]:
    names = found.subject.names
    top = [
        {"index": index, "class": names[index] if names else f"class {index}", "probability": probability}
        for index, probability in (found.top[0] if found.top else [])
    ]
    return {
        "method": found.method,
        "target": found.described(),
        "layer": found.layer,
        "score": float(found.scores[0]),
        "top": top,
        "rectifiers": found.rectifiers,
        "left_alone": found.left_alone,
        "seconds": found.seconds,
    }


def _figure(
    folder: Path, out: Path, model: str, device: str, layer: str | None, top: int, channels: int | None, as_json: bool
) -> None:
    """The patches that excite each channel most over a folder, and their projections, as a page."""
    import json

    from rich.console import Console
    from rich.progress import track

    from unpool.errors import PictureError

    if not folder.is_dir():
        raise PictureError(f"{folder} is no folder: --top looks through a folder of pictures")
    if out.suffix.lower() not in (".html", ".htm") or not out.absolute().parent.is_dir():
        raise PictureError(f"--top writes a page: {out} should be a .html file in a folder that exists")
    from unpool.explanation.strongest import top_activations
    from unpool.images.page import Page
    from unpool.train.data.folders import pictures
    from unpool.zoo.loading import load

    files = [listed.path for listed in pictures(folder)]
    found = top_activations(load(model, device), layer, files, k=top)
    page = Page(
        f"What excites {model}",
        f"The {top} places that excite each channel of layer `{found.layer}` most among {found.seen} pictures, one a "
        "picture, and what the channel saw there, projected back to pixels by DeconvNet.",
    )
    console = Console(stderr=True)
    chosen = found.strongest_channels(channels)
    for channel in track(chosen, "projecting", console=console, disable=not console.is_terminal):
        patches, projected = found.figure(channel)
        page.figure(
            [(patches, f"channel {channel}"), (projected, f"projected\nstrongest {found.values[channel, 0]:.2f}")],
            size="small",
        )
    page.write(out)
    answer = {"model": model, "layer": found.layer, "pictures": found.seen, "channels": len(chosen), "output": str(out)}
    print(json.dumps(answer) if as_json else out)
