"""An answer in two halves: a function is run where it was written, and its answers are judged elsewhere.

`hand_in` runs in the learner's kernel and writes what the function answers to the exercise's draws: numbers and words,
no verdict (of a function that is itself a test: which programs it lets pass). `judge_file` runs in a process that has
executed nothing of the learner's, and compares those numbers with the exact ones. So nothing that the learner changes
in their kernel can make a wrong answer right, unless it knows the right one. Of a test, as in notebook 12, all that is
written is which programs it lets pass: whoever forges `hand_in` needs only that pattern, so a teacher should read those
tests.
"""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .attempt import Answer
from .catalogue import find
from .draws import draws
from .verdicts import Verdict, judge, run, wrong_answers
from .written_tests import Run, TestExercise, plan, run_everywhere, sentence_of

UNREADABLE = (
    OSError, ValueError, TypeError, KeyError, RuntimeError, AttributeError, pickle.UnpicklingError, EOFError,
)  # fmt: skip
"""What may be raised where a file is not what `hand_in` writes."""


def hand_in(id: str, function: Callable, file: str) -> None:
    """Write a function's answers to all draws of an exercise into a file, and the line that `check` would print.

    Raises ValueError where there is no such exercise.
    """
    exercise = find(id)
    verdict = judge(exercise, function)
    if isinstance(exercise, TestExercise):
        ran = callable(function) and verdict.state != "not attempted"
        failed = [result.failed for result in run_everywhere(exercise, function).results] if ran else []
        torch.save({"line": verdict.line, "failed": failed}, file)
        return
    outcome = run(exercise, function) if callable(function) and verdict.state != "not attempted" else None
    answers = [
        {"parts": [_bare(part) for part in answer.parts], "changed": list(answer.changed), "remark": answer.remark}
        for answer in (outcome.results if outcome else ())
    ]
    drew_random = bool(outcome and outcome.drew_random_numbers)
    torch.save({"line": verdict.line, "answers": answers, "drew_random": drew_random}, file)


def judge_file(id: str, file: Path) -> Verdict:
    """Judge what `hand_in` wrote, whatever it is: only numbers that equal the exact ones are right.

    Raises ValueError where there is no such exercise.
    """
    exercise = find(id)
    if isinstance(exercise, TestExercise):
        return _judge_test(exercise, file)
    known = draws(exercise)
    try:
        written = torch.load(file, weights_only=True)  # tensors, numbers and words: nothing in it can run
        line, drew_random = str(written["line"]), bool(written["drew_random"])
        answers = [_answer(entry) for entry in written["answers"]]
    except UNREADABLE:
        return Verdict("not yet", f"{id} — not yet. Your function's answers could not be taken out of the notebook.")
    if len(answers) != len(known) + 1:
        state = "not attempted" if line.startswith(f"{id} — not attempted") else "not yet"
        return Verdict(state, line if line.startswith(f"{id} — not") else f"{id} — not yet. Some answers are missing.")
    try:
        sentence = wrong_answers(exercise, _nothing, answers, drew_random)
    except Exception as error:  # tensors that no function of ours expects
        sentence = f"What your function returns cannot be read: {type(error).__name__}."
    if sentence is None:
        return Verdict("right", f"{id} — right.")
    return Verdict("not yet", line if line.startswith(f"{id} — not yet.") else f"{id} — not yet. {sentence}")


def _judge_test(exercise: TestExercise, file: Path) -> Verdict:
    """Judge a learner's test by the programs that it let pass."""
    id = exercise.id
    try:
        written = torch.load(file, weights_only=True)
        line, failed = str(written["line"]), [bool(entry) for entry in written["failed"]]
    except UNREADABLE:
        return Verdict("not yet", f"{id} — not yet. What your test says could not be taken out of the notebook.")
    if len(failed) != len(plan(exercise)):
        state = "not attempted" if line.startswith(f"{id} — not attempted") else "not yet"
        return Verdict(state, line if line.startswith(f"{id} — not") else f"{id} — not yet. Some runs are missing.")
    state, sentence = sentence_of(exercise, _nothing, [Run(entry) for entry in failed])
    if state == "right":
        return Verdict("right", f"{id} — right. {sentence}")
    return Verdict("not yet", line if line.startswith(f"{id} — not yet.") else f"{id} — not yet. {sentence}")


def _bare(part: Any) -> Any:
    """A part of an answer as the file can hold it: a plain tensor, None, or else the name of its type."""
    if part is None or type(part) is Tensor:
        return part
    return part.detach().as_subclass(Tensor) if isinstance(part, Tensor) else type(part).__name__


def _answer(entry: dict) -> Answer:
    """An answer as it was written; raises TypeError, KeyError or ValueError if it is none."""
    parts, changed, remark = entry["parts"], entry["changed"], entry["remark"]
    if not (isinstance(parts, list) and all(isinstance(name, str) for name in changed)):
        raise ValueError("an answer has parts, and names of arguments that were changed")
    if remark is not None and not isinstance(remark, str):
        raise ValueError("a remark is a sentence")
    return Answer(tuple(parts), tuple(changed), parts[0] if len(parts) == 1 else tuple(parts), remark)


def _nothing(*_: Any) -> None:
    """Stands for the learner's function, which is not there."""
