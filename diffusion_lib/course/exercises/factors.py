"""What multiplies what: a wrong answer to a linear exercise as a sum of its inputs, each times a factor.

x_t = alpha x_0 + sigma eps and most steps of the course are such sums. The factors of an answer are found by least
squares, picture by picture, and compared with those of the exact answer: which of them is wrong, and is it the square
of the right one, its root, its inverse, 1, 0, or the other one's?
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from .draws import Draw, in_float64
from .exercise import Exercise

SAME = 3e-4  # factors of float32 numbers are found to about 1e-6; those of different formulas are further apart


@dataclass(frozen=True)
class Factors:
    """What is known of the factors: a sentence, and whether it says how the wrong ones differ from the right ones."""

    sentence: str
    telling: bool


def wrong_factors(exercise: Exercise, part: int, draws: tuple[Draw, ...], answers: list[Tensor]) -> Factors | None:
    """What the factors in one part of the answers say; None where that part is no sum of inputs."""
    names = exercise.linear
    rows: list[Tensor] = []
    exact_rows: list[Tensor] = []
    for draw, answer in zip(draws, answers, strict=True):
        arguments = dict(zip(exercise.arguments, map(in_float64, draw.arguments()), strict=True))
        terms = [arguments[name] for name in names]
        if any(term.shape != draw.answer[part].shape for term in terms):
            return None
        exact, whole = _factors(terms, draw.answer[part], whole=None)
        learners, _ = _factors(terms, answer, whole=whole)
        if exact is None:  # fewer numbers than factors
            continue
        if learners is None:
            return _no_sum(exercise, part, names)
        rows.append(learners)
        exact_rows.append(exact)
    if not rows:
        return None
    mine, right = torch.cat(rows), torch.cat(exact_rows)
    wrong = [k for k in range(len(names)) if not _same(mine[:, k], right[:, k])]
    if not wrong:
        return None
    fine = [name for k, name in enumerate(names) if k not in wrong]
    relations = {k: _relation(k, names, mine, right) for k in wrong}
    whose = "Your answer" if len(exercise.returns) == 1 else f"Your {exercise.returns[part]}"
    start = f"{whose} is a sum of {_list(names)}, each times a factor. "
    if len(names) == 2 and len(wrong) == 2 and _same(mine[:, 0], right[:, 1]) and _same(mine[:, 1], right[:, 0]):
        return Factors(f"{start}The two factors have changed places.", True)
    if fine:
        start += f"The factor{'s' if len(fine) > 1 else ''} of {_list(fine)} {_is(fine)} right. "
    known = [f"that of {names[k]} {relation}" for k, relation in relations.items() if relation]
    unknown = [names[k] for k in wrong if not relations[k]]
    if not unknown:
        return Factors(f"{start}But {_list(known)}.", True)
    if fine:
        more = f", and {_list(known)}" if known else ""
        return Factors(f"{start}That of {_list(unknown)} {_is(unknown)} not{more}.", True)
    more = f": {_list(known)}" if known else ""
    return Factors(f"{start}None of them is right{more}.", bool(known))


def _list(words: list[str] | tuple[str, ...]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _is(words: list[str]) -> str:
    return "is" if len(words) == 1 else "are"


def _no_sum(exercise: Exercise, part: int, names: tuple[str, ...]) -> Factors:
    whose = "the answer" if len(exercise.returns) == 1 else f"the {exercise.returns[part]}"
    return Factors(
        f"Yours is no sum of {_list(names)}, each times one number for a whole picture; {whose} is such a sum.",
        False,
    )


def _factors(terms: list[Tensor], answer: Tensor, whole: bool | None) -> tuple[Tensor | None, bool]:
    """The factors, (1, K) for all of a batch or (B, K) for each of it, and which; None where there are none."""
    if not answer.isfinite().all():
        return None, bool(whole)
    if whole is not False:
        found = _solve(torch.stack([term.flatten() for term in terms], 1), answer.flatten())
        if found is not None or whole:
            return None if found is None else found[None], True
    rows = [
        _solve(torch.stack([term[b].flatten() for term in terms], 1), answer[b].flatten()) for b in range(len(answer))
    ]
    if any(row is None for row in rows):
        return None, False
    return torch.stack([row for row in rows if row is not None]), False


def _solve(terms: Tensor, answer: Tensor) -> Tensor | None:
    if len(answer) <= terms.shape[1]:
        return None
    factors = torch.linalg.lstsq(terms, answer[:, None]).solution[:, 0]
    miss = (terms @ factors - answer).abs().max()
    return factors if miss <= SAME * answer.square().mean().sqrt().clamp_min(1e-6) else None


def _same(one: Tensor, other: Tensor) -> bool:
    return bool(((one - other).abs() <= SAME * (other.abs() + 0.02)).all())


def _relation(k: int, names: tuple[str, ...], mine: Tensor, right: Tensor) -> str | None:
    """How the learner's factor of one input differs from the right one, in words; None if in no known way."""
    own, exact = mine[:, k], right[:, k]
    if _same(own, torch.zeros_like(exact)):
        return "is 0: it does not count at all"
    if _same(own, torch.ones_like(exact)):
        return "is 1: nothing multiplies it"
    if _same(own, -exact):
        return "has the wrong sign"
    if _same(own, exact.square()):
        return "is the square of what it should be"
    if _same(own, exact.abs().sqrt()):
        return "is the square root of what it should be"
    if _same(own, exact.square().square()):
        return "is what it should be to the power of 4"
    nonzero = exact.abs() > 1e-3
    if nonzero.all() and _same(own, 1 / exact):
        return "is 1 divided by what it should be"
    if _same(own, 1 - exact):
        return "is 1 minus what it should be"
    if nonzero.any() and _same(own, exact * (ratio := (own[nonzero] / exact[nonzero]).median())):
        return "is twice what it should be" if abs(ratio - 2) < SAME else "is off by one and the same number each time"
    for other, name in enumerate(names):
        if other == k:
            continue
        if _same(own, right[:, other]):
            return f"is the one that belongs to {name}"
        if _same(own, right[:, other].square()):
            return f"is the square of the one that belongs to {name}"
    return None
