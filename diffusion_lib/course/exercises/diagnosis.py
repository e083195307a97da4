"""What is wrong with numbers that are not right: the catalogued mistake that gives them, or else what they share."""

import numbers
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from .draws import agree, close, draws, in_float64
from .exercise import Exercise


@dataclass(frozen=True)
class Answer:
    """What the learner's function made of one draw: its parts, which inputs it changed, and the result itself."""

    parts: tuple
    changed: tuple[str, ...]
    result: Any


def wrong_numbers(exercise: Exercise, answers: list[Answer], drew_random_numbers: bool) -> str | None:
    """The sentence for numbers that are not right, from the most to the least telling; None where all are right.

    `answers` holds one for each draw, and at its end a second one for the first draw.
    """
    known, answers, again = draws(exercise), answers[:-1], answers[-1]
    right = [agree(exercise, draw.answer, answer.parts) for draw, answer in zip(known, answers, strict=True)]
    if exercise.exact and all(right):
        return None
    if sentence := _catalogued(exercise, answers):
        return sentence
    if not agree(exercise, answers[0].parts, again.parts):
        if drew_random_numbers:
            return "Your function draws random numbers of its own; all the randomness it needs is handed to it."
        return "Called twice with the same input, your function answers differently: let nothing outside it matter."
    if sentence := _wrong_shape(exercise, answers):
        return sentence
    if drew_random_numbers:
        return "Your function draws random numbers of its own; all the randomness it needs is handed to it."
    if sentence := changed_input(answers, "You"):
        return sentence
    for answer, draw in zip(answers, known, strict=True):
        if not all(part.isfinite().all() for part in answer.parts):
            where = in_words(exercise, draw.arguments(), shapes=False)
            return f"There is a NaN or an infinity in your answer{f' for {where}' if where else ''}: look for 0/0."
    for rule in exercise.properties:
        for answer, draw in zip(answers, known, strict=True):
            value = answer.parts if len(exercise.returns) > 1 else answer.parts[0]
            if not rule.holds(tuple(in_float64(argument) for argument in draw.arguments()), value):
                return rule.sentence
    return _uncatalogued(exercise, answers, right) if exercise.exact else None


def _catalogued(exercise: Exercise, answers: list[Answer]) -> str | None:
    """The mistake whose numbers these are, as a whole or in one part, on every draw."""
    known = draws(exercise)
    for number, mistake in enumerate(exercise.mistakes):
        if all(
            agree(exercise, draw.mistakes[number], answer.parts, 3.0)
            for draw, answer in zip(known, answers, strict=True)
        ):
            return mistake.sentence
    for part in range(len(exercise.returns)):
        pairs = [(draw, answer.parts[part : part + 1]) for draw, answer in zip(known, answers, strict=True)]
        if all(agree(exercise, draw.answer[part : part + 1], learners) for draw, learners in pairs):
            continue
        for number, mistake in enumerate(exercise.mistakes):
            if all(agree(exercise, draw.mistakes[number][part : part + 1], learners, 3.0) for draw, learners in pairs):
                return mistake.sentence
    return None


def _wrong_shape(exercise: Exercise, answers: list[Answer]) -> str | None:
    for answer, draw in zip(answers, draws(exercise), strict=True):
        for name, part, exact in zip(exercise.returns, answer.parts, draw.answer, strict=True):
            if part.shape != exact.shape:
                whose = "Your answer" if len(exercise.returns) == 1 else f"Your {name}"
                verb = "has" if part.ndim else "is"
                return f"{whose} {verb} {_shape(part)} where {_shape(exact)} is wanted."
    return None


def _shape(tensor: Tensor) -> str:
    return f"shape {tuple(tensor.shape)}" if tensor.ndim else "a single number"


def changed_input(answers: list[Answer], who: str) -> str | None:
    """The sentence for a function that changed its inputs, which begins with `who`; None if it did not."""
    names = next((answer.changed for answer in answers if answer.changed), ())
    if not names:
        return None
    return f"{who} changed {names[0]} in place; the caller still needs it. Write y = x * a, not x *= a or x[0] = a."


def _uncatalogued(exercise: Exercise, answers: list[Answer], right: list[bool]) -> str:
    """A sentence for wrong numbers that nothing in the catalogue explains."""
    known = draws(exercise)
    wrong = [
        part
        for part in range(len(exercise.returns))
        if not all(
            agree(exercise, draw.answer[part : part + 1], answer.parts[part : part + 1])
            for draw, answer in zip(known, answers, strict=True)
        )
    ]
    fine = [name for part, name in enumerate(exercise.returns) if part not in wrong]
    start = f"The {' and the '.join(fine)} is right. " if fine else ""
    name = exercise.returns[wrong[0]]
    pairs = [(draw.answer[wrong[0]], answer.parts[wrong[0]]) for draw, answer in zip(known, answers, strict=True)]
    helps = f'hint("{exercise.id}") helps.'

    if all(close(exercise, -exact, learners, 3.0) for exact, learners in pairs):
        return f"{start}The {name} has the wrong sign everywhere."
    if any(right):
        where = in_words(exercise, known[right.index(False)].arguments(), shapes=False)
        case = f", not for {where}" if where else ""
        return f"{start}The {name} is right for {sum(right)} of {len(right)} random inputs{case}. {helps}"
    if all(
        exact.numel() > 2 and close(exercise, exact * _factor(exact, learners), learners, 3.0)
        for exact, learners in pairs
    ):
        return f"{start}The {name} is right up to one factor that all its numbers share. {helps}"
    if all(
        exact.numel() > 2 and close(exercise, exact + (learners - exact).mean(), learners, 3.0)
        for exact, learners in pairs
    ):
        return f"{start}The {name} is right up to one number added everywhere. {helps}"
    for place, rest in (("first", slice(1, None)), ("last", slice(None, -1))):
        if all(
            exact.ndim and len(exact) > 1 and close(exercise, exact[rest], learners[rest], 1.0)
            for exact, learners in pairs
        ):
            return f"{start}Of the {name}, only the {place} entry is wrong. {helps}"
    return f"{start}The {name} has the right shape, but not the right numbers. {helps}"


def _factor(exact: Tensor, learners: Tensor) -> Tensor:
    return (exact * learners).sum() / exact.square().sum()


def in_words(exercise: Exercise, arguments: tuple, shapes: bool = True) -> str:
    """The arguments in words: numbers by value, and with `shapes` also tensors, by their shape."""
    words = []
    for name, value in zip(exercise.arguments, arguments, strict=True):
        if isinstance(value, numbers.Number):
            words.append(f"{name} = {value:.4g}")
        elif isinstance(value, Tensor) and value.ndim == 0:
            words.append(f"{name} = {value.item():.4g}")
        elif isinstance(value, Tensor) and shapes:
            words.append(f"{name} of shape {tuple(value.shape)}")
        elif shapes:
            words.append(f"{name} a {type(value).__name__}")
    return ", ".join(words)
