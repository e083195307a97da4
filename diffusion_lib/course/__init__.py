"""The classroom: what the notebooks show (`figures`), what you drag (`widgets`), what checks you (`exercises`), what
asks you first (`questions`).

It stands on the mathematics, and the mathematics never imports it. Its parts are loaded on first use::

    from diffusion_lib.course import check, figures, hint, predict, predictions, use, widgets
"""

from importlib import import_module

__all__ = [
    "check",
    "exercises",
    "figures",
    "gallery",
    "hint",
    "inventory",
    "my_progress",
    "overview",
    "pages",
    "predict",
    "predictions",
    "progress",
    "questions",
    "server",
    "tokens",
    "use",
    "widgets",
]


def __getattr__(name: str):
    if name in ("check", "hint", "use"):
        return getattr(import_module(f"{__name__}.exercises"), name)
    if name == "my_progress":
        return import_module(f"{__name__}.overview").my_progress
    if name == "inventory":
        return import_module(f"{__name__}.concept_inventory").inventory
    if name in ("predict", "predictions"):
        return getattr(import_module(f"{__name__}.questions"), name)
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
