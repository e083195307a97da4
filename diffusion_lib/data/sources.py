"""Where data come from: the register of data sets, and `load`, which fetches one by name.

A data set is one function that returns a `Dataset`, with one decorator above it. `load` hands it those of its own
options that the function has a parameter for, and refuses the others. Two parameters say more:

    generator   the function *draws* its examples, as many as `count` says, with random numbers from this generator;
                `load` makes the generator from `seed` and `train`, `Fresh` draws without end
    path        the name is followed by a path, as in "folder:PATH"

So this is a new data set of points, complete::

    @DATASETS.register
    def line(count, generator):
        return Dataset("line", torch.randn(count, 1, generator=generator))
"""

import dataclasses
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path

from ..registry import Registry
from .dataset import Dataset, seeded

DATASETS: Registry[Callable[..., Dataset]] = Registry("data set")
DRAWN = 10_000  # examples where the number is free
HARMLESS = ("root", "download")  # a set that needs no download ignores where it would be kept


def load(
    name: str,
    *,
    size: int | None = None,
    count: int | None = None,
    seed: int = 0,
    root: str | Path | None = None,
    train: bool = True,
    download: bool = True,
    full: bool = False,
    without: Sequence[Sequence[str]] = (),
) -> Dataset:
    """A data set by name, one of `data.NAMES`: the same examples for the same arguments.

    size: side of the pictures in pixels (their own if None; 32 for shapes and folders).
    count: how many examples (None: all, or 10 000 where they are drawn); real pictures are chosen by `seed`.
    root: where downloads are kept (None: the environment variable DIFFUSION_DATA, or ~/.cache/diffusion_lib).
    train: the training part, or the test part. A folder has no test part: `split` it.
    download: whether the network may be used.
    full: all 70 000 pictures of mnist, downloaded, in place of the 10 000 that come with the course.
    without: combinations that `shapes` holds out, such as [("red", "star")].

    Raises ValueError for an unknown name or an option out of its limits, ConnectionError or FileNotFoundError
    for data that cannot be had; the message says what was tried and what works instead.
    Taught in notebooks 00 and 05.
    """
    make, arguments = find(name)
    given = {
        "size": size,
        "count": count,
        "seed": seed,
        "root": None if root is None else str(root),
        "train": train,
        "download": download,
        "full": full,
        "without": list(without) or (),
    }
    given = {option: value for option, value in given.items() if value != load.__kwdefaults__[option]}
    check_options(name, given)
    drawn = {"count": given.get("count", DRAWN), "generator": seeded(seed, train=train)}
    available = {**given, **drawn} if is_drawn(make) else given
    parameters = inspect.signature(make).parameters
    data = make(*arguments, **{option: value for option, value in available.items() if option in parameters})
    return dataclasses.replace(data, recipe=f"load({', '.join([repr(name), *_assignments(given)])})")


def names() -> tuple[str, ...]:
    """What `load` can be asked for: the registered names, with ":PATH" where a path follows."""
    return tuple(f"{name}:PATH" if _has(make, "path") else name for name, make in DATASETS.items())


def find(name: str) -> tuple[Callable[..., Dataset], list[str]]:
    """The function behind a name, and its positional arguments: ["cats"] for "folder:cats", else none.

    Raises ValueError for an unknown name; the message lists those there are.
    """
    kind, colon, path = name.partition(":")
    make = DATASETS.get(kind)
    if make is None or _has(make, "path") != bool(colon) or (colon and path in ("", "PATH")):
        raise ValueError(f"{name!r} is no data set: choose from {', '.join(names())} (PATH is a folder of pictures)")
    return make, [path] if colon else []


def options(name: str) -> tuple[str, ...]:
    """Which options of `load` this data set takes."""
    make, _ = find(name)
    return tuple(
        option
        for option in load.__kwdefaults__
        if _has(make, option) or (is_drawn(make) and option in ("count", "seed", "train"))
    )


def is_drawn(make: Callable[..., Dataset]) -> bool:
    """Whether the function of a data set draws its examples, as many as one likes."""
    return _has(make, "generator")


def check_options(name: str, given: dict) -> None:
    """Raise ValueError if an option is not one of this data set's, or no whole number where it must be one."""
    for option, value in given.items():
        if option in ("size", "count") and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise ValueError(f"{option}={value!r} must be a whole number of at least 1")
        if option == "train" and option not in options(name):
            raise ValueError(f"train={value!r}: {name} has no test part: use load({name!r}).split(0.9)")
        if option not in (*options(name), *HARMLESS):
            raise ValueError(
                f"{option}={value!r}: {name} has no such option, only {', '.join(options(name))}: leave it out"
            )


def _has(make: Callable, parameter: str) -> bool:
    return parameter in inspect.signature(make).parameters


def _assignments(given: dict) -> list[str]:
    return [f"{option}={value!r}" for option, value in given.items()]
