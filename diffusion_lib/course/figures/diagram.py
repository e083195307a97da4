"""Schematics: boxes with text and arrows between them, written as data in a notebook's cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import tokens
from .style import COLOURS, panels

PLAIN, MARKED = tokens.LIGHT["text"], COLOURS[1]


def diagram(
    boxes: Mapping[str, tuple[float, float]],
    arrows: Sequence[tuple[str, str] | tuple[str, str, str] | tuple[str, str, str, float]] = (),
    *,
    marked: Sequence[str] = (),
    size: tuple[float, float] = (9.0, 2.0),
    title: str | None = None,
    axes: Axes | None = None,
) -> Figure:
    """Draw boxes at their places, and arrows from one to another. Notebook 01.

    boxes: `{text: (x, y)}`, in inches from the lower left of a figure of `size`; a text may hold formulas between
    dollars. arrows: (from, to), by the boxes' texts; or with a label (from, to, label); or bent (from, to, label,
    bend), which lifts the middle of an arrow to the right by half of `bend` times its length. marked: the texts of
    boxes, and the labels of arrows, that are drawn in the second colour, with thicker lines.

    Raises KeyError for an arrow to a box that is none.
    """
    if axes is None:
        _, (axes,) = panels(width=size[0], height=size[1])
    axes.set(xlim=(0, size[0]), ylim=(0, size[1]), title=title or "")
    axes.set_axis_off()
    drawn = {}
    for text, place in boxes.items():
        colour, width = (MARKED, 2.0) if text in marked else (PLAIN, 1.2)
        frame = {"boxstyle": "round,pad=0.45", "facecolor": "white", "edgecolor": colour, "linewidth": width}
        drawn[text] = axes.text(*place, text, ha="center", va="center", color=PLAIN, bbox=frame, zorder=3)
    for start, end, *rest in arrows:
        label, bend = rest[0] if rest else "", rest[1] if len(rest) > 1 else 0.0
        colour, width = (MARKED, 2.0) if label and label in marked else (PLAIN, 1.2)
        look = {"arrowstyle": "-|>", "color": colour, "linewidth": width, "connectionstyle": f"arc3,rad={-bend}"}
        axes.annotate(
            "",
            boxes[end],
            boxes[start],
            arrowprops=look | {"patchA": _frame(drawn[start]), "patchB": _frame(drawn[end])},
        )
        if label:
            (x, y), (u, v) = boxes[start], boxes[end]
            middle = ((x + u) / 2 - bend * (v - y) / 2, (y + v) / 2 + bend * (u - x) / 2 + 0.06)
            axes.text(*middle, label, ha="center", va="bottom", color=colour if label in marked else PLAIN)
    return axes.figure


def _frame(text):
    """The frame round a box's text, where arrows end."""
    return text.get_bbox_patch()
