"""What a learner calls: `check`, `hint` and `use`."""

import os
from collections.abc import Callable

from .catalogue import find
from .display import print_safely, show
from .verdicts import judge


def check(id: str, function: Callable) -> None:
    """Run your function against the exact answer and show one verdict; under nbgrader, raise if it is not right.

    Raises `ValueError` where there is no such exercise. Taught in notebook 00.
    """
    verdict = judge(find(id), function)
    if verdict.printed:
        print_safely(verdict.printed.rstrip("\n"))
    if verdict.state != "right" and grading():
        raise AssertionError(verdict.line)
    show(verdict.line, verdict.state)


def use(id: str, function: Callable) -> Callable:
    """Your function if its check passes, else the course's own, and one line that says which: for what comes next.

    So a notebook runs from top to bottom before anything is solved, and draws with what you wrote as soon as it is
    right. Raises `ValueError` where there is no such exercise. Taught in notebook 00.
    """
    exercise = find(id)
    if judge(exercise, function).state == "right":
        show(f"{id} — what follows uses your own function.", "right")
        return function
    show(f"{id} — not solved yet: what follows uses the course's function, until yours is right.", "hint")
    return exercise.reference


def hint(id: str) -> None:
    """Show the next of an exercise's three hints; raises `ValueError` where there is no such exercise.

    Taught in notebook 00.
    """
    exercise = find(id)
    tier = min(_hints_given.get(id, 0) + 1, len(exercise.hints))
    _hints_given[id] = tier
    last = "  (the last)" if tier == len(exercise.hints) else ""
    show(f"{id} — hint {tier} of {len(exercise.hints)}{last}: {exercise.hints[tier - 1]}", "hint")


_hints_given: dict[str, int] = {}


def grading() -> bool:
    """Whether nbgrader executes this notebook, or `DIFFUSION_EXERCISES=strict` is set."""
    return bool(os.environ.get("NBGRADER_EXECUTION")) or os.environ.get("DIFFUSION_EXERCISES") == "strict"
