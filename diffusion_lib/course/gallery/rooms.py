"""What a notebook calls: a room's symptom, what was changed, and what the room's code is.

What gives an answer away is folded in a notebook, below a line that says what is in it, so that a learner can commit to
a cause before they see the right one. A terminal prints it.
"""

import html
import sys

import torch
from matplotlib.figure import Figure

from .. import figures
from ..tokens import VERDICTS
from .bug import Bug
from .bugs import BUGS
from .code import Code
from .pictures import IN_ROWS, SQUARE


def bug(room: int) -> Bug:
    """The bug of a room, from 1 on.

    Raises ValueError where there is no such room.
    """
    if isinstance(room, bool) or not isinstance(room, int) or not 1 <= room <= len(BUGS):
        raise ValueError(f"there is no room {room!r}: the gallery has the rooms 1 to {len(BUGS)}")
    return BUGS[room - 1]


def broken(room: int) -> Code:
    """A room's program, with its one line changed. Notebook 12."""
    return bug(room).code()


def symptom(room: int, *, width: float = 7.6) -> None:
    """Draw what the right code makes and what the room's does, from the same random numbers. Notebook 12.

    width: of the figure, in inches.

    Raises ValueError where there is no such room, or nothing to see in it.
    """
    here = bug(room)
    if here.draw is None:
        raise ValueError(f"room {room} has nothing to see: number({room}) prints its number")
    if here.draw in IN_ROWS:
        figure, axes = figures.panels(2, 1, width=0.85 * width, height=0.3 * width)
    else:
        figure, axes = figures.panels(1, 2, width=width, height=(0.44 if here.draw in SQUARE else 0.36) * width)
    for place, code, title in zip(
        axes, (here.right_code(), here.code()), ("the right code", f"room {room}"), strict=True
    ):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            here.draw(code, place)
        place.set_title(title)
    if here.draw not in IN_ROWS:
        lows, highs = zip(*(place.get_ylim() for place in axes), strict=True)
        for place in axes:
            place.set_ylim(min(lows), max(highs))  # what is larger looks larger
    _legend_below(figure)
    figures.show(figure, alt=here.alt)


def _legend_below(figure: Figure) -> None:
    """Name the lines once for both pictures, below them: in pictures this small a legend would lie on its curves."""
    legends = [legend for axes in figure.axes if (legend := axes.get_legend()) is not None]
    if not legends:
        return
    lines, names = figure.axes[-1].get_legend_handles_labels()
    for legend in legends:
        legend.remove()
    figure.set_figheight(figure.get_figheight() + 0.3)
    figure.legend(lines, names, loc="outside lower center", ncols=len(names))


def change(room: int) -> None:
    """Show what is wrong in a room, and its changed line: ✓ as it should be, ✗ as it is. Notebook 12."""
    _folded(f"Room {room}: the line", _change(room))


def number(room: int) -> None:
    """Show the number that notices a room's bug, and how it is measured. Notebook 12.

    Raises AssertionError if it does not tell the broken code from the right one.
    """
    _folded(f"Room {room}: the number that notices it", _number(room))


def reveal(room: int) -> None:
    """A room's changed line, how it is noticed, and the number. Notebook 12."""
    _folded(f"Room {room}: the line, and the number that notices it", f"{_change(room)}\n\n{_number(room)}")


def exhibit(room: int) -> None:
    """A room's symptom, where there is one to see, its changed line and its number. Notebook 12."""
    if bug(room).draw is not None:
        symptom(room, width=6.0)
    text = f"{_change(room)}\n\n{_number(room, source=False)}"
    _folded(f"Room {room}: what is wrong, and the number that notices it", text)


def _change(room: int) -> str:
    return f"Room {room}: {bug(room).name}.\n\n{bug(room).difference()}"


def _number(room: int, *, source: bool = True) -> str:
    """The number for both programs, with `source` how it is measured; AssertionError if it does not tell them apart."""
    here = bug(room)
    right, wrong = here.measured(here.right_code()), here.measured(here.code())
    assert wrong.wrong and not right.wrong, f"room {room}: the number does not tell the two apart"
    head = f"{here.measurement()}\n" if source else ""
    return (
        f"{head}{here.quantity}: should be {right.should:.3g}\n    the right code   {right}\n    room {room:<12}{wrong}"
    )


def _folded(summary: str, text: str) -> None:
    """Show a text below a line that opens it, in a notebook; print it elsewhere."""
    if not _in_a_notebook():
        print(text)
        return
    from IPython.display import display

    lines = "\n".join(map(_coloured, text.splitlines()))
    folded = (
        f'<details><summary style="cursor: pointer">{html.escape(summary)}</summary>'
        f'<pre style="overflow-x: auto; margin: 8px 0 0; line-height: 1.35">{lines}</pre></details>'
    )
    display({"text/html": folded, "text/plain": text}, raw=True)


def _coloured(line: str) -> str:
    """A line as HTML, its mark in the mark's colour if it begins with one."""
    colour = {"✓": VERDICTS["right"], "✗": VERDICTS["not yet"]}.get(line[:1])
    if colour is None:
        return html.escape(line)
    return f'<b style="color: {colour}">{line[0]}</b>{html.escape(line[1:])}'


def _in_a_notebook() -> bool:
    """Whether this runs in a Jupyter kernel, and not in a terminal or a script."""
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None
