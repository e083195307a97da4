"""What wrong numbers have in common when nothing else explains them: a case, a clip, a factor, one entry."""

import numbers

from torch import Tensor

from .attempt import TIMES, Attempt, in_words
from .draws import close
from .exercise import Exercise


def shared(attempt: Attempt, factors: str | None) -> str:
    """A sentence for wrong numbers that nothing else explains; `factors` is what their factors say, if anything."""
    exercise = attempt.exercise
    part = next(part for part in range(len(exercise.returns)) if not all(attempt.right(part)))
    start, name = fine_parts(attempt, part), exercise.returns[part]
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
    return f"{start}" + (factors or f"The {name} has the right shape, but not the right numbers. {helps}")


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
        below = not all(close(exercise, exact, exact.clamp_min(low), TIMES) for exact, _ in pairs)
        above = not all(close(exercise, exact, exact.clamp_max(high), TIMES) for exact, _ in pairs)
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


def fine_parts(attempt: Attempt, part: int | None) -> str:
    """The beginning of a sentence about one part: which other parts are right."""
    names = attempt.exercise.returns
    fine = [name for place, name in enumerate(names) if place != part and all(attempt.right(place))]
    return (
        f"The {' and the '.join(fine)} {'is' if len(fine) == 1 else 'are'} right. " if part is not None and fine else ""
    )
