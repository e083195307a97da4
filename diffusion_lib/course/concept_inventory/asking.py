"""What a notebook calls: `inventory("A")` shows sixteen questions, each locked by saying how sure one is."""

from .. import progress
from ..pages import formulas
from ..questions.question import LEVELS, Question
from ..widgets.predict import Predict
from .concepts import CONCEPTS, FORMS, Concept
from .results import KIND, USUAL, WHEN


def inventory(form: str, when: str | None = None) -> None:
    """Show the sixteen questions of form "A" or "B"; each is locked by answering, and no answer is shown.

    when: "before", "after" or "later", which is what the answers are counted for; without it, "before" for form A and
    "after" for form B. Raises ValueError for another form or occasion. Taught in notebook 00.
    """
    if form not in FORMS:
        raise ValueError(f"form={form!r} is none: write inventory('A') or inventory('B')")
    when = USUAL[form] if when is None else when
    if when not in WHEN:
        raise ValueError(f"when={when!r} is no occasion: write one of {', '.join(map(repr, WHEN))}")
    from IPython.display import display

    for number, concept in enumerate(CONCEPTS, 1):
        display(question(number, concept, form, when))


def question(number: int, concept: Concept, form: str, when: str) -> Predict:
    """The widget of one question, with what was answered to it on this occasion."""
    asked, id = concept.form(form), f"{form}{number}"
    as_question = Question("0.0", asked.text, asked.right, "-", asked.choices)  # checks it, and writes its Markdown
    label = f"Question {number} of {len(CONCEPTS)}"
    still = as_question.markdown().partition("<details>")[0].replace("**Prediction 0.0.**", f"**{label}.**").strip()
    record = progress.read()
    return Predict(
        {**as_question.for_browser(), "id": f"{id}-{when}", "label": label, "answer": None, "because": ""},
        answers=[
            {"answer": value["answer"], "sure": value["sure"]}
            for value in record.of(KIND).get(id, [])
            if value.get("when") == when and value.get("sure") in LEVELS and as_question.takes(value.get("answer"))
        ][:1],
        kept=record.problem,
        still=still,
        plain=as_question.plain().replace("Prediction 0.0", label),
        record=lambda given: _record(as_question, id, when, given),
        katex=formulas.script() if formulas.FORMULA.search(as_question.markdown()) else "",
    )


def _record(asked: Question, id: str, when: str, given: dict) -> str:
    """Record an answer that the browser gave; returns why it is not kept, or ""."""
    if given.get("sure") not in LEVELS or not asked.takes(given.get("answer")):
        return ""
    value = {"answer": given["answer"], "sure": given["sure"], "right": asked.is_right(given["answer"]), "when": when}
    return progress.record(KIND, id, value)
