"""A new widget is one class with one registration, and its JavaScript beside it: here one is added, and found everywhere."""

import importlib.util
import sys

import nbformat
import pytest

from diffusion_lib.course import widgets
from diffusion_lib.course.pages import page_of
from diffusion_lib.course.pages.models import STATE, VIEW
from diffusion_lib.course.widgets.base import WIDGETS, Scrubber

DIAL = '''
from diffusion_lib.course.figures import style
from diffusion_lib.course.widgets import WIDGETS, Scrubber, stills
from diffusion_lib.course.widgets.arrays import Pack


@WIDGETS.register
class Dial(Scrubber):
    """A number that changes."""

    def __init__(self, times, *, alt="a dial"):
        super().__init__(axis="t", fps=0.0, loop=True)
        self.update(times, alt=alt)

    def update(self, times, *, alt="a dial"):
        self._replace(list(times), Pack(), None, values=None, alt=alt)

    def still(self):
        return stills.words("dial")
'''
SCRIPT = 'import { make, widget } from "./shared.js";\nexport default widget((model, data, stage) => ({ draw(k) { stage.textContent = `dial ${k}`; } }));\n'


@pytest.fixture
def dial(tmp_path):
    """A module of somebody else's, loaded and, at the end, forgotten."""
    (tmp_path / "dial.py").write_text(DIAL)
    (tmp_path / "dial.js").write_text(SCRIPT)
    spec = importlib.util.spec_from_file_location("dial", tmp_path / "dial.py")
    sys.modules["dial"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module.Dial
    del sys.modules["dial"], WIDGETS["Dial"]


def saved(widget) -> dict:
    """A notebook that shows the widget, as it is saved with its widget state."""
    state = widget.get_state()
    buffers = [
        {"path": [name], "data": "", "encoding": "base64"} for name, value in state.items() if isinstance(value, bytes)
    ]
    state = {name: value for name, value in state.items() if not isinstance(value, bytes) and name != "layout"}
    data, metadata = widget._repr_mimebundle_()
    notebook = nbformat.v4.new_notebook()
    output = nbformat.v4.new_output("display_data", data, metadata=metadata)
    notebook.cells = [nbformat.v4.new_code_cell("dial", outputs=[output])]
    entry = {"model_name": "AnyModel", "state": state, "buffers": buffers}
    notebook.metadata["widgets"] = {STATE: {"state": {data[VIEW]["model_id"]: entry}}}
    return notebook


def test_a_new_widget_is_found_everywhere(dial):
    assert widgets.Dial is dial and "Dial" in dir(widgets)
    widget = dial([0.0, 1.0])
    assert "dial ${k}" in widget._code and "export function scrubber" not in widget._code
    assert widget._repr_mimebundle_()[0]["text/plain"] == "Dial: a dial"
    page = page_of(saved(widget), "page").html
    assert "widgets.Dial = (() =>" in page and "dial ${k}" in page
    assert '"widget":"Dial"' in page.replace(" ", "") and "widgets.Curves" not in page


def test_it_can_be_linked_and_stand_in_a_row(dial):
    a, b = dial([0.0, 1.0]), dial([0.0, 0.5, 1.0])
    b.t = 0.5
    widgets.link(b, a)
    assert a.t == 0.5
    assert widgets.row(a, b)._repr_mimebundle_()[0]["text/plain"] == "Dial: a dial | Dial: a dial"


def test_the_courses_widgets_are_registered():
    assert {"Frames", "Noising", "Curves", "Points", "Gaussians"} <= set(WIDGETS)
    for name, kind in WIDGETS.items():
        assert getattr(widgets, name) is kind and kind.script.suffix == ".js" and kind.script.is_file()


def test_a_widget_without_javascript_is_refused():
    class Silent(Scrubber):
        pass

    with pytest.raises(TypeError, match="Silent has no JavaScript: put it beside the class's file, or set `script`"):
        Silent(axis="t", fps=0.0, loop=True)


def test_two_widgets_of_one_name_are_refused():
    class Curves(Scrubber):
        pass

    with pytest.raises(ValueError, match="widget 'Curves' is registered already"):
        WIDGETS.register(Curves)


def test_an_unknown_widget_is_named_with_those_there_are():
    with pytest.raises(AttributeError, match="has no attribute 'Frame'; it has .*Frames"):
        _ = widgets.Frame
