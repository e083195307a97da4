"""What the server's hook takes out of a notebook before it is saved."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from diffusion_lib.course import server
from diffusion_lib.course.pages.models import STATE, VIEW


def notebook(*data, models=None):
    """A notebook with one output for each of `data`, and with the state of `models` in its metadata."""
    outputs = [{"output_type": "display_data", "data": bundle, "metadata": {}} for bundle in data]
    metadata = {"widgets": {STATE: {"version_major": 2, "state": models}}} if models else {}
    cells = [{"cell_type": "markdown", "source": "text"}, {"cell_type": "code", "outputs": outputs}]
    return {"metadata": metadata, "cells": cells}


def model(name="SliderModel", **state):
    return {"model_name": name, "state": state}


def saved(content):
    """The notebook as the hook lets it be saved: the kinds of data in each output, and the ids of the models."""
    server.before_save(model={"type": "notebook", "content": content}, path="n.ipynb", contents_manager=None)
    kinds = [list(output["data"]) for output in content["cells"][1]["outputs"]]
    return kinds, content["metadata"].get("widgets", {}).get(STATE, {}).get("state")


def test_the_hook_loads_no_torch():
    """Every student's server loads it, and torch would cost each of them 100 MB and some seconds."""
    code = "import sys, diffusion_lib.course.server; print([m for m in ('torch', 'numpy', 'matplotlib') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_a_view_with_a_still_goes_and_everything_else_stays():
    kinds, _ = saved(
        notebook(
            {VIEW: {}, "image/png": "", "text/plain": ""},
            {VIEW: {}, "text/plain": ""},
            {"image/png": ""},
            {VIEW: {}, "text/markdown": "", "text/plain": ""},
            {},
        )
    )
    stills = [["image/png", "text/plain"], [VIEW, "text/plain"], ["image/png"], ["text/markdown", "text/plain"], []]
    assert kinds == stills


def test_widget_state_goes_when_no_view_uses_it():
    content = notebook({VIEW: {"model_id": "a"}, "image/png": ""}, models={"a": model()})
    assert saved(content) == ([["image/png"]], None)
    assert content["metadata"] == {}


def test_the_state_that_a_remaining_view_needs_stays_whole():
    models = {
        "box": model("VBoxModel", children=["IPY_MODEL_slider"], layout="IPY_MODEL_layout"),
        "slider": model(style="IPY_MODEL_style"),
        "layout": model("LayoutModel"),
        "style": model("SliderStyleModel"),
        "link": model("LinkModel", source=["IPY_MODEL_slider", "value"], target=["IPY_MODEL_hidden", "value"]),
        "hidden": model(),
        "more": model("LinkModel", source=["IPY_MODEL_last", "value"], target=["IPY_MODEL_hidden", "value"]),
        "last": model(),
        "half": model("LinkModel", source=["IPY_MODEL_slider", "value"], target=["IPY_MODEL_closed", "value"]),
        "scrubber": model("AnyModel"),
    }
    kinds, state = saved(
        notebook({VIEW: {"model_id": "box"}}, {VIEW: {"model_id": "scrubber"}, "image/png": ""}, models=models)
    )
    assert kinds == [[VIEW], ["image/png"]]
    assert set(state) == {"box", "slider", "layout", "style", "link", "hidden", "more", "last"}


def test_a_view_inside_an_output_widget_keeps_its_model():
    outputs = [{"output_type": "display_data", "data": {VIEW: {"model_id": "inner"}}}]
    models = {"out": model("OutputModel", outputs=outputs), "inner": model(), "other": model()}
    assert set(saved(notebook({VIEW: {"model_id": "out"}}, models=models))[1]) == {"out", "inner"}


@pytest.mark.parametrize("contents_model", [
    {"type": "file", "content": f'{{"{VIEW}": 1}}'}, {"type": "directory"}, {"type": "notebook"},
    {"type": "notebook", "content": None}, {"type": "notebook", "content": {}},
])  # fmt: skip
def test_what_is_no_notebook_is_left_alone(contents_model):
    before = json.dumps(contents_model)
    server.before_save(contents_model, path="x")
    assert json.dumps(contents_model) == before


def test_jupyter_finds_the_extension_where_it_was_installed():
    """The wheel, editable or not, puts the setting into the environment that Jupyter reads."""
    from jupyter_core.paths import jupyter_config_path

    places = [Path(place) / "jupyter_server_config.d" / "diffusion_lib.json" for place in jupyter_config_path()]
    settings = [json.loads(place.read_text()) for place in places if place.exists()]
    assert {"ServerApp": {"jpserver_extensions": {"diffusion_lib.course.server": True}}} in settings, (
        f"pip install -e . with {sys.executable}"
    )
    (point,) = server._jupyter_server_extension_points()
    assert point["module"] == server.__name__
