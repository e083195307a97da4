"""Make an nbgrader assignment of a notebook of the course.

Each exercise becomes two cells: an autograded answer, which holds the solution between nbgrader's two marks so that
`nbgrader generate_assignment` can take it out again, and a locked test cell with the check, worth one point. All
outputs are dropped. Put the result into `source/NAME/` of an nbgrader course.
"""

import ast
import re
from typing import Any

Notebook = dict[str, Any]  # a notebook in nbformat 4, as json.load gives it


def assignment(notebook: Notebook) -> Notebook:
    """The notebook as nbgrader's source version; raises `ValueError` where a solution cell or a check is missing."""
    cells, solutions = [], {}
    for cell in notebook["cells"]:
        if _tagged(cell, "solution"):
            solutions[cell["metadata"]["exercise"]] = _source(cell)
    for cell in notebook["cells"]:
        if _tagged(cell, "solution"):
            continue
        if not _tagged(cell, "exercise"):
            cells.append({**cell, "outputs": [], "execution_count": None} if cell["cell_type"] == "code" else cell)
            continue
        id = cell["metadata"]["exercise"]
        if id not in solutions:
            raise ValueError(
                f"exercise {id} has no solution: a code cell tagged 'solution' with exercise {id!r} follows it"
            )
        stub, check = _split(_source(cell))
        cells.append(_cell(f"exercise-{id.replace('.', '-')}", _with_solution(stub, solutions[id]), solution=True))
        cells.append(_cell(f"check-{id.replace('.', '-')}", check, solution=False, points=1))
    return {**notebook, "cells": cells}


def _tagged(cell: dict, tag: str) -> bool:
    return tag in cell["metadata"].get("tags", ())


def _source(cell: dict) -> str:
    return "".join(cell["source"])


def _split(source: str) -> tuple[str, str]:
    """The stub's definition, and the line that checks it."""
    parts = re.fullmatch(r"(.*?)\n+(check\(.*\))\s*", source, re.DOTALL)
    if parts is None:
        raise ValueError(f"a cell tagged 'exercise' ends with its check, this one does not: {source[:60]!r}")
    return parts[1], parts[2]


def _with_solution(stub: str, solution: str) -> str:
    """The stub's head and docstring, with the solution's body where the dots were."""
    head = stub.splitlines()[: _function(stub).body[0].end_lineno]
    body = [part for part in _function(solution).body if not _is_docstring(part)]
    lines = solution.splitlines()[body[0].lineno - 1 :]
    return "\n".join([*head, "    ### BEGIN SOLUTION", *lines, "    ### END SOLUTION"])


def _function(source: str) -> ast.FunctionDef:
    (function,) = (part for part in ast.parse(source).body if isinstance(part, ast.FunctionDef))
    return function


def _is_docstring(part: ast.stmt) -> bool:
    return isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant) and isinstance(part.value.value, str)


def graded(id: str) -> dict[str, Any]:
    """The `nbgrader` metadata of an exercise's cell in the course's own notebooks: graded, but open to be edited.

    nbgrader's Validate button looks at graded cells only: without it, Validate would find nothing amiss in a notebook
    in which nothing has been attempted.
    """
    return _grading(f"exercise-{id.replace('.', '-')}", grade=True, points=1)


def _grading(grade_id: str, *, grade: bool = False, locked: bool = False, solution: bool = False, points: int) -> dict:
    metadata = {"grade": grade, "grade_id": grade_id, "locked": locked, "schema_version": 3,
                "solution": solution, "task": False}  # fmt: skip
    return metadata | ({"points": points} if grade else {})


def _cell(grade_id: str, source: str, *, solution: bool, points: int = 0) -> dict:
    grading = _grading(grade_id, grade=not solution, locked=not solution, solution=solution, points=points)
    return {
        "cell_type": "code",
        "id": grade_id,
        "metadata": {"nbgrader": grading},
        "source": source,
        "outputs": [],
        "execution_count": None,
    }
