"""The widgets that a notebook was saved with: which models there are, and which of them a set of views needs.

Jupyter keeps a widget in two places. An output holds the view, which is the id of a model; the notebook's metadata may
hold the models themselves, each with its state, in which `IPY_MODEL_<id>` refers to another one.
"""

from collections.abc import Iterable, Iterator

VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"
PREFIX = "IPY_MODEL_"
LINKS = ("LinkModel", "DirectionalLinkModel")
# What a page has no use for: its own style sheet replaces layouts and styles, and code and CSS go into it once.
UNUSED_MODELS = ("LayoutModel", "StyleModel")
UNUSED_TRAITS = ("_esm", "_css", "_code", "layout", "style", "_anywidget_id", "_dom_classes", "tooltip", "tabbable")
UNUSED_TRAITS += ("_katex",)  # a page with formulas has its own
PRIVATE_TRAITS = ("_answers", "_kept")  # of one learner: they are in no page that others read
STILLS = ("image/png", "text/markdown")  # what stands in for a live view where nothing runs


def has_still(data: dict) -> bool:
    """Whether an output holds something to look at besides its live view."""
    return any(kind in data for kind in STILLS)


def saved_models(notebook: dict) -> dict[str, dict]:
    """The models in a notebook's metadata, by id; empty where it was saved without them."""
    return notebook.get("metadata", {}).get("widgets", {}).get(STATE, {}).get("state", {})


def reachable(models: dict[str, dict], roots: Iterable[str]) -> dict[str, dict]:
    """The models that the views of `roots` need: those, all that they refer to, and the links between these.

    A link counts as soon as it has one end here: so two widgets stay together that are linked through a third, which is
    not shown.
    """
    needed: set[str] = set()

    def add(ids: Iterable[str]) -> None:
        queue = list(ids)
        while queue:
            model_id = queue.pop()
            if model_id in models and model_id not in needed:
                needed.add(model_id)
                queue.extend(_references(models[model_id]["state"]))

    add(roots)
    links = {key: set(_references(model["state"])) for key, model in models.items() if model["model_name"] in LINKS}
    links = {key: ends for key, ends in links.items() if ends <= set(models)}
    while reached := [key for key, ends in links.items() if key not in needed and ends & needed]:
        add(reached)
    return {key: model for key, model in models.items() if key in needed}


def for_page(models: dict[str, dict], roots: Iterable[str]) -> dict[str, dict]:
    """What a page needs to show the views of `roots`: each model's kind, its widget's file, its state, its buffers."""
    return {
        key: _packed(model)
        for key, model in reachable(models, roots).items()
        if not model["model_name"].endswith(UNUSED_MODELS)
    }


def _packed(model: dict) -> dict:
    """A model without what the page carries once, or does not need."""
    from ..widgets.base import widget_name

    return {
        "model_name": model["model_name"],
        "widget": widget_name(model["state"].get("_anywidget_id", "")),
        "state": {
            name: value
            for name, value in model["state"].items()
            if name not in (*UNUSED_TRAITS, *PRIVATE_TRAITS) and not name.startswith(("_model_", "_view_"))
        },
        "buffers": [part for part in model.get("buffers", []) if part["path"][0] not in UNUSED_TRAITS],
    }


def _references(value: object) -> Iterator[str]:
    """The ids of the models that a state refers to, at any depth."""
    if isinstance(value, str):
        if value.startswith(PREFIX):
            yield value.removeprefix(PREFIX)
    elif isinstance(value, dict):
        if isinstance(view := value.get(VIEW), dict) and "model_id" in view:  # an Output widget shows other widgets
            yield view["model_id"]
        for part in value.values():
            yield from _references(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _references(part)
