"""What an exercise is: data. Its exact answer, its random inputs, its catalogue of mistakes, its three hints."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Mistake:
    """A well-known wrong answer: a function with the reference's arguments, and what it confuses."""

    answer: Callable
    sentence: str


@dataclass(frozen=True)
class Property:
    """Something true of every right answer: `holds(arguments, answer)`, and the sentence when it is not."""

    holds: Callable[[tuple, Any], bool]
    sentence: str


@dataclass(frozen=True)
class Exercise:
    """One exercise: its exact answer, its inputs, its catalogue of mistakes and its three hints.

    `reference(*inputs(generator))` is the answer; a tuple of tensors if `returns` names more than one thing.
    `tolerance` is relative to the size of each number plus, unless `each_number`, the root mean square of them all.
    `exact=False` says that many answers are right: then the properties alone decide.
    `observe(arguments, result)` gives what is compared where a function works by changing its arguments, those that
    `changes` names; `remark(arguments)` may then say what was wrong in how they were used.
    `edges` are inputs at the ends of what is allowed (timestep 1, a batch of one, …): all of them are drawn.
    `linear` names arguments of one shape: a right answer of that shape is a sum of them, each times one number.
    """

    id: str
    title: str
    reference: Callable
    inputs: Callable[[torch.Generator], tuple]
    mistakes: tuple[Mistake, ...]
    hints: tuple[str, str, str]
    properties: tuple[Property, ...] = ()
    returns: tuple[str, ...] = ("answer",)
    tolerance: float = 1e-5
    each_number: bool = False
    exact: bool = True
    observe: Callable[[tuple, Any], Any] | None = None
    changes: tuple[str, ...] = ()
    remark: Callable[[tuple], str | None] | None = None
    edges: tuple[Callable[[torch.Generator], tuple], ...] = ()
    linear: tuple[str, ...] = ()

    @property
    def arguments(self) -> tuple[str, ...]:
        """The names of the function's arguments."""
        return tuple(inspect.signature(self.reference).parameters)
