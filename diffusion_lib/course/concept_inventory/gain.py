"""How much a class has gained: for each concept the normalised gain, (after - before) / (1 - before), with its error.

Of a class, `before` and `after` are shares of right answers among those who answered the concept on both occasions
(Hake 1998, American Journal of Physics 66, 64). The gain is the part of what could be gained that was. Its standard
error is the jackknife's, over learners: the gain is computed anew without each of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from .concepts import CONCEPTS
from .results import Learner

ALL = "all concepts"


@dataclass(frozen=True)
class Gain:
    """Of one concept: learners who answered it twice, shares that were right, the normalised gain and its error.

    `gain` is None where nothing could be gained, and `error` where it cannot be told.
    """

    concept: str
    learners: int
    before: float
    after: float
    gain: float | None
    error: float | None

    def __str__(self) -> str:
        if not self.learners:
            return f"{self.concept:20} nobody answered it twice"
        gain = "nothing to gain" if self.gain is None else f"{self.gain:+.2f}"
        error = "" if self.error is None else f" ± {self.error:.2f}"
        return f"{self.concept:20} {self.before:4.0%} → {self.after:4.0%}   {gain}{error}   ({self.learners})"


def gains(learners: Sequence[Learner], first: str = "before", second: str = "after") -> list[Gain]:
    """The gain for each concept, and at last for all of them together, from one occasion to another."""
    rows, everything = [], []
    for concept in CONCEPTS:
        pairs = [
            [(learner[first][concept.name], learner[second][concept.name])]
            for learner in learners
            if concept.name in learner.get(first, {}) and concept.name in learner.get(second, {})
        ]
        rows.append(_gain(concept.name, pairs))
    for learner in learners:
        before, after = learner.get(first, {}), learner.get(second, {})
        if both := [(before[name], after[name]) for name in before if name in after]:
            everything.append(both)
    return [*rows, _gain(ALL, everything)]


def _gain(name: str, pairs: list[list[tuple[bool, bool]]]) -> Gain:
    """pairs: for each learner, what was right before and after."""
    if not pairs:
        return Gain(name, 0, 0.0, 0.0, None, None)
    before, after = _shares(pairs)
    without = [_normalised(*_shares(pairs[:k] + pairs[k + 1 :])) for k in range(len(pairs))] if len(pairs) > 1 else []
    error = None
    if without and None not in without:
        mean = sum(without) / len(without)
        error = ((len(without) - 1) / len(without) * sum((one - mean) ** 2 for one in without)) ** 0.5
    gain = _normalised(before, after)
    return Gain(name, len(pairs), before, after, gain, error if gain is not None else None)


def _shares(pairs: list[list[tuple[bool, bool]]]) -> tuple[float, float]:
    flat = [pair for learner in pairs for pair in learner]
    return sum(first for first, _ in flat) / len(flat), sum(second for _, second in flat) / len(flat)


def _normalised(before: float, after: float) -> float | None:
    return None if before == 1 else (after - before) / (1 - before)
