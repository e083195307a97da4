"""How far a learner has come: which exercises are solved and how their predictions went, notebook by notebook.

In a notebook, `my_progress()` shows it; on the command line, `python -m diffusion_lib progress`. Both read the one file
in which the answers are kept (`progress.py`).
"""

from dataclasses import dataclass

from . import progress
from .exercises import catalogue as exercises
from .questions import catalogue as questions
from .questions.counts import Counts, count
from .questions.question import LEVELS
from .widgets.overview import Overview

EXERCISE, PREDICTION = "exercise", "prediction"  # what the record calls them
MARKS = {"right": "✓", "tried": "✗", "": "○"}


@dataclass(frozen=True)
class Row:
    """Of one notebook: the state of each exercise ("right", "tried" or ""), and its predictions, counted."""

    notebook: int
    exercises: dict[str, str]
    predictions: Counts

    @property
    def solved(self) -> int:
        """How many exercises were right at some time."""
        return sum(state == "right" for state in self.exercises.values())

    def words(self) -> tuple[str, str, str]:
        """What a table shows of it: how many are solved, each exercise with its mark, and the predictions."""
        marks = "  ".join(f"{MARKS[state]} {id}" for id, state in self.exercises.items())
        answered, right = self.predictions.by_level[LEVELS[-1]]
        sure = f"; {answered} sure, {right} of them right" if answered else ""
        said = f"{self.predictions.answered} of {self.predictions.asked} answered, {self.predictions.right} right{sure}"
        return f"{self.solved} of {len(self.exercises)}", marks, said


def rows() -> list[Row]:
    """A row for each notebook that has exercises or questions. An exercise that was right once stays solved."""
    record = progress.read()
    tried, answered = record.of(EXERCISE), record.of(PREDICTION)
    table = []
    for notebook in sorted({*exercises.notebooks(), *questions.notebooks()}):
        states = {id: [value.get("state") for value in tried.get(id, [])] for id in exercises.catalogue(notebook)}
        known = questions.catalogue(notebook)
        answers = {
            id: [
                {"sure": value["sure"], "right": question.is_right(value["answer"])}
                for value in answered.get(id, [])
                if value.get("sure") in LEVELS and question.takes(value.get("answer"))
            ]
            for id, question in known.items()
        }
        state = {id: "right" if "right" in given else "tried" if given else "" for id, given in states.items()}
        table.append(Row(notebook, state, count(list(known), answers)))
    return table


def my_progress() -> Overview:
    """Show which exercises you have solved and how your predictions went; it has to be the last line of its cell.

    A saved notebook and an exported page hold none of it. Taught in notebook 00.
    """
    return Overview([(f"{row.notebook:02d}", *row.words()) for row in rows()], where())


def where() -> str:
    """Where the record is kept, and what is wrong with it, if anything."""
    problem = progress.read().problem
    return f"{problem} Kept in {progress.shown(progress.path())}, and sent nowhere.".strip()
