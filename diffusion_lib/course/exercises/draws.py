"""Random inputs to an exercise, the exact answers to them, and when two answers are equal.

The draws are seeded by the exercise's number, so everyone gets the same verdict. Answers are computed in float64.
Random draws come first, then those at the edges of what is allowed, then more random ones until every catalogued
mistake differs, on at least one of them, from the exact answer and from every other mistake.
"""

import functools
import numbers
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .exercise import Exercise

DRAWS = 12  # random inputs a check starts with, before those at the edges
MOST_DRAWS = 96  # and may grow to, until all mistakes are told apart
APART = 30.0  # two answers are different when they are this many tolerances apart


@dataclass(frozen=True)
class Draw:
    """One random input, by its seed, with the exact answer to it and what each mistake would answer."""

    arguments: Callable[[], tuple]
    answer: tuple
    mistakes: tuple


@dataclass(frozen=True)
class Stopped:
    """Stands for the answer of a mistake that raises an exception on a draw; equal to no answer."""

    name: str


@functools.cache
def draws(exercise: Exercise) -> tuple[Draw, ...]:
    """Enough random inputs to tell all mistakes from the exact answer and from each other."""
    first_seed = zlib.crc32(exercise.id.encode())
    drawn: list[Draw] = []
    together: set[tuple[int, int]] = set()  # pairs of answers that no draw has told apart yet; 0 is the exact one
    least = DRAWS + len(exercise.edges)
    with torch.random.fork_rng(devices=[]), _defaults():
        while len(drawn) < least or (together and len(drawn) < MOST_DRAWS):
            inputs = exercise.edges[len(drawn) - DRAWS] if DRAWS <= len(drawn) < least else exercise.inputs
            arguments = functools.partial(draw_arguments, inputs, first_seed + len(drawn))
            draw = Draw(
                arguments,
                exact_answer(exercise, exercise.reference, arguments()),
                tuple(answer_or_stop(exercise, mistake.answer, arguments()) for mistake in exercise.mistakes),
            )
            answers = (draw.answer, *draw.mistakes)
            if not drawn:
                together = {(i, j) for j in range(len(answers)) for i in range(j)}
                if not exercise.exact:  # then the properties tell right from wrong
                    together = {(i, j) for i, j in together if i > 0}
            together = {(i, j) for i, j in together if agree(exercise, answers[i], answers[j], APART)}
            drawn.append(draw)
    if together:
        raise RuntimeError(f"exercise {exercise.id}: no draw tells apart the answers {sorted(together)} (0 is right)")
    return tuple(drawn)


@contextmanager
def _defaults() -> Iterator[None]:
    """Torch as it is when freshly imported, whatever the notebook has set."""
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        here = nullcontext() if torch.get_default_device().type == "cpu" else torch.device("cpu")  # which is slow
        with here, torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        torch.set_default_dtype(dtype)


def draw_arguments(inputs: Callable[[torch.Generator], tuple], seed: int) -> tuple:
    """The function's arguments, drawn with this seed."""
    with _defaults():
        return inputs(torch.Generator().manual_seed(seed))


def exact_answer(exercise: Exercise, function: Callable, arguments: tuple) -> tuple:
    """Evaluate in float64, as a tuple of tensors (or of whatever else a mistake returns)."""
    arguments = tuple(in_float64(argument) for argument in arguments)
    return parts_of(exercise, arguments, function(*arguments))


def answer_or_stop(exercise: Exercise, function: Callable, arguments: tuple) -> tuple:
    """The same for a function that may raise: then the answer is one `Stopped`."""
    try:
        return exact_answer(exercise, function, arguments)
    except Exception as error:
        return (Stopped(type(error).__name__),)


def in_float64(value: Any) -> Any:
    """The argument with its numbers in float64."""
    if isinstance(value, Tensor):
        return value.double() if value.is_floating_point() else value
    if isinstance(value, torch.nn.Module):
        return value.double()
    if isinstance(value, list | tuple):
        return type(value)(in_float64(item) for item in value)
    return value


def parts_of(exercise: Exercise, arguments: tuple, result: Any) -> tuple:
    """What is compared: the parts of the result, copied so that later calls cannot change them."""
    if exercise.observe is not None and result is not None and result is not Ellipsis:
        result = exercise.observe(arguments, result)
    parts = result if isinstance(result, list | tuple) and len(exercise.returns) > 1 else (result,)
    return tuple(_copy(part) for part in parts)


def _copy(part: Any) -> Any:
    if isinstance(part, Tensor) and part.layout is torch.strided and part.device.type != "meta":
        part = part.detach().cpu()
        return part.double() if part.dtype == torch.float32 else part.clone()
    if isinstance(part, numbers.Real) and not isinstance(part, bool):
        return torch.tensor(float(part), dtype=torch.float64)
    return part


def agree(exercise: Exercise, ours: tuple, theirs: tuple, times: float = 1.0) -> bool:
    """Whether two answers are equal up to `times` the tolerance; NaN and infinity equal themselves."""
    return len(ours) == len(theirs) and all(close(exercise, a, b, times) for a, b in zip(ours, theirs, strict=True))


def close(exercise: Exercise, exact: Any, other: Any, times: float) -> bool:
    """Whether two parts of answers are tensors of one shape, equal up to `times` the tolerance."""
    if not (isinstance(exact, Tensor) and isinstance(other, Tensor)):
        return False
    if exact.shape != other.shape:
        return False
    exact, other = exact.double(), other.double()
    return bool(torch.all(_distance(exercise, exact, other) <= times))


def _distance(exercise: Exercise, exact: Tensor, other: Tensor) -> Tensor:
    """Elementwise distance in tolerances; 0 where both are the same infinity or both NaN."""
    finite = exact[exact.isfinite()]
    size = exact.abs()
    if not exercise.each_number and finite.numel():
        size = size + finite.square().mean().sqrt()
    same = (exact == other) | (exact.isnan() & other.isnan())
    distance = (other - exact).abs() / (exercise.tolerance * size).clamp_min(1e-30)
    return torch.where(same, 0.0, distance.nan_to_num(nan=torch.inf))
