"""One notebook of the course as nbgrader's source version, and what a marker needs beside it."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Notebook = dict[str, Any]  # a notebook in nbformat 4, as json.load gives it

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
OPEN_TASK_POINTS = 2  # of an open task without stars
NOT_GRADED = """
### BEGIN HIDDEN TESTS
# The points are given by diffusion_lib.course.release.grading, outside of this kernel.
raise RuntimeError("not graded: nbgrader_config.py has to set c.Autograde.autograde_preprocessors = PREPROCESSORS")
### END HIDDEN TESTS"""
HEAD = """> **This copy is handed in and graded.** Write your code where the dots stand, and your answers where it says
> so; leave the checks as they are. Exercises graded by their checks: {}, for {} points in all, a point a star.
> Answers marked by a person: {}, for {} points in all. There are no solutions in this copy."""
RUBRIC = (
    "A third of the points each: something was tried that can answer the question; what was found is said in numbers, "
    "with their spread where there is chance in them; the conclusion follows from them, a limit of it included."
)

_DETAILS = re.compile(r"<details><summary>(.*?)</summary>\s*(.*?)\s*</details>", re.DOTALL)
_QUESTION = re.compile(r"(?:\d+\. |<b>)(.*?)(?:</b>)?", re.DOTALL)  # the summary of a question of the notebook's end
_TEACHER = re.compile(r"(?:Teacher.s note|For teachers)\b.*", re.DOTALL)
_STARS = re.compile(r"\*\*Exercise (\d+\.\d+) \((★+)")
_OPEN_TASK = re.compile(r"\*\*Open task(?: \((★+)\))?")
_LINK = re.compile(r"\]\((\d\d_\w+)\.ipynb")


@dataclass
class Source:
    """A source version: its notebook, the marking guide in Markdown, and the points of exercises and of answers."""

    notebook: Notebook = field(default_factory=dict)
    guide: str = ""
    exercises: dict[str, int] = field(default_factory=dict)
    written: dict[str, int] = field(default_factory=dict)

    @property
    def points(self) -> int:
        """All points."""
        return sum(self.exercises.values()) + sum(self.written.values())


def source_version(notebook: Notebook) -> Source:
    """A notebook of the course as nbgrader's source version, without outputs.

    Raises ValueError, which names the exercise, where a solution, a check or the stars are missing.
    """
    solutions = {c["metadata"]["exercise"]: _text(c) for c in notebook["cells"] if _tagged(c, "solution")}
    stars = {id: len(marks) for c in notebook["cells"] for id, marks in _STARS.findall(_text(c))}
    tasks = [len(marks) or OPEN_TASK_POINTS for c in notebook["cells"] for marks in _OPEN_TASK.findall(_text(c))]
    source, cells, guide = Source(), [], [f"# Marking guide: {_title(notebook)}"]
    for cell in notebook["cells"]:
        if _tagged(cell, "solution"):
            continue
        if _tagged(cell, "exercise"):
            id = cell["metadata"]["exercise"]
            if id not in stars:
                raise ValueError(f"exercise {id} has no stars: its text begins like **Exercise {id} (★★).**")
            points = source.exercises[id] = stars[id]
            cells += _exercise(id, _text(cell), solutions, points)
            guide += [f"## Exercise {id}: {_shown(points)}, by its check", f"```python\n{solutions[id]}\n```"]
            continue
        if cell["cell_type"] == "code":
            cells.append({**cell, "outputs": [], "execution_count": None})
            continue
        for kind, text, answer in _parts(_text(cell)):
            if kind == "text":
                cells.append(_markdown(f"{cell.get('id', 'text')}-{len(cells)}", text))
                continue
            name, title, points = _asked(kind, text, source.written, tasks)
            source.written[name] = points
            cells.append(_answer(name, title, answer, points))
            guide.append(f"## {name.replace('-', ' ').capitalize()}: {_shown(points)}")
            guide += [text if kind == "question" else RUBRIC, answer]
    head = HEAD.format(len(source.exercises), sum(source.exercises.values()),
                       len(source.written), sum(source.written.values()))  # fmt: skip
    cells.insert(1, _markdown("graded-copy", head))
    metadata = {key: value for key, value in notebook["metadata"].items() if key != "widgets"}
    source.notebook = {**notebook, "metadata": metadata, "cells": cells}
    source.guide = "\n\n".join([guide[0], f"{source.points} points.", *guide[1:]])
    return source


def _asked(kind: str, text: str, before: dict[str, int], tasks: list[int]) -> tuple[str, str, int]:
    """The name, the title and the points of an answer that a person marks."""
    if kind == "question":
        number = 1 + sum(name.startswith("question") for name in before)
        return f"question-{number}", f"**Question {number} ({_shown(1)}).** {text}", 1
    number = sum(name.startswith("open-task") for name in before)
    points = tasks[number] if number < len(tasks) else OPEN_TASK_POINTS
    wanted = "Say what you tried, what you found, in numbers, and what follows from it."
    name = f"open-task-{number + 1}" if number else "open-task"
    return name, f"**Your answer to the open task ({_shown(points)}).** {wanted}", points


def graded(id: str) -> dict[str, Any]:
    """The `nbgrader` metadata of an exercise's cell in the course's own notebooks: graded, but open to be edited.

    nbgrader's Validate button looks at graded cells only: without it, Validate would find nothing amiss in a notebook
    in which nothing has been attempted.
    """
    return _grading(_name("exercise", id), grade=True, points=1)


def checked(source: str) -> tuple[str, str] | None:
    """The exercise and the name of the function that a locked check cell hands over; None if it is no check."""
    match = re.match(r"check\(\"(\d+\.\d+)\", (\w+)\)$", source.split("\n")[0])
    return (match[1], match[2]) if match else None


def _parts(text: str) -> Iterator[tuple[str, str, str]]:
    """A Markdown cell in parts: ("text", it, ""), ("question", it, its answer), ("note", its title, the note)."""
    end = 0
    for block in _DETAILS.finditer(text):
        summary, inside = block[1].strip(), block[2].strip()
        question = _QUESTION.fullmatch(summary)
        if not question and not _TEACHER.fullmatch(summary):
            continue
        if before := text[end : block.start()].strip():
            yield "text", _linked(before), ""
        yield ("question", _as_markdown(question[1]), inside) if question else ("note", summary, inside)
        end = block.end()
    if rest := text[end:].strip():
        yield "text", _linked(rest), ""


def _linked(text: str) -> str:
    """Links to other notebooks of the course, each of which is in a folder of its own here."""
    return _LINK.sub(r"](../\1/\1.ipynb", text)


def _as_markdown(summary: str) -> str:
    return re.sub(r"</?code>", "`", summary.strip())


def _shown(points: int) -> str:
    return "1 point" if points == 1 else f"{points} points"


def _exercise(id: str, text: str, solutions: dict[str, str], points: int) -> list[dict]:
    if id not in solutions:
        raise ValueError(
            f"exercise {id} has no solution: a code cell tagged 'solution' with exercise {id!r} follows it"
        )
    stub, check = _split(text)
    answer = _cell(_name("exercise", id), _with_solution(stub, solutions[id]), _grading, solution=True, points=0)
    return [answer, _cell(_name("check", id), check + NOT_GRADED, _grading, grade=True, locked=True, points=points)]


def _name(kind: str, id: str) -> str:
    return f"{kind}-{id.replace('.', '-')}"


def _tagged(cell: dict, tag: str) -> bool:
    return tag in cell["metadata"].get("tags", ())


def _text(cell: dict) -> str:
    return "".join(cell["source"])


def _title(notebook: Notebook) -> str:
    heads = (re.match(r"# (.+)", _text(c)) for c in notebook["cells"] if c["cell_type"] == "markdown")
    return next((head[1] for head in heads if head), "a notebook")


def _split(source: str) -> tuple[str, str]:
    """The stub's definition, and the line that checks it."""
    parts = re.fullmatch(r"(.*?)\n+(check\(.*\))\s*", source, re.DOTALL)
    if parts is None or checked(parts[2]) is None:
        raise ValueError(f"a cell tagged 'exercise' ends with its check, this one does not: {source[:60]!r}")
    return parts[1], parts[2]


def _with_solution(stub: str, solution: str) -> str:
    """The stub's head and docstring, with the solution's body where the dots were."""
    head = stub.splitlines()[: _function(stub).body[0].end_lineno]
    body = [part for part in _function(solution).body if not _is_docstring(part)]
    lines = solution.splitlines()[body[0].lineno - 1 :]
    return "\n".join([*head, f"    {BEGIN}", *lines, f"    {END}"])


def _function(source: str) -> ast.FunctionDef:
    (function,) = (part for part in ast.parse(source).body if isinstance(part, ast.FunctionDef))
    return function


def _is_docstring(part: ast.stmt) -> bool:
    return isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant) and isinstance(part.value.value, str)


def _grading(grade_id: str, *, grade: bool = False, locked: bool = False, solution: bool = False, points: int) -> dict:
    metadata = {"grade": grade, "grade_id": grade_id, "locked": locked, "schema_version": 3,
                "solution": solution, "task": False}  # fmt: skip
    return metadata | ({"points": points} if grade else {})


def _cell(name: str, source: str, grading: Any, **options: Any) -> dict:
    metadata = {"nbgrader": grading(name, **options)}
    return {"cell_type": "code", "id": name, "metadata": metadata, "source": source,
            "outputs": [], "execution_count": None}  # fmt: skip


def _markdown(id: str, text: str) -> dict:
    return {"cell_type": "markdown", "id": id, "metadata": {}, "source": text}


def _answer(name: str, title: str, answer: str, points: int) -> dict:
    metadata = {"nbgrader": _grading(name, grade=True, solution=True, points=points)}
    return {**_markdown(name, f"{title}\n\n{BEGIN}\n{answer}\n{END}"), "metadata": metadata}
