"""Where the exercises are listed: each one that a file `nbNN.py` beside this one defines, NN the notebook.

So a new exercise is one definition in one file, and a new notebook's exercises are one new file.
"""

import functools
import importlib
import importlib.util
import pkgutil
import re
from pathlib import Path

from .exercise import Exercise
from .written_tests import TestExercise


def notebooks() -> tuple[int, ...]:
    """The numbers of the notebooks that have exercises, in order."""
    files = pkgutil.iter_modules([str(Path(__file__).parent)])
    return tuple(sorted(int(file.name[2:]) for file in files if re.fullmatch(r"nb\d\d", file.name)))


@functools.cache
def catalogue(notebook: int) -> dict[str, Exercise | TestExercise]:
    """The exercises of one notebook by number, in the order of their definition; empty where it has none.

    Raises `ValueError` where two exercises have one number.
    """
    name = f"{__package__}.nb{notebook:02d}"
    if importlib.util.find_spec(name) is None:
        return {}
    exercises: dict[str, Exercise | TestExercise] = {}
    for exercise in vars(importlib.import_module(name)).values():
        if not isinstance(exercise, Exercise | TestExercise):
            continue
        if exercise.id in exercises:
            raise ValueError(f"{name} has two exercises {exercise.id!r}: give one of them another number")
        exercises[exercise.id] = exercise
    return exercises


def find(id: str) -> Exercise | TestExercise:
    """The exercise of that number; raises `ValueError`, which names the nearest ones, where there is none."""
    notebook, _, _ = str(id).partition(".")
    exercises = catalogue(int(notebook)) if notebook.isdecimal() else {}
    if not isinstance(id, str) or id not in exercises:
        remedy = (
            f"notebook {int(notebook):02d} has {', '.join(exercises)}" if exercises else "write it like check('2.1', f)"
        )
        raise ValueError(f"there is no exercise {id!r}: {remedy}")
    return exercises[id]
