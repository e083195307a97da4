"""What every widget has, its code in the browser and its end; and every scrubber, a place in time and packed arrays.

A scrubber sends its arrays to the browser once, as one binary trait, and moves there. `t` is the time asked for and
`index` the frame nearest to it; both are synced traits, so Python can follow them, and two widgets with different
times can be linked on `t`.

A new widget is a class and its JavaScript, `dial.py` and `dial.js` in one folder::

    @WIDGETS.register
    class Dial(Scrubber): ...

From there the registry carries it: into `widgets.Dial`, into exported pages, and into the tests of all widgets.
"""

import base64
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import anywidget
import numpy as np
import traitlets

from ...registry import Registry
from . import cells
from .arrays import Pack, values_at
from .browser import STUB, source, style

WIDGETS: Registry = Registry("widget")


class Widget(anywidget.AnyWidget):
    """A widget of the course: its JavaScript goes with it, and it ends with the cell that shows it.

    `script` is the widget's JavaScript; without it, the file beside the class's own, and for a subclass its parent's.
    """

    script: ClassVar[Path | None] = None
    _esm = STUB
    _css = style()
    _code = traitlets.Unicode("").tag(sync=True)

    def __init_subclass__(cls, **options: object) -> None:
        super().__init_subclass__(**options)
        beside = Path(getattr(sys.modules.get(cls.__module__), "__file__", None) or "").with_suffix(".js")
        if "script" not in cls.__dict__ and beside.is_file():
            cls.script = beside

    def __init__(self, **traits: object) -> None:
        if self.script is None:
            raise TypeError(f"{type(self).__name__} has no JavaScript: put it beside the class's file, or set `script`")
        super().__init__(_code=source("shared") + source(self.script), **traits)
        self._cell = cells.Lifetime(self)

    def close(self) -> None:
        """Take the widget from the browser."""
        layout = self.layout
        super().close()
        layout.close()


class Scrubber(Widget):
    """A widget with a place in time. Subclasses have `update`, which calls `_replace`, and say what a still shows."""

    t = traitlets.Float(0.0, help="the time asked for; the frame nearest to it is shown").tag(sync=True)
    index = traitlets.Int(0, help="the frame that is shown").tag(sync=True)
    times = traitlets.List(traitlets.Float(), help="the times of the frames").tag(sync=True)
    axis = traitlets.Unicode("t", help="what the times are called").tag(sync=True)
    alt = traitlets.Unicode("", help="what changes from the first frame to the last, in words").tag(sync=True)
    note = traitlets.Unicode("", help="a remark under the widget").tag(sync=True)
    fps = traitlets.Float(0.0, help="frames a second when it starts to play; 0: as fits the number").tag(sync=True)
    loop = traitlets.Bool(True, help="whether playing starts again at the end").tag(sync=True)
    _values = traitlets.List().tag(sync=True)
    _parts = traitlets.List().tag(sync=True)
    _data = traitlets.Bytes(b"").tag(sync=True)
    _revision = traitlets.Int(0).tag(sync=True)

    def __init__(self, *, axis: str, fps: float, loop: bool) -> None:
        super().__init__(axis=axis, fps=float(fps), loop=loop)

    def __repr__(self) -> str:
        return f"{type(self).__name__}: {self.alt}" if self.alt else type(self).__name__

    @property
    def time(self) -> float:
        """The time of the frame that is shown."""
        return self.times[self.index]

    @traitlets.observe("t")
    def _on_t(self, change: dict) -> None:
        if self.times:
            self.index = int(np.argmin(np.abs(np.array(self.times) - self.t)))

    @traitlets.validate("index")
    def _check_index(self, proposal: dict) -> int:
        index, count = proposal["value"], len(self.times)
        if count and not 0 <= index < count:
            raise ValueError(f"index={index} is outside 0..{count - 1}")
        return index

    @traitlets.observe("index")
    def _on_index(self, change: dict) -> None:
        if self.times and int(np.argmin(np.abs(np.array(self.times) - self.t))) != self.index:
            self.t = self.times[self.index]

    def _replace(
        self, times: list[float], pack: Pack, drawn: object, *, values: dict[str, object] | None, **traits: object
    ) -> None:
        """Replace what the browser holds, in one message, and `drawn`, of which stills are made.

        The place in time stays where it was, if there was one. Raises ValueError, before anything is replaced, for
        values that are not one for each time.
        """
        traits["_values"] = values_at(values, len(times))
        self._drawn, first = drawn, self._revision == 0
        with self.hold_sync():
            with self.hold_trait_notifications():
                self.times = times
                for name, value in traits.items():
                    setattr(self, name, value)
                self._parts, self._data = pack.parts, b"".join(pack.pieces)
            self.t = times[0] if first else self.t
            self.index = int(np.argmin(np.abs(np.array(times) - self.t)))
            self._revision += 1

    def still(self) -> bytes:
        """A PNG of the widget at some of its frames, first to last, for where nothing runs."""
        raise NotImplementedError

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> tuple[dict, dict]:
        self._cell.show()
        return bundle(self, self.still(), repr(self))

    def close(self) -> None:
        """Take the widget from the browser and drop its arrays."""
        self._drawn = None
        if self.comm is not None:  # two messages: a browser keeps a model's last state but one
            self._data = b""
            self._parts = []
        super().close()


def bundle(widget: object, still: bytes, alt: str) -> tuple[dict, dict]:
    """What a widget puts into a notebook: its view, and beside it the still and the alt text."""
    data = {"text/plain": alt, "image/png": base64.b64encode(still).decode()}
    return data | view_of(widget), {"image/png": {"alt": alt}}


def view_of(widget: object) -> dict[str, dict]:
    """A widget's live view as a part of an output."""
    view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    return {"application/vnd.jupyter.widget-view+json": view}


def widget_name(anywidget_id: str) -> str | None:
    """The name of the registered widget that a saved model is of; None if it is none of ours.

    anywidget_id: what anywidget writes into the model, the class's module and name.
    """
    for name, kind in WIDGETS.items():
        if anywidget_id == f"{kind.__module__}.{kind.__name__}":
            return name
    return None


def spread(count: int, most: int = 5) -> list[int]:
    """The frames of a still: at most `most`, evenly spread, the first and the last among them."""
    return [int(k) for k in np.unique(np.linspace(0, count - 1, min(count, most)).round())]


def checked_names(names: Sequence[str], what: str) -> None:
    """Raise unless there is at least one name and each is a string."""
    if not names:
        raise ValueError(f"no {what}: give at least one")
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"the name of a {what} must be text, not {name!r}")
