"""What a learner calls: `check`, `hint` and `use`."""

import os
from collections.abc import Callable

from .. import progress
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
    _record(id, verdict.state)
    show(verdict.line, verdict.state)


def use(id: str) -> Callable:
    """Your function if its last check found it right, else the course's own; one line says which: for what comes next.

    So a notebook runs from top to bottom before anything is solved, and draws with what you wrote as soon as it is
    right. The solution's cell, which may define a function of the same name, does not come between. Raises `ValueError`
    where there is no such exercise. Taught in notebook 00.
    """
    exercise = find(id)
    if id in _right:
        show(f"{id} — what follows uses your own function.", "right")
        return _right[id]
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


def _record(id: str, state: str) -> None:
    """Keep that an exercise was tried, or is right, on the learner's own machine; each is kept once by this kernel."""
    if state != "not attempted" and not grading() and _recorded.get(id) != state:
        _recorded[id] = state
        progress.record("exercise", id, {"state": state})


_hints_given: dict[str, int] = {}
_recorded: dict[str, str] = {}  # by exercise, the state that was recorded last
_right: dict[str, Callable] = {}  # by exercise, the function that was right in its last check


def grading() -> bool:
    """Whether nbgrader executes this notebook, or `DIFFUSION_EXERCISES=strict` is set."""
    return bool(os.environ.get("NBGRADER_EXECUTION")) or os.environ.get("DIFFUSION_EXERCISES") == "strict"
