"""Data for the whole course, behind one function: `load(name)`.

    points      mixture, mixture_1d (with their exact distribution), moons, swiss_roll, rings, checkerboard
    pictures    digits, mnist, emoji (bundled), shapes (drawn), fashion_mnist, cifar10 (downloaded),
                folder:PATH (your own)

`NAMES` lists them all. Points have mean 0 and variance 1; pictures lie in [-1, 1]. `Fresh(name)` draws new examples
without end. How to add a data set is said in `sources`; the formulas stand in `points` and `shapes`.
"""

# Importing a module registers its data sets: the order here is that of `NAMES`.
from . import points, digits, sheets, shapes, downloads, folder, pictures, sources  # isort: skip
from .dataset import Dataset, to_uint8, to_unit
from .draws import Draw, Fresh
from .sources import DATASETS, load, options

__all__ = [
    "DATASETS",
    "NAMES",
    "Dataset",
    "Draw",
    "Fresh",
    "digits",
    "downloads",
    "folder",
    "load",
    "options",
    "pictures",
    "points",
    "shapes",
    "sheets",
    "to_uint8",
    "to_unit",
]


def __getattr__(name: str):
    if name == "NAMES":  # asked anew each time: a notebook may have registered another data set
        return sources.names()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
