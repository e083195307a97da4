"""Widgets side by side, one below the other, and linked in time; with a still of the whole."""

import ipywidgets

from . import cells
from .base import Scrubber, bundle


def _still(widget: ipywidgets.Widget) -> tuple[bytes, str] | None:
    """The still and the alt text of a widget, a box, or a control; None where there is nothing to draw."""
    from . import stills

    if isinstance(widget, Scrubber):
        return (widget.still(), repr(widget)) if widget.comm is not None else None
    if isinstance(widget, ipywidgets.Box):
        children = widget.children
        if isinstance(widget, ipywidgets.Stack):  # of these only one is on the page
            children = children[widget.selected_index or 0 :][:1]
        parts = [part for part in map(_still, children) if part]
        if not parts:
            return None
        alt = " | ".join(part[1] for part in parts)
        return stills.beside([part[0] for part in parts], alt, down=not isinstance(widget, ipywidgets.HBox)), alt
    value = getattr(widget, "value", None)
    if value != "" and isinstance(value, (str, int, float)) and getattr(widget, "_view_name", None):
        text = f"{getattr(widget, 'description', '')} {value}".strip()
        return (stills.words(text), text) if text and not text.startswith("<") else None
    return None


def _holds_scrubber(widget: ipywidgets.Widget) -> bool:
    """Whether the widget is a scrubber, or a box with one in it."""
    return isinstance(widget, Scrubber) or any(_holds_scrubber(child) for child in getattr(widget, "children", ()))


def _show(widget: ipywidgets.Widget) -> None:
    """Note for a widget, and for all in it, that the cell that runs shows them."""
    if hasattr(widget, "_cell"):
        widget._cell.show()
    for child in getattr(widget, "children", ()):
        _show(child)


def bundle_of(box: ipywidgets.Box) -> tuple[dict, dict] | None:
    """What a box with a scrubber in it puts into a notebook; None for other boxes, which ipywidgets shows itself."""
    if not _holds_scrubber(box):
        return None
    still = _still(box)
    if still is None:
        from .stills import words

        still = words("closed"), "closed"
    _show(box)
    return bundle(box, *still)


class _Shown:
    """A box that is closed with its cell, and leaves a still."""

    def __init__(self, children: tuple[ipywidgets.Widget, ...], layout: dict[str, str]) -> None:
        super().__init__(children, layout=layout)
        self._cell = cells.Lifetime(self)

    def _repr_mimebundle_(self, **options: object) -> object:
        return bundle_of(self) or super()._repr_mimebundle_(**options)

    def close(self) -> None:
        """Take the box from the page; what is in it stays alive."""
        layout = self.layout
        super().close()
        layout.close()


class _Row(_Shown, ipywidgets.HBox):
    pass


class _Column(_Shown, ipywidgets.VBox):
    pass


def row(*parts: ipywidgets.Widget) -> ipywidgets.HBox:
    """Widgets and controls side by side, in more lines where the page is narrow."""
    return _Row(parts, {"flex_flow": "row wrap", "align_items": "flex-start", "overflow": "visible"})


def column(*parts: ipywidgets.Widget) -> ipywidgets.VBox:
    """Widgets and controls one below the other."""
    return _Column(parts, {"overflow": "visible"})


def link(first: Scrubber, *others: Scrubber) -> None:
    """Let widgets move together in time, in the browser, with and without a kernel.

    Each shows its own frame nearest to the common `t`. Raises ValueError if there is nothing to link.
    """
    if not others:
        raise ValueError("one widget alone cannot be linked: give two or more")
    for other in others:
        other.t = first.t
        connection = ipywidgets.jslink((first, "t"), (other, "t"))
        connection._cell = cells.Lifetime(connection)


def _teach_ipython() -> None:
    """Let plain ipywidgets boxes show the stills of the scrubbers in them."""
    shell = cells._shell()
    if shell is not None:
        shell.display_formatter.mimebundle_formatter.for_type(
            ipywidgets.Box, lambda box, include=None, exclude=None: bundle_of(box) or box._repr_mimebundle_()
        )


_teach_ipython()
