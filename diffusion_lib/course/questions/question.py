"""A question as data: what is asked, which answers there are, which one is right, and why."""

import html
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

LEVELS = ("guessing", "fairly sure", "sure")  # how sure a learner is, from the least to the most
ID = re.compile(r"(\d{1,2})\.\d{1,2}[a-z]?")
ROUNDING = 1e-9  # 0.52 is within 0.1 of 0.42, whatever their difference is in floating point


@dataclass(frozen=True)
class Question:
    """A question with two to six choices, or for a number.

    id: the section, as in "2.3", and a letter where a section asks more than one: "2.3b". choices: texts; none, and the
    question asks for a number. answer: the right choice's text, or the number. within: how far off a number still
    counts as right, in its `unit`. because: the reason, one sentence. why_not: by wrong choice, a sentence that says
    what speaks against it; for all of them, or for none.

    All texts may hold formulas between dollars ($\\beta_t$), `code` between backticks and *emphasis* between asterisks.
    Raises ValueError for what cannot be asked.
    """

    id: str
    text: str
    answer: str | float
    because: str
    choices: tuple[str, ...] = ()
    within: float = 0.0
    unit: str = ""
    why_not: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not isinstance(self.id, str) or not ID.fullmatch(self.id):
            raise ValueError(f"id={self.id!r} is no section: write it like '2.3', and '2.3b' for a second one there")
        for name in ("text", "because"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name).strip():
                raise ValueError(f"question {self.id}: {name}={getattr(self, name)!r} says nothing: write a sentence")
        self._check_choices() if self.choices else self._check_number()
        wrong = {choice for choice in self.choices if choice != self.answer}
        if self.why_not and (set(self.why_not) != wrong or not all(map(str.strip, self.why_not.values()))):
            stray = sorted(set(self.why_not) ^ wrong)
            raise ValueError(
                f"question {self.id}: why_not needs a sentence for each wrong choice and no other: {stray}"
            )

    def _check_choices(self) -> None:
        if not 2 <= len(self.choices) <= 6:
            raise ValueError(f"question {self.id} has {len(self.choices)} choices: give 2 to 6")
        for choice in self.choices:
            if not isinstance(choice, str) or not choice.strip():
                raise ValueError(f"question {self.id}: the choice {choice!r} is no text: write it in words")
            if self.choices.count(choice) > 1:
                raise ValueError(f"question {self.id} has the choice {choice!r} twice: leave one out")
        if self.answer not in self.choices:
            raise ValueError(
                f"question {self.id}: answer={self.answer!r} is none of the choices: "
                f"give one's text, or its place from 0 to {len(self.choices) - 1}"
            )
        if self.within or self.unit:
            raise ValueError(f"question {self.id} has choices: leave out within={self.within!r} and unit={self.unit!r}")

    def _check_number(self) -> None:
        if not is_number(self.answer):
            raise ValueError(
                f"question {self.id}: answer={self.answer!r} is no finite number: give one, or give `choices`"
            )
        if not is_number(self.within) or self.within < 0:
            raise ValueError(
                f"question {self.id}: within={self.within!r} is no number of 0 or more: say how far off is still right"
            )
        if not isinstance(self.unit, str):
            raise ValueError(f"question {self.id}: unit={self.unit!r} is no text: write it like 'nats'")

    @property
    def notebook(self) -> int:
        """The number of the notebook that it belongs to."""
        return notebook_of(self.id)

    def takes(self, answer: object) -> bool:
        """Whether this can be an answer to the question."""
        return answer in self.choices if self.choices else is_number(answer)

    def is_right(self, answer: object) -> bool:
        """Whether it is the right answer, or the number is near enough to it."""
        if self.choices or not self.takes(answer):
            return answer == self.answer
        return abs(answer - self.answer) <= self.within + ROUNDING * max(abs(self.answer), self.within)

    def for_browser(self) -> dict:
        """The question as the widget's JavaScript reads it."""
        return {
            "id": self.id,
            "text": self.text,
            "choices": list(self.choices),
            "answer": self.answer,
            "within": self.within,
            "rounding": ROUNDING,
            "unit": self.unit,
            "because": self.because,
            "why_not": dict(self.why_not),
            "levels": list(LEVELS),
        }

    def plain(self) -> str:
        """The question and its choices as one line of text, without the answer."""
        answers = "; ".join(self.choices) if self.choices else ", in ".join(filter(None, ("a number", self.unit)))
        return f"Prediction {self.id}. {self.text} ({answers})"

    def markdown(self) -> str:
        """The still: the question and its choices, and the answer folded under them."""
        if self.choices:
            choices = "\n".join(f"- {_item(choice)}" for choice in self.choices)
            answer = _quoted(self.answer.removesuffix("."))
        else:
            choices = f"*Your answer is a number{f', in {_quoted(self.unit)}' if self.unit else ''}.*"
            answer = _quoted(f"{in_words(self.answer)} {self.unit}".strip())
        near = f" (right within {in_words(self.within)})" if self.within else ""
        others = "".join(f"\n- {_item(wrong)}<br>{_quoted(reason)}" for wrong, reason in self.why_not.items())
        others = f"\n\nWhy not the others?\n{others}" if others else ""
        return (
            f"**Prediction {self.id}.** {_quoted(self.text)}\n\n{choices}\n\n"
            f"<details><summary>Answer</summary>\n\n**{answer}**{near}. {_quoted(self.because)}{others}\n\n</details>"
        )


def notebook_of(id: str) -> int:
    """The number of the notebook that a question's id belongs to."""
    return int(id.partition(".")[0])


def is_number(value: object) -> bool:
    """Whether it is a finite number, and not True or False."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def in_words(number: float) -> str:
    """A number in few characters: 0.42, 1000, 1.2e-05."""
    return f"{number:.6g}".replace("-", "−") if abs(number) < 1e15 else f"{number:.3g}"


def _quoted(text: str) -> str:
    """Text in Markdown: formulas and code stay as they are, and nothing else is taken for a tag."""
    parts = re.split(r"(\$[^$]+\$|`[^`]+`)", text)  # every second part is a formula or code
    return "".join(part if place % 2 else html.escape(part, quote=False) for place, part in enumerate(parts))


def _item(text: str) -> str:
    """Text as an item of a Markdown list, which is no list, heading or quotation itself."""
    return re.sub(r"^([-+#*](?=\s)|\d+(?=[.)](\s|$)))", lambda sign: _escaped(sign[0]), _quoted(text))


def _escaped(sign: str) -> str:
    return f"{sign}\\" if sign.isdigit() else f"\\{sign}"
