"""How often a learner was right, and how often when they were sure. Only the first answer to a question counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .question import LEVELS


@dataclass(frozen=True)
class Counts:
    """Of some questions: how many there are, were answered, and answered rightly.

    by_level: (answered, right) for each of `LEVELS`. unanswered: the ids of those without an answer. surprising: the
    ids of those that were answered surely, and wrongly. again: how many later answers there were, which do not count.
    """

    asked: int
    answered: int
    right: int
    by_level: dict[str, tuple[int, int]]
    unanswered: tuple[str, ...]
    surprising: tuple[str, ...]
    again: int

    def __str__(self) -> str:
        if not self.answered:
            return f"You have answered none of {self.asked} predictions yet."
        levels = "; ".join(
            f"{level}, {right} of {count} right" for level, (count, right) in self.by_level.items() if count
        )
        sentences = [f"You answered {self.answered} of {self.asked} predictions: {self.right} right. {levels}."]
        if self.surprising:
            sentences.append(f"Sure, and surprised: {', '.join(self.surprising)}.")
        if self.unanswered:
            sentences.append(f"Not answered yet: {', '.join(self.unanswered)}.")
        return " ".join(sentences)


def count(ids: Sequence[str], answers: Mapping[str, Sequence[dict]]) -> Counts:
    """Count the first answers to the questions `ids`; answers: for each id those that were given, oldest first."""
    first = {id: answers[id][0] for id in ids if answers.get(id)}
    levels = {
        level: [answer["right"] for answer in first.values() if answer["sure"] == level] for level in reversed(LEVELS)
    }
    return Counts(
        asked=len(ids),
        answered=len(first),
        right=sum(answer["right"] for answer in first.values()),
        by_level={level: (len(rights), sum(rights)) for level, rights in levels.items()},
        unanswered=tuple(id for id in ids if id not in first),
        surprising=tuple(id for id, answer in first.items() if answer["sure"] == LEVELS[-1] and not answer["right"]),
        again=sum(len(answers[id]) - 1 for id in first),
    )
