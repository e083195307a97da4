"""Stills: what a widget looks like where nothing runs, as a PNG with its alt text.

Plots are drawn by matplotlib in the course's style, as all figures are; pictures are the frames that the widget shows,
enlarged by whole numbers only, so that a pixel of the still is a pixel of the tensor. Always on white: a page of a code
host, light or dark, shows them alike. This module loads matplotlib, so a widget imports it when a still is asked for.
"""

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from .. import tokens
from ..figures import style
from ..figures.page import close, encode, raster

DPI = 125  # a quarter more than on the page: a still may be shrunk to a narrow page, and stays legible
PAGE = 1200  # pixels: no still is wider, for it would be shrunk until nothing can be read
LINE = 26  # pixels of a line of text
GAP = 10  # pixels between the frames of a strip


def panels(count: int, *, width: float, height: float, equal: bool = False) -> tuple[Figure, list[Axes]]:
    """A figure of `width` × `height` pixels of the page with `count` plots side by side, of one y axis."""
    figure = style.empty(width / style.PIXELS, height / style.PIXELS)
    if equal:
        figure.set_layout_engine("compressed")
    return figure, list(figure.subplots(1, count, sharey=True, squeeze=False).flat)


def legend(figure: Figure, entries: Sequence[tuple[object, str]]) -> None:
    """What is what, in a line below the plots; entries are (what matplotlib shows, name)."""
    handles, names = [entry[0] for entry in entries], [plain(entry[1]) for entry in entries]
    figure.legend(handles, names, loc="outside lower left", ncols=min(len(names), 5), handlelength=2.6)


def line(i: int) -> Line2D:
    """A piece of the i-th line, for a legend."""
    return Line2D([], [], color=style.COLOURS[i % 6], linestyle=style.DASHES[i % 6])


def field(panel: Axes, places: np.ndarray, arrows: np.ndarray, longest: float) -> tuple[Line2D, str]:
    """Draw arrows (M, 2) at places (M, 2), the longest `longest` units of the axes; returns the legend's entry."""
    most = np.nanmax(np.hypot(*arrows.T), initial=0.0) or 1.0
    colour = tokens.LIGHT["quiet"]
    panel.quiver(
        *places.T, *(longest / most * arrows.T), color=colour, angles="xy", scale_units="xy", scale=1, width=0.006
    )
    return Line2D([], [], color=colour, marker=">", linewidth=1), "field, each on its own scale"


def plain(text: str) -> str:
    """Text that matplotlib does not take for a formula."""
    return text.replace("$", r"\$")


def finish(figure: Figure, alt: str) -> bytes:
    """A figure of plots as PNG: 64 colours are enough for lines and tints."""
    picture = raster(figure, dpi=DPI)
    close(figure)
    return encode(picture, alt, colours=64)


def strip(heads: Sequence[str], rows: Sequence[tuple[str, Sequence[np.ndarray]]], alt: str) -> bytes:
    """A film strip as PNG: a column for each of `heads`, a row for each (name, pictures (H, W, 3) uint8)."""
    pitch = max(picture.shape[1] for _, pictures in rows for picture in pictures) + GAP
    width = pitch * len(heads) - GAP
    height = LINE + sum(LINE + pictures[0].shape[0] for _, pictures in rows)
    figure = style.empty((width + 0.5) / DPI, (height + 0.5) / DPI)  # matplotlib cuts the half pixel off
    figure.set_layout_engine("none")
    figure.set_dpi(DPI)

    def write(left: float, bottom: float, text: str, colour: str) -> None:
        figure.text(left / width, bottom / height, plain(text), color=colour, fontsize=tokens.FONT_SIZE)

    for column, head in enumerate(heads):
        write(column * pitch, height - LINE + 6, head, tokens.LIGHT["text"])
    top = LINE
    for name, pictures in rows:
        write(0, height - top - LINE + 6, name, tokens.LIGHT["quiet"])
        top += LINE + pictures[0].shape[0]
        for column, picture in enumerate(pictures):
            figure.figimage(picture, column * pitch, height - top, origin="upper")
    picture = raster(figure, dpi=DPI)
    close(figure)
    return encode(picture, alt)


def words(text: str) -> bytes:
    """A line of text as a still: what a control was set to."""
    figure = style.empty(10, LINE / DPI)
    figure.set_layout_engine("none")
    figure.set_dpi(DPI)
    label = figure.text(0.0, 0.25, plain(text))
    width = label.get_window_extent().width + GAP
    figure.set_size_inches(min(width, PAGE) / DPI, LINE / DPI)
    picture = raster(figure, dpi=DPI)
    close(figure)
    return encode(picture, text)


def beside(stills: Sequence[bytes], alt: str, *, down: bool) -> bytes:
    """Several stills as one PNG: one below the other, or side by side in lines no wider than a page."""
    lines: list[list[Image.Image]] = [[]]
    for picture in (Image.open(io.BytesIO(still)).convert("RGB") for still in stills):
        if lines[-1] and (down or sum(p.width + GAP for p in lines[-1]) + picture.width > PAGE):
            lines.append([])
        lines[-1].append(picture)
    width = max(sum(p.width + GAP for p in line) - GAP for line in lines)
    height = sum(max(p.height for p in line) + GAP for line in lines) - GAP
    sheet, top = Image.new("RGB", (width, height), tokens.LIGHT["page"]), 0
    for line in lines:
        left = 0
        for picture in line:
            sheet.paste(picture, (left, top))
            left += picture.width + GAP
        top += max(p.height for p in line) + GAP
    return encode(sheet, alt)
