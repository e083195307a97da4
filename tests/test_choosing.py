"""One of several widgets at a time: what is shown, what is typed, what is refused, and what is freed."""

import base64
import io

import ipywidgets
import numpy as np
import pytest
from ipywidgets.widgets.widget_link import Link
from PIL import Image

from diffusion_lib.course import widgets
from diffusion_lib.course.widgets import cells
from diffusion_lib.course.widgets.base import Scrubber


def film(level):
    """Five frames of one grey, so that one film can be told from another."""
    return widgets.Frames({"x": np.full((5, 1, 4, 4), level)}, alt=f"grey {level}")


def still_of(box):
    data, _ = box._repr_mimebundle_()
    return np.array(Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGB")), data["text/plain"]


def alive(kind=Scrubber):
    return sum(isinstance(widget, kind) for widget in ipywidgets.widgets.widget._instances.values())


def calls():
    """A film of the number typed; "one" is no number, and has made a widget before it says so."""
    asked = []

    def compute(text):
        asked.append(text)
        widget = film(-1.0)
        if not text.replace(".", "").isdigit():
            raise ValueError(f"{text!r} is <no> number: give one such as 0.5")
        widget.close()
        return film(float(text))

    return compute, asked


def test_the_first_is_shown_and_all_are_linked():
    one, two = film(0.0), widgets.row(film(0.5), film(0.7))
    one.t = 0.5
    box = widgets.choose({"low": one, "high": two}, label="level")
    assert box.choice.options == ("low", "high") and box.choice.description == "level"
    assert box.stack.selected_index == 0 and box.stack.children == (one, two)
    assert two.children[0].t == 0.5  # a part's first scrubber is linked
    assert still_of(box)[1] == "level low | Frames: grey 0.0"


def test_the_still_shows_what_is_chosen():
    box = widgets.choose({"low": film(0.0), "high": film(1.0)})
    low, _ = still_of(box)
    box.choice.index = box.stack.selected_index = 1
    high, alt = still_of(box)
    assert alt == "shown high | Frames: grey 1.0" and low.shape[0] == high.shape[0]
    assert abs(int(low[low.shape[0] * 2 // 3, 20, 0]) - int(high[high.shape[0] * 2 // 3, 20, 0])) > 50


def test_nothing_to_choose_from_is_refused():
    with pytest.raises(ValueError, match="nothing to choose from: give at least one"):
        widgets.choose({})


def test_what_is_typed_is_computed_and_becomes_an_entry():
    compute, asked = calls()
    box = widgets.ask(compute, {"0.1": film(0.1), "0.2": film(0.2)}, label="number")
    assert box.field.placeholder == "type a number of your own, and press Enter"
    box.field.value = " 0.5 "
    assert asked == ["0.5"] and box.choice.options == ("0.1", "0.2", "0.5") and box.choice.value == "0.5"
    assert box.stack.selected_index == 2 and box.stack.children[2].alt == "grey 0.5"
    first = box.stack.children[2]
    box.field.value = "0.6"
    assert box.choice.options == ("0.1", "0.2", "0.6") and box.stack.children[2].alt == "grey 0.6"
    assert first.comm is None and box.stack.children[0].comm is not None  # the last one typed makes room


def test_what_is_ready_is_not_computed_again():
    compute, asked = calls()
    box = widgets.ask(compute, {"0.1": film(0.1), "0.2": film(0.2)})
    box.field.value = "0.2"
    assert asked == [] and box.choice.value == "0.2" and box.stack.selected_index == 1


def test_what_cannot_be_shown_is_said_in_words_and_changes_nothing():
    compute, _ = calls()
    box = widgets.ask(compute, {"0.1": film(0.1)})
    box.field.value = "0.5"
    children, count = box.stack.children, alive()
    box.field.value = "one"
    assert box.report.value.startswith("That cannot be shown. &#x27;one&#x27; is &lt;no&gt; number")
    assert box.stack.children == children and box.choice.value == "0.5" and alive() == count
    box.field.value = ""
    assert box.report.value == ""


def test_typing_leaves_nothing_behind(monkeypatch):
    running = ["a cell of this test"]
    monkeypatch.setattr(cells, "current", lambda: running[0])
    compute, _ = calls()
    box = widgets.ask(compute, {"0.1": film(0.1)})
    running[0] = None  # no cell runs while one types
    for number in ("0.3", "0.4", "0.5"):
        box.field.value = number
    typed = box.stack.children[1]
    links, count = alive(Link), alive()
    box.field.value = "0.6"
    assert (alive(Link), alive()) == (links, count)
    typed = box.stack.children[1]
    running[0] = "a cell of this test"
    cells._before(None)
    assert typed.comm is None and box.comm is None  # they end with the cell that made the box
