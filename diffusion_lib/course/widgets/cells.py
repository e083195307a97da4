"""Which notebook cell shows which widget, so that running a cell again replaces its widgets and frees the old ones.

Jupyter keeps every widget for as long as the kernel lives. Here a widget is closed when the cell that made it, and each
cell that showed it, has been run again: its views are gone from the page, and another widget has taken its name.
"""

import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

_lifetimes: "weakref.WeakSet[Lifetime]" = weakref.WeakSet()
_hooked: weakref.WeakSet = weakref.WeakSet()
_owners: list[tuple["Lifetime", list["Lifetime"]]] = []


def _shell() -> object | None:
    """IPython's shell, if this runs in one."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def current() -> str | None:
    """The id of the notebook cell that runs, or None outside of notebooks and in front ends that give no id."""
    shell = _shell()
    if shell is None or not hasattr(shell, "get_parent"):
        return None
    if shell not in _hooked:
        _hooked.add(shell)
        shell.events.register("pre_run_cell", _before)
    metadata = shell.get_parent().get("metadata", {})
    return metadata.get("cellId") or metadata.get("cell_id")


def _before(info: object) -> None:
    """Close the widgets that were made and shown by the cell that is about to run, and by no other."""
    cell = current()
    if cell is None:
        return
    for lifetime in list(_lifetimes):
        lifetime.cells.discard(cell)
        if not lifetime.cells:
            lifetime.close()


class Lifetime:
    """The cells by which one widget lives."""

    def __init__(self, widget: object) -> None:
        self.widget = weakref.ref(widget)
        cell = current()
        self.cells = {cell} if cell else set()
        if _owners:
            owner, made = _owners[-1]
            self.cells = set(owner.cells)
            made.append(self)
        if self.cells:
            _lifetimes.add(self)

    def show(self) -> None:
        """Note that the cell that runs shows the widget."""
        if cell := current():
            self.cells.add(cell)

    def close(self) -> None:
        """Close the widget, once."""
        _lifetimes.discard(self)
        widget = self.widget()
        if widget is not None:
            widget.close()


@contextmanager
def owned_by(owner: Lifetime) -> Iterator[list[Lifetime]]:
    """What is made here, by a control while no cell runs, lives by the cells of `owner`; yields what was made."""
    made: list[Lifetime] = []
    _owners.append((owner, made))
    try:
        yield made
    finally:
        _owners.pop()
