"""The course's matplotlib style, made of the tokens, and empty figures in it."""

from __future__ import annotations

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .. import tokens

COLOURS = tokens.COLOURS
DASHES = tuple((0, dash) if dash else "-" for dash in tokens.DASHES)  # as matplotlib writes them
MARKERS = "os^Dvx"  # of measured points on a line, and of the groups of a cloud
CLOUD_MARKERS = tuple({"circle": "o", "square": "s", "triangle": "^"}[mark] for mark in tokens.MARKS)
PIXELS = 100  # of the page to an inch of figure
SHARPNESS = 1.6  # pixels of the PNG to a pixel of the page

STYLE = {
    "figure.dpi": PIXELS,
    "figure.facecolor": tokens.LIGHT["page"],
    "figure.constrained_layout.use": True,
    "font.family": tokens.FONT,
    "font.size": tokens.FONT_SIZE,
    "text.color": tokens.LIGHT["text"],
    "axes.titlesize": tokens.FONT_SIZE,
    "axes.labelsize": tokens.FONT_SIZE,
    "axes.labelcolor": tokens.LIGHT["text"],
    "axes.titlelocation": "left",
    "axes.prop_cycle": matplotlib.cycler(color=COLOURS, linestyle=DASHES),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": tokens.LIGHT["grid"],
    "grid.linewidth": 0.8,
    "lines.linewidth": tokens.LINE_WIDTH,
    "lines.markersize": 5,
    "axes.edgecolor": tokens.LIGHT["quiet"],
    "xtick.color": tokens.LIGHT["quiet"],
    "ytick.color": tokens.LIGHT["quiet"],
    "xtick.labelcolor": tokens.LIGHT["text"],
    "ytick.labelcolor": tokens.LIGHT["text"],
    "legend.frameon": False,
    "image.cmap": "gray",
    "image.interpolation": "nearest",
    "svg.hashsalt": "course",
}


def use_style() -> None:
    """Set the course's matplotlib style for every figure from here on. Notebook 00."""
    matplotlib.rcParams.update(STYLE)


def empty(width: float, height: float) -> Figure:
    """A figure of `width` × `height` inches in the course's style, with nothing on it."""
    use_style()
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def panels(
    rows: int = 1, columns: int = 1, *, width: float = 9.0, height: float | None = None
) -> tuple[Figure, list[Axes]]:
    """Make a figure of `width` inches with rows × columns axes, listed row by row. Notebook 01."""
    figure = empty(width, height or rows * min(3.2, 0.8 * width / columns))
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)
