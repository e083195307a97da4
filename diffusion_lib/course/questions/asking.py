"""What a notebook calls: `predict` asks, `predictions` counts; between them and the record stand the answers."""

import re
import weakref
from collections.abc import Sequence

from .. import progress
from ..pages import formulas
from ..widgets.predict import Predict
from ..widgets.score import Score
from .catalogue import catalogue, find
from .counts import count
from .question import ID, LEVELS, Question, notebook_of

KIND = "prediction"  # what the record calls an answer

_asked: dict[str, Question] = {}  # by this kernel, in order
_scores: "weakref.WeakKeyDictionary[Score, int | str | None]" = weakref.WeakKeyDictionary()  # of which notebook each is


def predict(
    id: str,
    question: str | None = None,
    *,
    choices: Sequence[str] | None = None,
    answer: str | float | None = None,
    because: str = "",
    within: float | None = None,
    unit: str = "",
) -> Predict:
    """Ask for a prediction, which is locked once the learner says how sure they are; then the answer shows.

    It has to be the last line of its cell. Taught in notebook 00.

    id: the section, "2.3", and "2.3b" for a second one in it. question: without it, and without anything more, the
    course's question of that id is asked (`questions/nb02.py` has those of notebook 02). choices: two to six texts, in
    the order in which they are shown; without them, the learner types a number. answer: the right choice, as its text
    or its place from 0; or the number. because: one whole sentence, which follows the answer. within: how far off a
    number still counts as right, in `unit`; 0 if left out.

    All texts may hold formulas between dollars, such as $\\beta_t$, `code` between backticks, and *emphasis*. Formulas
    are set by KaTeX in exported pages and live, where they need a browser that knows MathML, as all do since 2023; in a
    saved notebook by whatever shows it. Until they are set, their LaTeX stands there.

    Raises ValueError, which names the value, for an id that is no section, choices or numbers that cannot be asked for,
    and an answer that is none of the choices.
    """
    if question is None and (choices, answer, because, within, unit) != (None, None, "", None, ""):
        raise ValueError(f"question {id}: choices, answer and the rest go with a question: write it, or leave them out")
    asked = find(id) if question is None else _written(id, question, choices, answer, because, within, unit)
    _asked[asked.id] = asked
    record = progress.read()
    widget = Predict(
        asked.for_browser(),
        answers=_usable(asked, record.of(KIND).get(asked.id, [])),
        kept=record.problem,
        still=asked.markdown(),
        plain=asked.plain(),
        record=lambda answer: _record(asked, answer),
        katex=formulas.script() if formulas.FORMULA.search(asked.markdown()) else "",
    )
    _count_anew()
    return widget


def predictions(notebook: str | int | None = None) -> Score:
    """Show how often the predictions were right, and how often when sure; it follows each further answer.

    It has to be the last line of its cell. Taught in notebook 00.

    notebook: without it, the questions that this notebook has asked so far; "02" or 2, all of that notebook's; "all",
    those of any notebook that were asked here or answered before. An exported page knows its own questions only.
    The result's `counts` are the numbers, and `print(predictions())` says them in words.

    Raises ValueError for a notebook that is none of these.
    """
    if notebook is not None and notebook != "all":
        if isinstance(notebook, bool) or not re.fullmatch(r"\d{1,2}", str(notebook)):
            raise ValueError(f"notebook={notebook!r} is no notebook's number: write '02', or 'all', or leave it out")
        notebook = int(notebook)
    score = Score(LEVELS)
    _scores[score] = notebook
    _count(score, notebook)
    return score


def _written(
    id: str,
    question: str,
    choices: Sequence[str] | None,
    answer: str | float | None,
    because: str,
    within: float | None,
    unit: str,
) -> Question:
    """The question that a cell writes out, whose answer may be the place of a choice."""
    chosen = tuple(choices) if choices is not None and not isinstance(choices, str) else ()
    if choices is not None and not chosen:
        raise ValueError(f"question {id}: choices={choices!r} is no list of texts: give 2 to 6, or leave it out")
    if chosen and isinstance(answer, int) and not isinstance(answer, bool) and 0 <= answer < len(chosen):
        answer = chosen[answer]
    if chosen and within is not None:
        raise ValueError(f"question {id} has choices: leave out within={within!r}, which is for numbers")
    return Question(id, question, answer, because, chosen, 0.0 if within is None else within, unit)


def _record(question: Question, given: dict) -> str:
    """Record an answer that the browser gave and count it; returns why it is not kept, or ""."""
    usable = _usable(question, [given])
    if not usable:
        return ""
    problem = progress.record(KIND, question.id, usable[0])
    _count_anew()
    return problem


def _count_anew() -> None:
    """Let every summary on the page show what the record says now."""
    for score, notebook in list(_scores.items()):
        if score.comm is not None:
            _count(score, notebook)


def _count(score: Score, notebook: int | str | None) -> None:
    """Count the answers to the questions of a notebook (None: those asked here), and show it."""
    record = progress.read()
    answers = record.of(KIND)
    answers |= {id: _usable(question, answers.get(id, [])) for id, question in _asked.items()}
    answers = {id: values for id, given in answers.items() if (values := [v for v in given if _is_complete(v)])}
    ids, known = list(_asked), dict(_asked)
    if notebook is not None:
        known |= catalogue(notebook) if notebook != "all" else {}
        ids = sorted({*known, *filter(ID.fullmatch, answers)}, key=_place)
        ids = [id for id in ids if notebook in ("all", notebook_of(id))]
    where = f"Your answers are kept in {progress.shown(progress.path())}, and sent nowhere." if record.written else ""
    score.show(
        [{"id": id, "text": known[id].text if id in known else "", "here": id in _asked} for id in ids],
        {id: answers[id] for id in ids if id in answers},
        counts=count(ids, answers),
        kept=f"{record.problem} {where}".strip(),
    )


def _usable(question: Question, values: Sequence[dict]) -> list[dict]:
    """The recorded answers that the question, as it is asked today, can have; judged as it judges today."""
    return [
        {"answer": value["answer"], "sure": value["sure"], "right": question.is_right(value["answer"])}
        for value in values
        if value.get("sure") in LEVELS and question.takes(value.get("answer"))
    ]


def _is_complete(value: dict) -> bool:
    return value.get("sure") in LEVELS and isinstance(value.get("right"), bool)


def _place(id: str) -> tuple[int, int, str]:
    """Where an id stands among others: 2.3 before 2.3b before 2.10."""
    notebook, section, letter = re.fullmatch(r"(\d+)\.(\d+)(\w*)", id).groups()
    return int(notebook), int(section), letter
