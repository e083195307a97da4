"""Data for the whole course, behind one function: `load(name)`.

    points      mixture, mixture_1d (with their exact distribution), moons, swiss_roll, rings, checkerboard
    pictures    digits (bundled), shapes (drawn), mnist, fashion_mnist, cifar10 (downloaded),
                folder:PATH (your own)

Points have mean 0 and variance 1; pictures lie in [-1, 1]. Why, and where the formulas come from, is said in
`dataset`, `points`, `shapes` and `pictures`.
"""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from . import pictures, points, shapes
from .dataset import Dataset, to_uint8, to_unit

__all__ = ["NAMES", "Dataset", "load", "pictures", "points", "shapes", "to_uint8", "to_unit"]

NAMES = (*points.NAMES, "digits", "shapes", *pictures.TORCHVISION, "folder:PATH")
DRAWN = 10_000  # examples where the number is free
SIDE = 32  # pixels where the size is free


def load(
    name: str,
    *,
    size: int | None = None,
    count: int | None = None,
    seed: int = 0,
    root: str | Path | None = None,
    train: bool = True,
    download: bool = True,
    without: Sequence[Sequence[str]] = (),
) -> Dataset:
    """A data set by name, one of `NAMES`: the same examples for the same arguments.

    size: side of the pictures in pixels (their own if None; 32 for shapes and folders).
    count: how many examples (None: all, or 10 000 where they are drawn); real pictures are chosen by `seed`.
    root: where downloads are kept (None: the environment variable DIFFUSION_DATA, or ~/.cache/diffusion_lib).
    train: the training part, or the test part. A folder has no test part: `split` it.
    without: combinations that `shapes` holds out, such as [("red", "star")].

    Raises ValueError for an unknown name or an option out of its limits, ConnectionError or FileNotFoundError
    for data that cannot be had; the message says what was tried and what works instead.
    Taught in notebooks 00 and 05.
    """
    folder = name.removeprefix("folder:") if name.startswith("folder:") else None
    if (folder is None and name not in NAMES) or name == "folder:PATH" or folder == "":
        raise ValueError(f"{name!r} is no data set: choose from {', '.join(NAMES)} (PATH is a folder of pictures)")
    is_points = name in points.NAMES
    _whole("count", count, least=1)
    _whole("size", size, least=16 if name == "shapes" else 1)
    if is_points and size is not None:
        raise ValueError(f"size={size}: {name} holds points, which have no size: leave it out")
    if without and name != "shapes":
        raise ValueError(f"without={without!r}: only shapes has combinations to hold out, not {name}: leave it out")
    if folder is not None and not train:
        raise ValueError(f"train=False: {name} has no test part: use load({name!r}).split(0.9)")

    if is_points:
        data = points.load_points(name, count=count or DRAWN, seed=seed, train=train)
    elif name == "digits":
        data = pictures.load_digits(size=size, count=count, seed=seed, train=train)
    elif name == "shapes":
        data = shapes.load_shapes(size=size or SIDE, count=count or DRAWN, seed=seed, train=train, without=without)
    elif folder is not None:
        data = pictures.load_folder(folder, size=size or SIDE, count=count, seed=seed)
    else:
        place = Path(root or os.environ.get("DIFFUSION_DATA") or "~/.cache/diffusion_lib").expanduser()
        data = pictures.load_torchvision(
            name, size=size, count=count, seed=seed, root=place, train=train, download=download
        )
    given = {
        "size": (size, None),
        "count": (count, None),
        "seed": (seed, 0),
        "root": (root and str(root), None),
        "train": (train, True),
        "download": (download, True),
        "without": (list(without), []),
    }
    options = "".join(f", {option}={value!r}" for option, (value, usual) in given.items() if value != usual)
    return dataclasses.replace(data, recipe=f"load({name!r}{options})")


def _whole(option: str, value: int | None, *, least: int) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
        raise ValueError(f"{option}={value!r} must be a whole number of at least {least}")
