"""Answers as learners write them, right ones and wrong ones, each wrong one with what its verdict must say.

One text file for each notebook. `# 2.1` begins an exercise. `= ` begins a right answer, `! ` a wrong one: the body of
the function, whose last expression is returned; further lines are indented. `  > ` gives a part of the sentence that
the wrong answer must get.
"""

import ast
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from diffusion_lib.course.exercises.exercise import Exercise
from diffusion_lib.course.exercises.written_tests import TestExercise


@dataclass(frozen=True)
class Written:
    """One answer: its exercise, the function's body, and a part of its verdict; None if it is right."""

    id: str
    body: str
    says: str | None


def written_answers() -> list[Written]:
    """All answers of all files."""
    answers: list[Written] = []
    for path in sorted(Path(__file__).parent.glob("*.txt")):
        for block in re.split(r"(?m)^(?=[#=!] )", path.read_text(encoding="utf-8")):
            if block.startswith("# "):
                id = block[2:].strip()
            elif block.strip():
                body, _, says = block[2:].partition("\n  > ")
                wrong = block.startswith("!")
                answers.append(Written(id, body.strip("\n"), says.strip() if wrong else None))
    return answers


def function_of(exercise: Exercise | TestExercise, body: str) -> Callable:
    """The function with this body, as a notebook's cell would define it."""
    tree = ast.parse(f"def answer({', '.join(exercise.arguments)}):\n    {body}\n")
    function = tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    if isinstance(function.body[-1], ast.Expr):
        function.body[-1] = ast.copy_location(ast.Return(function.body[-1].value), function.body[-1])
    names = {"torch": torch, "math": math}
    exec(compile(tree, "<answer>", "exec"), names)
    return names["answer"]


def kind(exercise: Exercise | TestExercise, line: str) -> str:
    """What a verdict is, from its line: what it names, or only that the numbers are not equal."""
    state, _, sentence = line.partition(" — ")[2].partition(" ")
    if state == "right.":
        return "accepted"
    if isinstance(exercise, TestExercise):
        return "catalogued"  # whatever is said of a test says what it lets pass, or blames for nothing
    sentence = sentence.removeprefix("yet. ")
    if any(sentence.startswith(mistake.sentence) for mistake in exercise.mistakes):
        return "catalogued"
    if "of the right formula with" in sentence:
        return "one slip"
    if "is a sum of" in sentence and not sentence.endswith("None of them is right."):
        return "a factor"
    if "look at that case" in sentence or "but clipped to" in sentence:
        return "a case"
    if any(sentence == rule.sentence for rule in exercise.properties):
        return "a rule"
    vague = ("random inputs", "right shape, but not", "is no sum of", "None of them is right.", "is right up to one")
    if any(words in sentence for words in vague):
        return "not equal"
    return "form"  # shape, type, NaN, exception, random numbers, inputs changed, the order of calls
