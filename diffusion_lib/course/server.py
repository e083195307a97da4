"""Notebooks as they are saved: with the stills of this package's widgets, not with their live views.

A saved live view is a reference to an object of the kernel: once that kernel is gone, the notebook opens with an error
in the widget's place. So Jupyter's server calls a hook before each save, which leaves the still picture alone. The open
page keeps its live widget. The wheel installs what makes Jupyter's server load this module.
"""

from .pages.models import STATE, VIEW, has_still, reachable, saved_models


def keep_stills(notebook: dict) -> dict:
    """Take live views out of a notebook where a still stands in for them, and widget state that no view then uses.

    notebook: as nbformat reads it; changed in place, and returned. A view goes only where its still is in the same
    output: a plain slider has none, and without its view the output would be empty. The state of a widget is megabytes
    of frames, which only a view can show: what the views that stay do not need goes too.
    """
    roots = []
    for cell in notebook.get("cells", []):
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if has_still(data):
                data.pop(VIEW, None)
            elif VIEW in data:
                roots.append(data[VIEW].get("model_id"))
    if models := saved_models(notebook):
        if needed := reachable(models, roots):
            notebook["metadata"]["widgets"][STATE]["state"] = needed
        else:
            del notebook["metadata"]["widgets"]
    return notebook


def before_save(model: dict, **_: object) -> None:
    """A pre-save hook of Jupyter's contents managers: changes the notebook that is about to be saved, in place."""
    if model.get("type") == "notebook" and model.get("content"):
        keep_stills(model["content"])


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "diffusion_lib.course.server"}]


def _load_jupyter_server_extension(app) -> None:
    app.contents_manager.register_pre_save_hook(before_save)
