"""Widgets side by side, one below the other, and linked in time; with a still of the whole."""

import base64

import ipywidgets

from . import cells, stills
from .base import Scrubber


def _still(widget: ipywidgets.Widget) -> tuple[bytes, str] | None:
    """The still and the alt text of a widget, a box, or a control; None where there is nothing to draw."""
    if isinstance(widget, Scrubber):
        return (widget.still(), repr(widget)) if widget.comm is not None else None
    if isinstance(widget, ipywidgets.Box):
        parts = [part for part in map(_still, widget.children) if part]
        if not parts:
            return None
        alt = " | ".join(part[1] for part in parts)
        return stills.beside([part[0] for part in parts], alt, down=not isinstance(widget, ipywidgets.HBox)), alt
    said = getattr(widget, "value", None)
    if isinstance(said, (str, int, float)) and getattr(widget, "_view_name", None):
        words = f"{getattr(widget, 'description', '')} {said}".strip()
        return (stills.words(words), words) if words and not words.startswith("<") else None
    return None


def _holds_scrubber(widget: ipywidgets.Widget) -> bool:
    return isinstance(widget, Scrubber) or any(_holds_scrubber(child) for child in getattr(widget, "children", ()))


def _show(widget: ipywidgets.Widget) -> None:
    if hasattr(widget, "_cell"):
        widget._cell.show()
    for child in getattr(widget, "children", ()):
        _show(child)


def bundle(box: ipywidgets.Box) -> tuple[dict, dict] | None:
    """What a box with a scrubber in it puts into a notebook; None for other boxes, which ipywidgets shows itself."""
    if not _holds_scrubber(box):
        return None
    picture, alt = _still(box) or (stills.words("closed"), "closed")
    _show(box)
    view = {"version_major": 2, "version_minor": 0, "model_id": box.model_id}
    data = {
        "text/plain": alt,
        "image/png": base64.b64encode(picture).decode(),
        "application/vnd.jupyter.widget-view+json": view,
    }
    return data, {"image/png": {"alt": alt}}


class _Shown:
    """A box that is closed with its cell, and leaves a still."""

    def __init__(self, children: tuple[ipywidgets.Widget, ...], layout: dict[str, str]) -> None:
        super().__init__(children, layout=layout)
        self._cell = cells.Made(self)

    def _repr_mimebundle_(self, **options: object) -> object:
        return bundle(self) or super()._repr_mimebundle_(**options)

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
        one = ipywidgets.jslink((first, "t"), (other, "t"))
        one._cell = cells.Made(one)


def _teach_ipython() -> None:
    """Let plain ipywidgets boxes show the stills of the scrubbers in them."""
    shell = cells._shell()
    if shell is not None:
        shell.display_formatter.mimebundle_formatter.for_type(
            ipywidgets.Box, lambda box, include=None, exclude=None: bundle(box) or box._repr_mimebundle_()
        )


_teach_ipython()
