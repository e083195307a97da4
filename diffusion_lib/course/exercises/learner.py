"""What a learner calls: `check`, `hint`, and `yours`, by which a notebook goes on with what they wrote."""

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
    _right.pop(id, None)
    if verdict.state == "right":
        _right[id] = function
    if verdict.printed:
        print_safely(verdict.printed.rstrip("\n"))
    if verdict.state != "right" and grading():
        raise AssertionError(verdict.line)
    show(verdict.line, verdict.state)


def yours(id: str) -> Callable | None:
    """The learner's function, where its last check in this kernel said that it is right; None otherwise.

    A notebook goes on with it, or with ours: `betas_of = yours("1.4") or ours`. The solution's cell, which defines a
    function of the same name, does not come between. Raises `ValueError` where there is no such exercise.
    """
    return _right.get(find(id).id)


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
_right: dict[str, Callable] = {}  # by exercise, the function that was right in its last check


def grading() -> bool:
    """Whether nbgrader executes this notebook, or `DIFFUSION_EXERCISES=strict` is set."""
    return bool(os.environ.get("NBGRADER_EXECUTION")) or os.environ.get("DIFFUSION_EXERCISES") == "strict"
