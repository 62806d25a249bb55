"""`Page`: one HTML file with pictures inside it, which asks the network for nothing."""

import base64
import hashlib
import html
import io
import os
import re
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path

from PIL import Image

from unpool import __version__
from unpool.images.atomic import atomic
from unpool.images.reading import Source, read

_LONGEST_SIDE = 1600
_SIZES = ("small", "medium", "large")
_NUMBER = re.compile(r"[-+−–±]?[\d.,]+\s*\S{0,5}$|[-–]?$")  # with a unit of a few letters, or nothing


class Page:
    """A self-contained HTML page: sections of text, pictures, tables, code and before/after sliders, in reading order.

    Every text is escaped; `backticks` set code. Pictures are anything that `unpool.read` takes, and travel inside the
    page. It reads well on a phone and on a wide screen, in light and dark, by keyboard, and on paper.

    Args:
        title: the heading of the page.
        lead: one or two sentences below it.

    Examples:
        >>> page = Page("A title", "What this is.")
        >>> page.section("First", "Some text with `code`.")
        >>> page.table([("PSNR", "31.2 dB")], header=("measure", "value"))
        >>> "<h2" in page.html() and "<code>code</code>" in page.html()
        True
    """

    def __init__(self, title: str, lead: str = "") -> None:
        self._title = title
        self._lead = lead
        self._front: list[str] = []
        self._sections: list[tuple[str, str, list[str]]] = []

    def section(self, title: str, text: str = "") -> None:
        """Begin a section; what is added next belongs to it."""
        self._sections.append((_anchor(title, {anchor for anchor, _, _ in self._sections}), title, []))
        self.text(text)

    def text(self, text: str) -> None:
        """Add paragraphs, parted by empty lines."""
        for paragraph in re.split(r"\n\s*\n", text.strip()):
            if paragraph:
                self._add(f"<p>{_inline(paragraph)}</p>")

    def subsection(self, title: str, text: str = "") -> None:
        """Add a smaller heading inside the section."""
        self._add(f"<h3>{_inline(title)}</h3>")
        self.text(text)

    def figure(
        self,
        pictures: Iterable[tuple[Source, str]],
        *,
        caption: str = "",
        size: str = "medium",
        pixelated: bool = False,
    ) -> None:
        """Add pictures side by side, as many in a row as fit, each with its caption.

        Args:
            pictures: pairs of picture and caption; a caption's second line is set smaller.
            caption: one line below them all.
            size: `small` for maps and faces, `medium`, or `large` for one picture a row.
            pixelated: show enlarged pixels as squares, for pictures of a few pixels.
        """
        if size not in _SIZES:
            raise ValueError(f"size is {size!r}: give one of {', '.join(_SIZES)}")
        cells = []
        for picture, below in pictures:
            image = _image(picture, below.splitlines()[0] if below else self._title, pixelated)
            button = f'<button type="button" class="enlarge" aria-label="Enlarge">{image}</button>'
            first, *rest = below.splitlines() or [""]
            note = f"<small>{_inline(' '.join(rest))}</small>" if rest else ""
            cells.append(f"<figure>{button}<figcaption>{_inline(first)}{note}</figcaption></figure>")
        under = f'<p class="under">{_inline(caption)}</p>' if caption else ""
        self._add(f'<div class="pictures {size}">{"".join(cells)}</div>{under}')

    def table(self, rows: Iterable[Sequence[object]], header: Sequence[str] = (), caption: str = "") -> None:
        """Add a table. Columns of numbers are set to the right; the first cell of each row names the row."""
        texts = [[f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
        columns = range(max((len(row) for row in [header, *texts]), default=0))
        right = [at > 0 and all(_NUMBER.match(row[at]) for row in texts if at < len(row)) for at in columns]
        look = [' class="number"' if numbers else "" for numbers in right]
        head = "".join(f'<th scope="col"{look[at]}>{_inline(cell)}</th>' for at, cell in enumerate(header))
        body = "".join(f"<tr>{_row(row, look)}</tr>" for row in texts)
        title = f"<caption>{_inline(caption)}</caption>" if caption else ""
        label = html.escape(caption or "table")
        self._add(
            f'<div class="table" role="region" tabindex="0" aria-label="{label}"><table>{title}'
            + (f"<thead><tr>{head}</tr></thead>" if header else "")
            + f"<tbody>{body}</tbody></table></div>"
        )

    def code(self, command: str = "", python: str = "") -> None:
        """Add how to do it oneself: a command line, lines of Python, or both."""
        blocks = ""
        for name, text in (("Command", command), ("Python", python)):
            if text:
                blocks += (
                    f'<div class="block"><div class="bar"><span>{name}</span>'
                    f'<button type="button" class="copy" hidden>Copy</button></div>'
                    f'<pre tabindex="0"><code>{html.escape(text.strip())}</code></pre></div>'
                )
        self._add(f'<div class="code">{blocks}</div>')

    def slider(
        self,
        before: Source,
        after: Source,
        caption: str = "",
        *,
        names: tuple[str, str] = ("before", "after"),
        pixelated: bool = False,
    ) -> None:
        """Add two pictures one over the other with a line between, moved by finger, mouse or arrow keys.

        Args:
            before: the picture on the left; enlarged to the size of `after`.
            after: the picture on the right.
            caption: one line below.
            names: what the two are called.
            pixelated: show the pixels of `before` as squares.
        """
        left, right = html.escape(names[0]), html.escape(names[1])
        self._add(
            '<figure class="slider"><div class="pair">'
            f"{_image(after, names[1], False)}{_image(before, names[0], pixelated)}"
            f'<span class="name left" aria-hidden="true">{left}</span>'
            f'<span class="name right" aria-hidden="true">{right}</span>'
            '<span class="line" aria-hidden="true"></span>'
            f'<input type="range" min="0" max="100" value="50" aria-label="How much of {left} to show over {right}">'
            f"</div><figcaption>{_inline(caption)}</figcaption></figure>"
        )

    def html(self) -> str:
        """The page as text."""
        style, script = _resource("page.css"), _resource("page.js")
        policy = (
            f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
            "base-uri 'none'; form-action 'none'"
        )
        links = "".join(f'<li><a href="#{anchor}">{_inline(title)}</a></li>' for anchor, title, _ in self._sections)
        sections = "".join(
            f'<section id="{anchor}" aria-labelledby="{anchor}-title"><h2 id="{anchor}-title">{_inline(title)}</h2>'
            f"{''.join(blocks)}</section>\n"
            for anchor, title, blocks in self._sections
        )
        contents = f'<nav aria-label="Contents"><ul>{links}</ul></nav>' if len(self._sections) > 1 else ""
        return (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            '<meta name="color-scheme" content="light dark">\n'
            f"<title>{html.escape(self._title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
            f'<header><h1>{_inline(self._title)}</h1><p class="lead">{_inline(self._lead)}</p></header>\n{contents}\n'
            f"<main>\n{''.join(self._front)}{sections}</main>\n"
            f"<footer><p>Made with unpool {__version__}. This page holds everything it shows.</p></footer>\n"
            f"<script>{script}</script>\n</body>\n</html>\n"
        )

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write the page, whole or not at all; return its absolute path."""
        with atomic(path) as beside:
            beside.write_text(self.html(), encoding="utf-8", errors="backslashreplace")
        return Path(path).absolute()

    def _add(self, block: str) -> None:
        (self._sections[-1][2] if self._sections else self._front).append(block + "\n")


def _inline(text: str) -> str:
    """Escaped text, with what stands between backticks set as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def _anchor(title: str, taken: set[str]) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "section"
    while name in taken:
        name += "-"
    return name


def _row(cells: Sequence[str], look: Sequence[str]) -> str:
    first, *rest = cells
    columns = "".join(f"<td{look[at]}>{_inline(cell)}</td>" for at, cell in enumerate(rest, 1))
    return f'<th scope="row">{_inline(first)}</th>{columns}'


def _image(source: Source, description: str, pixelated: bool) -> str:
    """An `img` element with the picture in it: WebP, lossless where single pixels are to be seen."""
    image: Image.Image = read(source).to_pil()
    image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    buffer = io.BytesIO()
    lossless = pixelated or max(image.size) <= 96
    image.save(buffer, "WEBP", quality=86, method=4, lossless=lossless, use_sharp_yuv=True)
    data = base64.b64encode(buffer.getvalue()).decode()
    look = ' class="pixelated"' if pixelated else ""
    return (
        f'<img src="data:image/webp;base64,{data}" alt="{html.escape(description)}" '
        f'width="{image.width}" height="{image.height}"{look}>'
    )


def _resource(name: str) -> str:
    return (resources.files("unpool.images") / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
