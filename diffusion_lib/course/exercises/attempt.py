"""A learner's answers to the draws, as the diagnosis looks at them."""

import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from .draws import agree, draws
from .exercise import Exercise
from .nonfinite import Origin, origin_of_nonfinite

TIMES = 3.0  # a mistake is recognised within this many tolerances: catalogued ones are 30 apart


@dataclass(frozen=True)
class Answer:
    """What the learner's function made of one draw: its parts, which inputs it changed, and the result itself.

    `remark` says what was wrong in how it used its arguments, where the exercise can tell.
    """

    parts: tuple
    changed: tuple[str, ...]
    result: Any
    remark: str | None = None


@dataclass(frozen=True)
class Attempt:
    """A learner's function and its answers to the first draws, to all of them if it did not stop."""

    exercise: Exercise
    function: Callable
    answers: list[Answer]
    seconds: float

    @property
    def draws(self) -> tuple:
        """The draws that were answered."""
        return draws(self.exercise)[: len(self.answers)]

    def right(self, part: int | None = None) -> list[bool]:
        """For each draw, whether the answer is right; with `part`, whether that part of it is."""
        parts = slice(None) if part is None else slice(part, part + 1)
        return [
            agree(self.exercise, draw.answer[parts], answer.parts[parts])
            for draw, answer in zip(self.draws, self.answers, strict=True)
        ]

    def matches(self, wrong: list[tuple], part: int | None = None) -> bool:
        """Whether these answers, one for each draw, are the learner's."""
        parts = slice(None) if part is None else slice(part, part + 1)
        return all(
            agree(self.exercise, theirs[parts], answer.parts[parts], TIMES)
            for theirs, answer in zip(wrong, self.answers, strict=True)
        )

    def origin(self, function: Callable, draw: int) -> Origin | None:
        """Where the first NaN or infinity comes from when the function answers a draw."""
        return origin_of_nonfinite(function, draws(self.exercise)[draw].arguments, self.seconds)


def in_words(exercise: Exercise, arguments: tuple, shapes: bool = True) -> str:
    """The arguments in words: numbers by value, and with `shapes` also tensors, by their shape."""
    words = []
    for name, value in zip(exercise.arguments, arguments, strict=True):
        if isinstance(value, numbers.Number) or (isinstance(value, Tensor) and value.ndim == 0):
            words.append(f"{name} = {float(value):.4g}")
        elif isinstance(value, Tensor) and shapes:
            words.append(f"{name} of shape {tuple(value.shape)}")
        elif shapes:
            words.append(f"{name} a {type(value).__name__}")
    return ", ".join(words)
