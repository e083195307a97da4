"""What is wrong with numbers that are not right, from the most to the least telling.

First the catalogued mistake that gives these numbers; then broken rules of form (random numbers, shape, inputs changed
in place, NaN); then one slip in the right formula (`variants.py`) or a wrong factor (`factors.py`); then the
exercise's own rules; at last what the wrong numbers share.
"""

from torch import Tensor

from .attempt import TIMES, Answer, Attempt, in_words
from .draws import Stopped, agree, draws, in_float64
from .exercise import Exercise
from .factors import wrong_factors
from .shared import fine_parts, shared
from .variants import differs, variant_answer, variants

LEAST = 3  # draws that a mistake must explain before the one at which it stops


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
    return (
        _slip(attempt)
        or _factor(attempt, telling=True)
        or _broken_rule(attempt)
        or shared(attempt, _factor(attempt, telling=False))
    )


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
            return f"{fine_parts(attempt, part)}Your {whose} of the right formula with {either}."
    return None


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
