"""What nbgrader runs on a submission in place of its own `Execute`: the notebook, and the checks outside of it.

In `nbgrader_config.py`::

    from diffusion_lib.course.release.grading import PREPROCESSORS

    c.Autograde.autograde_preprocessors = PREPROCESSORS

Each locked check runs in the notebook's kernel as it stands, so that what follows draws with the student's function.
Then the kernel writes the function's answers into a file, this process judges them, and the cell's outputs are
replaced by that verdict: an error without points, or one line. Needs nbgrader, so that nothing but nbgrader's own
configuration and the tests import it.
"""

import ast
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbconvert.preprocessors import ClearMetadataPreprocessor
from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    Execute,
    IgnorePattern,
    LimitOutput,
    SaveAutoGrades,
)

from ..exercises import display
from ..exercises.catalogue import find
from ..exercises.draws import draws
from ..exercises.exercise import Exercise
from ..exercises.handin import judge_file
from ..exercises.verdicts import Verdict
from .notebook import checked

# What no answer needs: the exercises' own files. `use`, and loading by name, have their place elsewhere in a notebook.
_FILES = re.compile(r"course[./](exercises|questions)|(exercises|questions)[./](nb\d\d|catalogue)")
_MODULES, _OFFERED = {"exercises", "questions"}, {"check", "hint", "use", "predict", "predictions"}
_NOT_IN_ANSWERS = {"use", "importlib", "__import__", "eval", "exec"}


class Grade(Execute):
    """Execute a submission, and judge each check's function in this process."""

    def preprocess(self, nb, resources, km=None):
        """Execute the notebook; what is judged is loaded before anything of the student's runs."""
        for cell in nb.cells:
            if (handed := _check_of(cell)) and isinstance(exercise := find(handed[0]), Exercise):
                draws(exercise)
        self._reaching = reaching(nb)
        return super().preprocess(nb, resources, km)

    def preprocess_cell(self, cell, resources, index):
        """Execute a cell; for a check, replace what it shows by the verdict."""
        cell, resources = super().preprocess_cell(cell, resources, index)
        if handed := _check_of(cell):
            with tempfile.TemporaryDirectory(prefix="handed_in_") as folder:
                file = Path(folder) / "answers"
                asking = nbformat.v4.new_code_cell(_ASK.format(id=handed[0], function=handed[1], file=str(file)))
                super().preprocess_cell(asking, resources, index)
                self.nb.cells[index] = cell  # where the client has put the cell that it executed last
                verdict = judge_file(handed[0], file)
            if verdict.state == "right" and self._reaching:
                verdict = Verdict("not yet", f"{handed[0]} — not counted: {self._reaching} For a person to judge.")
            cell.outputs = [_output(verdict)]
        return cell, resources


_ASK = (
    '__import__("diffusion_lib.course.exercises.handin", fromlist=["hand_in"])'
    '.hand_in("{id}", {function}, {file!r})'
)  # binds no name in the student's notebook


def reaching(nb: nbformat.NotebookNode) -> str:
    """A sentence about the first cell of the student's that reaches for the course's own answers, or "".

    It reads the source, so that somebody who hides it is not found.
    """
    for number, cell in enumerate(nb.cells, 1):
        if cell.cell_type == "code" and not _check_of(cell):
            code = re.sub(r"^\s*[%!].*$", "", cell.source, flags=re.MULTILINE)  # magics are no Python
            is_answer = bool(cell.metadata.get("nbgrader", {}).get("solution"))
            if found := next(_reaches(code, is_answer), None):
                return f"cell {number} reaches for the course's own answers ({found})."
    return ""


def _reaches(code: str, is_answer: bool) -> Iterator[str]:
    """What in a piece of source reaches for answers."""
    try:
        nodes = list(ast.walk(ast.parse(code)))
    except SyntaxError:  # then no function comes of it, but a string might
        nodes = [ast.Constant(code)]
    for node in nodes:
        match node:
            case ast.Import(names) if any(_MODULES & set(name.name.split(".")) for name in names):
                yield "import"
            case ast.ImportFrom(module, names):
                taken, parts = {name.name for name in names}, set((module or "").split("."))
                if (parts & _MODULES and not taken <= _OFFERED) or ("course" in parts and taken & _MODULES):
                    yield f"import from {module}"
            case ast.Attribute(_, "reference") | ast.Attribute(ast.Name("exercises" | "questions"), _):
                yield ast.unparse(node)
            case ast.Constant(str(text)) if _FILES.search(text):
                yield _FILES.search(text)[0]
            case ast.Name(name) if is_answer and name in _NOT_IN_ANSWERS:
                yield name


def _check_of(cell: nbformat.NotebookNode) -> tuple[str, str] | None:
    """The exercise and the function's name, if nbgrader has put this cell back as it was released."""
    grading = cell.metadata.get("nbgrader", {})
    if cell.cell_type != "code" or not (grading.get("grade") and grading.get("locked")) or grading.get("solution"):
        return None
    return checked(cell.source)


def _output(verdict: Verdict) -> nbformat.NotebookNode:
    """One line where it is right, else an error, which costs the cell its points."""
    if verdict.state != "right":
        return nbformat.v4.new_output(
            "error", ename="AssertionError", evalue=verdict.line, traceback=[display.plain(verdict.line, verdict.state)]
        )
    data = {"text/plain": display.plain(verdict.line, "right"), "text/html": display.as_html(verdict.line, "right")}
    return nbformat.v4.new_output("display_data", data=data)


PREPROCESSORS = [
    Grade,
    IgnorePattern,
    ClearMetadataPreprocessor,
    LimitOutput,
    SaveAutoGrades,
    AssignLatePenalties,
    CheckCellMetadata,
]
