"""One of several at a time: `choose` among widgets that are ready, `ask` for one that is made when its name is typed.

Choosing needs no kernel: an exported page does it, too. Typing does, because what is typed has yet to be computed.
"""

import html
from collections.abc import Callable, Mapping

import ipywidgets

from . import cells
from .base import Scrubber
from .layout import column, link

WIDE = {"style": {"description_width": "8em"}, "layout": {"width": "38em", "max_width": "100%"}}


def choose(parts: Mapping[str, ipywidgets.Widget], *, label: str = "shown") -> ipywidgets.VBox:
    """Show one of several widgets, whose name is chosen from a list; all stay at the same time. Notebook 07.

    parts: what there is to choose from, by name: scrubbers, or rows and columns of them. label: what the names are.

    The box has `.choice` (the list) and `.stack` (what it shows). Raises ValueError without anything to choose from.
    """
    if not parts:
        raise ValueError("nothing to choose from: give at least one widget by its name")
    choice = ipywidgets.Dropdown(options=list(parts), index=0, description=label, **WIDE)
    stack = ipywidgets.Stack(tuple(parts.values()), selected_index=0)
    connection = ipywidgets.jslink((choice, "index"), (stack, "selected_index"))
    connection._cell = cells.Lifetime(connection)
    _link_all(list(parts.values()))
    box = column(choice, stack)
    box.choice, box.stack = choice, stack
    return box


def ask(
    compute: Callable[[str], ipywidgets.Widget],
    parts: Mapping[str, ipywidgets.Widget],
    *,
    label: str = "caption",
) -> ipywidgets.VBox:
    """`choose`, and a field above it: what is typed there is computed and shown. Notebook 09.

    compute: a function of the text that returns the widget to show; a ValueError says in words what is wrong with it,
      and changes nothing. parts, label: as for `choose`.

    The last text that was computed is one more entry of the list. The box has `.field`, `.report`, `.choice`, `.stack`.
    """
    hint = f"type a {label} of your own, and press Enter"
    field = ipywidgets.Text(description=f"your {label}", placeholder=hint, continuous_update=False, **WIDE)
    report = ipywidgets.HTML(layout={"max_width": "100%"})
    choosing = choose(parts, label=label)
    choice, stack, ready = choosing.choice, choosing.stack, dict(parts)
    box = column(field, report, choosing)
    box.field, box.report, box.choice, box.stack = field, report, choice, stack
    made: list[cells.Lifetime] = []

    def show(entries: dict[str, ipywidgets.Widget], name: str) -> None:
        # each in one message: the browser must not begin to draw an entry that the next message takes away
        with stack.hold_sync():
            stack.children = tuple(entries.values())
            stack.selected_index = list(entries).index(name)
        with choice.hold_sync():
            choice.options = list(entries)  # on its own, this chooses the first
            choice.value = name

    def typed(change: dict) -> None:
        text = " ".join(change["new"].split())
        if not text:
            report.value = ""
            return
        if text in ready:
            report.value = "This one was ready: shown below."
            choice.value, stack.selected_index = text, list(ready).index(text)
            return
        report.value = "Computing …"
        with cells.owned_by(box._cell) as new:
            try:
                part = compute(text)
                _link_all([stack.children[0], part])
            except ValueError as error:
                report.value = html.escape(f"That cannot be shown. {error}.")
                for lifetime in new:
                    lifetime.close()
                return
        show(ready | {text: part}, text)
        report.value = "Shown below, and in the list until you type another."
        for lifetime in made:
            lifetime.close()
        made[:] = new

    field.observe(typed, "value")
    return box


def _link_all(parts: list[ipywidgets.Widget]) -> None:
    """Link the first scrubber of each part, so that all are at the same time."""
    first = [scrubber for scrubber in map(_first_scrubber, parts) if scrubber is not None]
    if len(first) > 1:
        link(*first)


def _first_scrubber(widget: ipywidgets.Widget) -> Scrubber | None:
    """The widget, if it is a scrubber, or the first one in it."""
    if isinstance(widget, Scrubber):
        return widget
    return next(filter(None, map(_first_scrubber, getattr(widget, "children", ()))), None)
