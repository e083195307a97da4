"""Where the questions of the notebooks are listed: each `Question` in `QUESTIONS` of a file `nbNN.py` beside this one.

A question stands here and not in its notebook, because there its answer could be read in the cell above it.
"""

import functools
import importlib
import importlib.util
import pkgutil
import re
from pathlib import Path

from .question import ID, Question, notebook_of


def notebooks() -> tuple[int, ...]:
    """The numbers of the notebooks that have questions, in order."""
    files = pkgutil.iter_modules([str(Path(__file__).parent)])
    return tuple(sorted(int(file.name[2:]) for file in files if re.fullmatch(r"nb\d\d", file.name)))


@functools.cache
def catalogue(notebook: int) -> dict[str, Question]:
    """The questions of one notebook by id, in their order; empty where it has none.

    Raises ValueError where two questions have one id, or one has another notebook's.
    """
    name = f"{__package__}.nb{notebook:02d}"
    if importlib.util.find_spec(name) is None:
        return {}
    questions: dict[str, Question] = {}
    for question in importlib.import_module(name).QUESTIONS:
        if question.id in questions:
            raise ValueError(f"{name} has two questions {question.id!r}: give one of them another letter")
        if question.notebook != notebook:
            raise ValueError(f"{name} has the question {question.id!r}: it belongs into nb{question.notebook:02d}.py")
        questions[question.id] = question
    return questions


def find(id: str) -> Question:
    """The question of that id; raises ValueError, which names those there are, where there is none."""
    questions = catalogue(notebook_of(id)) if isinstance(id, str) and ID.fullmatch(id) else {}
    if id not in questions:
        known = f"its notebook has {', '.join(questions)}" if questions else "write it like predict('2.3')"
        raise ValueError(f"there is no question {id!r}: {known}, or give the question itself with choices and answer")
    return questions[id]
