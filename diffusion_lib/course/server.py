"""Jupyter's server saves notebooks with the stills of this package's widgets, not with their live views.

A saved live view is a reference to an object of the kernel: once that kernel is gone, the notebook opens with an error
in the widget's place. So a hook runs before each save, and takes the view out wherever its still is in the same output.
The open page keeps its live widget. The wheel installs what makes Jupyter's server load this module.
"""

from .export import VIEW


def keep_stills(model: dict, **_) -> None:
    """A pre-save hook of Jupyter's contents managers: changes the notebook that is about to be saved, in place."""
    if model.get("type") != "notebook" or not model.get("content"):
        return
    for cell in model["content"].get("cells", []):
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                output["data"].pop(VIEW, None)


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "diffusion_lib.course.server"}]


def _load_jupyter_server_extension(app) -> None:
    app.contents_manager.register_pre_save_hook(keep_stills)
