"""Wrong answers that follow from the right formula by one slip: sigma² for sigma, i - 1 for i, a clip, a swap, …

They belong to no exercise: each is the exercise's own reference with one argument changed, two arguments exchanged, or
the result changed. So the sentence, "your numbers are those of the right formula with …", holds whatever was written.
"""

import functools
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .draws import APART, agree, answer_or_stop, draws, in_float64
from .exercise import Exercise


@dataclass(frozen=True)
class Variant:
    """A function that makes one slip, and the slip in words: what stands after "the right formula with"."""

    answer: Callable
    words: str


@functools.cache
def variants(exercise: Exercise) -> tuple[Variant, ...]:
    """All slips that make sense for the exercise's arguments and results."""
    changed = [
        Variant(_with_argument(exercise, place, change), words)
        for place, (name, value) in enumerate(zip(exercise.arguments, draws(exercise)[0].arguments(), strict=True))
        for words, change in _changes(name, in_float64(value))
    ]
    return (*_results(exercise), *changed, *_exchanged(exercise))


@functools.cache
def differs(exercise: Exercise, number: int) -> bool:
    """Whether a variant is wrong: on some draw it is far from the exact answer, or stops."""
    return any(
        not agree(exercise, draw.answer, variant_answer(exercise, number, place), APART)
        for place, draw in enumerate(draws(exercise))
    )


@functools.lru_cache(maxsize=4096)
def variant_answer(exercise: Exercise, number: int, draw: int) -> tuple:
    """What a variant answers to a draw; one `Stopped` where it raises."""
    return answer_or_stop(exercise, variants(exercise)[number].answer, draws(exercise)[draw].arguments())


def _with_argument(exercise: Exercise, place: int, change: Callable) -> Callable:
    def answer(*arguments):
        return exercise.reference(*arguments[:place], change(arguments[place]), *arguments[place + 1 :])

    return answer


def _changes(name: str, value: Any) -> Iterator[tuple[str, Callable]]:
    """The slips with one argument, from its value in one draw."""
    if isinstance(value, bool):
        return
    if isinstance(value, int) or (isinstance(value, Tensor) and not value.is_floating_point()):
        yield f"{name} - 1 where {name} belongs", lambda x: x - 1
        yield f"{name} + 1 where {name} belongs", lambda x: x + 1
        yield f"-{name} where {name} belongs", lambda x: -x
    elif isinstance(value, float) or (isinstance(value, Tensor) and value.ndim == 0):
        yield from _factor_changes(name)
    elif isinstance(value, Tensor):
        yield from _tensor_changes(name)
        if value.numel() == len(value):  # a table, or one number for each picture
            yield from _factor_changes(name)
        if value.ndim == 1:
            yield f"{name} in reverse order", lambda x: x.flip(0)
            yield f"the product of the first i entries of {name} where entry i belongs", lambda x: x.cumprod(0)
            yield f"the sum of the first i entries of {name} where entry i belongs", lambda x: x.cumsum(0)
    if isinstance(value, Tensor) and value.ndim:
        yield f"the first entry of {name} for the whole batch", lambda x: x[:1].expand_as(x)
        yield f"the last entry of {name} for the whole batch", lambda x: x[-1:].expand_as(x)


def _factor_changes(name: str) -> Iterator[tuple[str, Callable]]:
    """The slips with a number that multiplies or divides."""
    yield f"{name}² where {name} belongs", lambda x: x * x
    yield f"the square root of {name} where {name} belongs", lambda x: abs(x) ** 0.5
    yield f"1 - {name} where {name} belongs", lambda x: 1 - x
    yield f"sqrt(1 - {name}²) where {name} belongs", lambda x: abs(1 - x * x) ** 0.5
    yield f"1 / {name} where {name} belongs", lambda x: 1 / x if isinstance(x, Tensor) or x else float("inf")
    yield f"1 where {name} belongs", lambda x: 0 * x + 1
    yield f"0 where {name} belongs", lambda x: 0 * x
    yield f"-{name} where {name} belongs", lambda x: -x
    yield f"2 {name} where {name} belongs", lambda x: 2 * x
    yield f"half of {name} where {name} belongs", lambda x: x / 2


def _tensor_changes(name: str) -> Iterator[tuple[str, Callable]]:
    """The slips with many numbers."""
    yield f"{name} clipped to [-1, 1]: numbers beyond it count as well", lambda x: x.clamp(-1, 1)
    yield f"{name} clipped to [0, 1]: numbers beyond it count as well", lambda x: x.clamp(0, 1)
    yield f"the negative numbers of {name} set to 0", lambda x: x.clamp_min(0)
    yield f"the absolute value of {name}", lambda x: x.abs()
    yield f"-{name} where {name} belongs", lambda x: -x
    yield f"{name} left out", lambda x: 0 * x
    yield f"{name}² where {name} belongs", lambda x: x * x
    yield f"the batch's mean of {name} for each of it", lambda x: x.mean(0, keepdim=True).expand_as(x)
    yield f"the mean of all of {name} where {name} belongs", lambda x: x.mean().expand_as(x)
    yield f"{name} shifted by one place", lambda x: x.roll(1, 0)


def _exchanged(exercise: Exercise) -> Iterator[Variant]:
    """Two arguments of one kind in each other's places."""
    values = [in_float64(value) for value in draws(exercise)[0].arguments()]
    for i, j in itertools.combinations(range(len(values)), 2):
        if _alike(values[i], values[j]):

            def answer(*arguments, i=i, j=j):
                swapped = list(arguments)
                swapped[i], swapped[j] = arguments[j], arguments[i]
                return exercise.reference(*swapped)

            first, second = exercise.arguments[i], exercise.arguments[j]
            yield Variant(answer, f"{first} and {second} in each other's places")


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.shape == other.shape and one.dtype == other.dtype
    return type(one) is type(other) and isinstance(one, int | float)


_RESULT_CHANGES: tuple[tuple[str, Callable], ...] = (
    ("its sign changed at the end", lambda y: -y),
    ("its result clipped to [-1, 1]: numbers beyond it are part of the answer", lambda y: y.clamp(-1, 1)),
    ("its result clipped to [0, 1]: numbers beyond it are part of the answer", lambda y: y.clamp(0, 1)),
    ("the negative numbers of its result set to 0", lambda y: y.clamp_min(0)),
    ("the absolute value taken at the end", lambda y: y.abs()),
    ("its result squared", lambda y: y * y),
    ("the square root of its result taken", lambda y: y.abs().sqrt()),
    ("its result doubled", lambda y: 2 * y),
    ("its result halved", lambda y: y / 2),
    ("the logarithm of its result taken", lambda y: y.log()),
    ("the exponential of its result taken", lambda y: y.exp()),
    ("1 divided by its result", lambda y: 1 / y),
    ("its result taken from 1", lambda y: 1 - y),
    ("1 added to its result", lambda y: y + 1),
    ("1 taken from its result", lambda y: y - 1),
    ("its result in reverse order", lambda y: y.flip(0) if y.ndim else y),
    ("its result shifted by one place", lambda y: y.roll(1, 0) if y.ndim else y),
    ("its result sorted", lambda y: y.sort(0).values if y.ndim else y),
    ("its result summed up from the first entry on", lambda y: y.cumsum(0) if y.ndim else y),
    ("its result multiplied up from the first entry on", lambda y: y.cumprod(0) if y.ndim else y),
    ("the mean of its whole result everywhere", lambda y: y.mean().expand_as(y)),
    ("one result, the batch's mean, for all", lambda y: y.mean(0, keepdim=True).expand_as(y) if y.ndim else y),
    ("the first result for the whole batch", lambda y: y[:1].expand_as(y) if y.ndim else y),
    ("its result divided by how many it is", lambda y: y / max(len(y), 1) if y.ndim else y),
)


def _results(exercise: Exercise) -> Iterator[Variant]:
    """The right formula, and something done to its result that should not be."""
    if exercise.observe is not None:
        return
    for words, change in _RESULT_CHANGES:

        def answer(*arguments, change=change):
            result = exercise.reference(*arguments)
            if isinstance(result, tuple):
                return tuple(change(torch.as_tensor(part)) for part in result)
            return change(result)

        yield Variant(answer, words)
