"""What is wrong with numbers that are not right, from the most to the least telling.

First the catalogued mistake that gives these numbers; then broken rules of form (random numbers, shape, inputs changed
in place, NaN); then one slip in the right formula (`variants.py`) or a wrong factor (`factors.py`); then the
exercise's own rules; at last what the wrong numbers share.
"""

import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from .draws import Stopped, agree, close, draws, in_float64
from .exercise import Exercise
from .factors import wrong_factors
from .nonfinite import Origin, origin_of_nonfinite
from .variants import differs, variant_answer, variants

TIMES = 3.0  # a mistake is recognised within this many tolerances: catalogued ones are 30 apart
LEAST = 3  # draws that a mistake must explain before the one at which it stops


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


def wrong_numbers(attempt: Attempt, again: Answer, drew_random_numbers: bool) -> str | None:
    """The sentence for numbers that are not right; None where all are right. `again`: a second call on the first draw.

    Raises nothing of the learner's: the function is called again only where its NaN is traced.
    """
    exercise, answers = attempt.exercise, attempt.answers
    if exercise.exact and all(attempt.right()):
        return None
    if sentence := catalogued(attempt):
        return sentence
    if not agree(exercise, answers[0].parts, again.parts):
        if drew_random_numbers:
            return "Your function draws random numbers of its own; all the randomness it needs is handed to it."
        return "Called twice with the same input, your function answers differently: let nothing outside it matter."
    if sentence := _wrong_shape(attempt):
        return sentence
    if drew_random_numbers:
        return "Your function draws random numbers of its own; all the randomness it needs is handed to it."
    if sentence := changed_input(answers, "You"):
        return sentence
    if sentence := _nonfinite(attempt) or _remark(answers):
        return sentence
    if not exercise.exact:
        return _broken_rule(attempt)
    return _slip(attempt) or _factor(attempt, telling=True) or _broken_rule(attempt) or _shared(attempt)


def _remark(answers: list[Answer]) -> str | None:
    remarks = {answer.remark for answer in answers}
    return remarks.pop() if len(remarks) == 1 else None


# ---------------------------------------------------------------- the catalogue


def catalogued(attempt: Attempt) -> str | None:
    """The mistake whose numbers these are, as a whole or in one part, on every draw."""
    exercise, known = attempt.exercise, attempt.draws
    mistakes = range(len(exercise.mistakes))
    for number in mistakes:
        if attempt.matches([draw.mistakes[number] for draw in known]) and _is_seen(attempt, number):
            return exercise.mistakes[number].sentence
    if len(exercise.returns) == 1:
        return None
    wrong = [part for part in range(len(exercise.returns)) if not all(attempt.right(part))]
    for part in wrong:
        fits = []
        for number in mistakes:
            theirs = [draw.mistakes[number] for draw in known]
            if not attempt.matches(theirs, part):
                continue
            spoilt = [p for p in range(len(exercise.returns)) if not _part_is_right(exercise, known, number, p)]
            if set(spoilt) <= set(wrong):  # else the sentence speaks of a part that is right
                fits.append((spoilt != [part], exercise.mistakes[number].sentence))
        fits.sort(key=lambda fit: fit[0])  # a mistake in this part alone explains it best
        if len(fits) == 1 or (fits and fits[0][0] != fits[1][0]):
            return fits[0][1]
    return None


def _part_is_right(exercise: Exercise, known: tuple, number: int, part: int) -> bool:
    parts = slice(part, part + 1)
    return all(agree(exercise, draw.answer[parts], draw.mistakes[number][parts]) for draw in known)


def _is_seen(attempt: Attempt, number: int) -> bool:
    """Whether finite numbers show the mistake; if it is NaN that shows it, the same operation must have made it."""
    nonfinite = None
    for place, (draw, answer) in enumerate(zip(attempt.draws, attempt.answers, strict=True)):
        if agree(attempt.exercise, draw.answer, answer.parts, TIMES):
            continue
        for exact, learners in zip(draw.answer, answer.parts, strict=True):
            if exact.shape != learners.shape or (learners.isfinite() & ~learners.isclose(exact, rtol=1e-4)).any():
                return True
        nonfinite = place
    if nonfinite is None:
        return False
    origins = [attempt.origin(f, nonfinite) for f in (attempt.function, attempt.exercise.mistakes[number].answer)]
    return None not in origins and len({origin.what for origin in origins if origin}) == 1


def before_it_stopped(attempt: Attempt) -> str | None:
    """The mistake that explains the first answers and stops at the draw at which the learner's function stopped."""
    exercise, count = attempt.exercise, len(attempt.answers)
    if count < LEAST or count >= len(draws(exercise)) or all(attempt.right()):
        return None
    for number, mistake in enumerate(exercise.mistakes):
        stops = isinstance(draws(exercise)[count].mistakes[number][0], Stopped)
        if stops and attempt.matches([draw.mistakes[number] for draw in attempt.draws]):
            return mistake.sentence
    for number, variant in enumerate(variants(exercise)):
        if isinstance(variant_answer(exercise, number, count)[0], Stopped) and _is_variant(attempt, number):
            return f"Your numbers are those of the right formula with {variant.words}."
    return None


# ---------------------------------------------------------------- form


def _wrong_shape(attempt: Attempt) -> str | None:
    names = attempt.exercise.returns
    for answer, draw in zip(attempt.answers, attempt.draws, strict=True):
        for name, part, exact in zip(names, answer.parts, draw.answer, strict=True):
            if part.shape != exact.shape:
                whose = "Your answer" if len(names) == 1 else f"Your {name}"
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


def _nonfinite(attempt: Attempt) -> str | None:
    for place, (answer, draw) in enumerate(zip(attempt.answers, attempt.draws, strict=True)):
        if all(part.isfinite().all() for part in answer.parts):
            continue
        where = in_words(attempt.exercise, draw.arguments(), shapes=False)
        start = f"There is a NaN or an infinity in your answer{f' for {where}' if where else ''}"
        origin = attempt.origin(attempt.function, place)
        if origin is None:
            return f"{start}."
        line = f"in line {origin.line}, `{origin.source[:80]}`, " if origin.line and origin.source else ""
        return f"{start}: {line}{origin.what}."
    return None


# ---------------------------------------------------------------- slips, factors, rules


def _is_variant(attempt: Attempt, number: int, part: int | None = None) -> bool:
    """Whether a variant gives the learner's answers; it is computed draw by draw, until one does not fit."""
    parts = slice(None) if part is None else slice(part, part + 1)
    return all(
        agree(attempt.exercise, variant_answer(attempt.exercise, number, place)[parts], answer.parts[parts], TIMES)
        for place, answer in enumerate(attempt.answers)
    ) and differs(attempt.exercise, number)


def _slip(attempt: Attempt) -> str | None:
    """The one slip in the right formula that gives these numbers; two of them where two give the same."""
    exercise = attempt.exercise
    wrong = [part for part in range(len(exercise.returns)) if not all(attempt.right(part))]
    for part in (None, *(wrong if len(exercise.returns) > 1 else ())):
        words = [v.words for number, v in enumerate(variants(exercise)) if _is_variant(attempt, number, part)]
        if words:
            whose = "numbers are those" if part is None else f"{exercise.returns[part]} is that"
            words = list(dict.fromkeys(words))
            either = f"{words[0]} (or with {words[1]}, which comes to the same)" if len(words) > 1 else words[0]
            return f"{_fine(attempt, part)}Your {whose} of the right formula with {either}."
    return None


def _fine(attempt: Attempt, part: int | None) -> str:
    names = attempt.exercise.returns
    fine = [name for place, name in enumerate(names) if place != part and all(attempt.right(place))]
    return f"The {' and the '.join(fine)} is right. " if part is not None and fine else ""


def _factor(attempt: Attempt, telling: bool) -> str | None:
    exercise = attempt.exercise
    for part in range(len(exercise.returns)):
        right = attempt.right(part)
        if not exercise.linear or sum(right) > len(right) / 2:  # right but for some case: no factor is wrong as such
            continue
        factors = wrong_factors(exercise, part, attempt.draws, [answer.parts[part] for answer in attempt.answers])
        if factors is not None and (factors.telling or not telling):
            return factors.sentence
    return None


def _broken_rule(attempt: Attempt) -> str | None:
    exercise = attempt.exercise
    for rule in exercise.properties:
        for answer, draw in zip(attempt.answers, attempt.draws, strict=True):
            value = answer.parts if len(exercise.returns) > 1 else answer.parts[0]
            if not rule.holds(tuple(in_float64(argument) for argument in draw.arguments()), value):
                return rule.sentence
    return None


# ---------------------------------------------------------------- what wrong numbers share


def _shared(attempt: Attempt) -> str:
    """A sentence for wrong numbers that nothing else explains."""
    exercise = attempt.exercise
    part = next(part for part in range(len(exercise.returns)) if not all(attempt.right(part)))
    start, name = _fine(attempt, part), exercise.returns[part]
    right, helps = attempt.right(part), f'hint("{exercise.id}") helps.'
    if sum(right) > len(right) / 2 and (case := _case(attempt, right)):
        return f"{start}The {name} is right, but not for {case}: look at that case. {helps}"
    pairs = [  # where it is wrong: at the edges of what is allowed, nearly everything may be right
        (draw.answer[part], answer.parts[part])
        for draw, answer, fine in zip(attempt.draws, attempt.answers, right, strict=True)
        if not fine
    ]
    if limits := _clipped(exercise, pairs):
        return f"{start}The {name} is right, but clipped to {limits}: numbers beyond that are part of the answer."
    if _one_factor(exercise, pairs):
        return f"{start}The {name} is right up to one factor that all its numbers share. {helps}"
    if all(exact.numel() > 2 and close(exercise, exact + (own - exact).mean(), own, TIMES) for exact, own in pairs):
        return f"{start}The {name} is right up to one number added everywhere. {helps}"
    for place, rest in (("first", slice(1, None)), ("last", slice(None, -1))):
        several = [(exact, own) for exact, own in pairs if exact.ndim and len(exact) > 1]
        if several and all(close(exercise, exact[rest], own[rest], 1.0) for exact, own in several):
            return f"{start}Of the {name}, only the {place} entry is wrong. {helps}"
    if sum(right) > len(right) / 2:
        where = in_words(exercise, attempt.draws[right.index(False)].arguments(), shapes=False)
        case = f", not for {where}" if where else ""
        return f"{start}The {name} is right for {sum(right)} of {len(right)} random inputs{case}. {helps}"
    return f"{start}" + (
        _factor(attempt, telling=False) or f"The {name} has the right shape, but not the right numbers. {helps}"
    )


def _one_factor(exercise: Exercise, pairs: list[tuple[Tensor, Tensor]]) -> bool:
    """Whether each answer is the exact one times a number; times the same number, where the answers are numbers."""
    if all(exact.numel() > 2 for exact, _ in pairs):
        return all(close(exercise, exact * _ratio(exact, own), own, TIMES) for exact, own in pairs)
    ratio = _ratio(*pairs[0])
    return all(close(exercise, exact * ratio, own, TIMES) for exact, own in pairs) and len(pairs) > 2


def _ratio(exact: Tensor, learners: Tensor) -> Tensor:
    return (exact * learners).sum() / exact.square().sum()


def _clipped(exercise: Exercise, pairs: list[tuple[Tensor, Tensor]]) -> str | None:
    """The limits to which right answers were clipped, in words; None if that does not explain the wrong ones."""
    low = min(float(own.min()) for _, own in pairs)
    high = max(float(own.max()) for _, own in pairs)
    if low < high and all(close(exercise, exact.clamp(low, high), own, TIMES) for exact, own in pairs):
        below = any((exact < low - 1e-9).any() for exact, _ in pairs)
        above = any((exact > high + 1e-9).any() for exact, _ in pairs)
        return (
            f"[{low:.4g}, {high:.4g}]"
            if below and above
            else f"{high:.4g} from above"
            if above
            else f"{low:.4g} from below"
        )
    return None


def _case(attempt: Attempt, right: list[bool]) -> str | None:
    """What the wrong draws have in common and the right ones do not; None if there is no such thing."""
    features = [_features(attempt.exercise, draw.arguments()) for draw in attempt.draws]
    wrong = [have for have, fine in zip(features, right, strict=True) if not fine]
    fine = [have for have, is_right in zip(features, right, strict=True) if is_right]
    return next((f for f in wrong[0] if all(f in have for have in wrong) and not any(f in have for have in fine)), None)


def _features(exercise: Exercise, arguments: tuple) -> list[str]:
    """What can be said of an input: its numbers, each alone, and whether it is a batch of one."""
    features = [
        f"{name} = {float(value):.4g}"
        for name, value in zip(exercise.arguments, arguments, strict=True)
        if (isinstance(value, numbers.Number) or (isinstance(value, Tensor) and value.ndim == 0)) and _is_round(value)
    ]
    table = next((value for value in arguments if isinstance(value, Tensor) and value.ndim == 1), None)
    if table is not None:
        features += [
            f"{name} at the end of the table"
            for name, value in zip(exercise.arguments, arguments, strict=True)
            if isinstance(value, int) and value == len(table) - 1
        ]
    first = arguments[0]
    if isinstance(first, Tensor) and first.ndim and len(first) == 1:
        features.append("a batch of one" if first.ndim > 1 else "a single entry")
    return features


def _is_round(value: numbers.Number | Tensor) -> bool:
    """Whether a number is one that somebody chose, such as 3 or 0.05, not one that was drawn."""
    return abs(float(value) - float(f"{float(value):.2g}")) < 1e-6 or isinstance(value, int)


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
