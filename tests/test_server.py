"""What the server's hook takes out of a notebook before it is saved."""

import json
import sys
from pathlib import Path

import pytest

from diffusion_lib.course import server
from diffusion_lib.course.export import VIEW


def saved(*data, kind="notebook"):
    outputs = [{"output_type": "display_data", "data": d, "metadata": {}} for d in data]
    content = {"cells": [{"cell_type": "markdown", "source": "text"}, {"cell_type": "code", "outputs": outputs}]}
    model = {"type": kind, "content": content}
    server.keep_stills(model=model, path="n.ipynb", contents_manager=None)
    return [list(output["data"]) for output in content["cells"][1]["outputs"]]


def test_a_view_with_a_still_goes_and_everything_else_stays():
    found = saved({VIEW: {}, "image/png": "", "text/plain": ""}, {VIEW: {}, "text/plain": ""}, {"image/png": ""}, {})
    assert found == [["image/png", "text/plain"], [VIEW, "text/plain"], ["image/png"], []]


@pytest.mark.parametrize("model", [
    {"type": "file", "content": f'{{"{VIEW}": 1}}'}, {"type": "directory"}, {"type": "notebook"},
    {"type": "notebook", "content": None}, {"type": "notebook", "content": {}},
])  # fmt: skip
def test_what_is_no_notebook_is_left_alone(model):
    before = json.dumps(model)
    server.keep_stills(model, path="x")
    assert json.dumps(model) == before


def test_jupyter_finds_the_extension_where_it_was_installed():
    """The wheel, editable or not, puts the setting into the environment that Jupyter reads."""
    from jupyter_core.paths import jupyter_config_path

    places = [Path(place) / "jupyter_server_config.d" / "diffusion_lib.json" for place in jupyter_config_path()]
    found = [json.loads(place.read_text()) for place in places if place.exists()]
    assert {"ServerApp": {"jpserver_extensions": {"diffusion_lib.course.server": True}}} in found, (
        f"pip install -e . with {sys.executable}"
    )
    (point,) = server._jupyter_server_extension_points()
    assert point["module"] == server.__name__
