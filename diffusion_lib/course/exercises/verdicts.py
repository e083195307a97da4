"""What a check finds: whether a function is right, and if not, the one sentence about it that helps most.

The function is run on a dozen random inputs (`draws.py`); its answers are compared with the exact ones, and with those
of each catalogued mistake. Where the exercise asks for a test, that is run on right and wrong programs
(`written_tests.py`).
"""

import inspect
import numbers
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from .attempt import Answer, Attempt, in_words
from .diagnosis import before_it_stopped, changed_input, wrong_numbers
from .display import clean
from .draws import draws, parts_of
from .exercise import Exercise
from .running import Outcome, run_calls
from .stubs import is_stub, is_stubs_error
from .written_tests import TestExercise, sentence_about

TIME_LIMIT = 10.0  # seconds for all calls of one check, which take a few milliseconds: room for a crowded server


@dataclass(frozen=True)
class Verdict:
    """What a check found: `state` and the one line it prints."""

    state: Literal["right", "not attempted", "not yet"]
    line: str
    printed: str = ""


def judge(exercise: Exercise | TestExercise, function: Callable) -> Verdict:
    """Find out whether a function is right, and if not, which one thing to say about it.

    Whatever the function does, and also when the learner interrupts it, a verdict comes back: nothing is raised.
    """
    try:
        if isinstance(exercise, TestExercise):
            return _judge_test(exercise, function)
        draws(exercise)  # raises where the exercise itself is at fault
        try:
            return _judge(exercise, function)
        except Exception as error:  # what was returned raises when it is looked at
            return _not_yet(exercise, f"What your function returns cannot be read: {type(error).__name__}.")
    except KeyboardInterrupt:
        return _interrupted(exercise)


def _judge_test(exercise: TestExercise, test: Callable) -> Verdict:
    if verdict := _before_it_runs(exercise, test):
        return verdict
    state, sentence, outcome = sentence_about(exercise, test)
    if state == "stub":
        return _not_attempted(exercise)
    if state == "wrong":
        return _not_yet(exercise, sentence, outcome.printed)
    return Verdict("right", f"{exercise.id} — right. {sentence}")


def _before_it_runs(exercise: Exercise | TestExercise, function: Callable) -> Verdict | None:
    """The verdict about what is no function, or a stub, or takes other arguments."""
    if not callable(function):
        return _not_yet(exercise, f'Hand over the function itself, without brackets: check("{exercise.id}", name).')
    if is_stub(function):
        return _not_attempted(exercise)
    if sentence := _wrong_arguments(exercise, function):
        return _not_yet(exercise, sentence)
    return None


def _judge(exercise: Exercise, function: Callable) -> Verdict:
    if verdict := _before_it_runs(exercise, function):
        return verdict
    outcome = run(exercise, function)
    if outcome.interrupted:
        return _interrupted(exercise, outcome)
    failure = outcome.failure
    if failure and is_stubs_error(failure.name, failure.message, failure.source):
        return _not_attempted(exercise)
    answers: list[Answer] = outcome.results
    if any(_has_dots(answer.result) for answer in answers):
        return _not_attempted(exercise)
    sentence = _stopped(exercise, function, outcome) or wrong_answers(
        exercise, function, answers, outcome.drew_random_numbers
    )
    if sentence:
        return _not_yet(exercise, sentence, outcome.printed)
    return Verdict("right", f"{exercise.id} — right.")


def wrong_answers(exercise: Exercise, function: Callable, answers: list[Answer], drew_random: bool) -> str | None:
    """The sentence about answers to all the draws, and to the first once more; None if they are right.

    The function is called again only where a NaN is traced.
    """
    return (
        _wrong_form(exercise, answers)
        or wrong_numbers(_attempt(exercise, function, answers), answers[-1], drew_random)
        or changed_input(answers, "Your numbers are right, but you")
    )


def _attempt(exercise: Exercise, function: Callable, answers: list[Answer]) -> Attempt:
    """The answers to the draws, without the second one to the first."""
    return Attempt(exercise, function, answers[: len(draws(exercise))], TIME_LIMIT)


def _not_attempted(exercise: Exercise | TestExercise) -> Verdict:
    remedy = f'replace the ... and run the cell again.  hint("{exercise.id}") helps.'
    return Verdict("not attempted", f"{exercise.id} — not attempted yet: {remedy}")


def _not_yet(exercise: Exercise | TestExercise, sentence: str, printed: str = "") -> Verdict:
    return Verdict("not yet", f"{exercise.id} — not yet. {clean(sentence)}", printed)


def _interrupted(exercise: Exercise | TestExercise, outcome: Outcome | None = None) -> Verdict:
    sentence = "You interrupted the check before your function had answered: look for a loop that never ends."
    if outcome is None:
        return _not_yet(exercise, sentence)
    return _not_yet(exercise, sentence + _restart(outcome), outcome.printed)


def _restart(outcome: Outcome) -> str:
    return " It could not be stopped: restart the kernel." if outcome.left_running else ""


def _wrong_arguments(exercise: Exercise | TestExercise, function: Callable) -> str | None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some built-in callables do not tell
        return None
    try:
        signature.bind(*exercise.arguments)
    except TypeError:
        takes = _short(clean(signature, otherwise="other arguments"), 160)  # a default may be anything
        needs = ", ".join(exercise.arguments)
        return f"Your function takes {takes}, but the check calls it with ({needs}): keep the stub's first line."
    return None


def run(exercise: Exercise, function: Callable) -> Outcome:
    """Call the function on every draw, and on the first once more."""
    inputs = [draw.arguments for draw in (*draws(exercise), draws(exercise)[0])]
    untouched = iter(inputs)

    def collect(arguments: tuple, result: Any) -> Answer:
        changed = tuple(
            name
            for name, before, after in zip(exercise.arguments, next(untouched)(), arguments, strict=True)
            if name not in exercise.changes and not _same(before, after)
        )
        parts = parts_of(exercise, arguments, result)
        return Answer(parts, changed, result, exercise.remark(arguments) if exercise.remark else None)

    return run_calls(function, inputs, collect, TIME_LIMIT)


def _same(before: Any, after: Any) -> bool:
    if isinstance(before, Tensor):
        form = (before.shape, before.dtype, before.device, before.layout)
        return form == (after.shape, after.dtype, after.device, after.layout) and torch.equal(before, after)
    if isinstance(before, torch.nn.Module):
        return _same(list(before.state_dict().values()), list(after.state_dict().values()))
    if isinstance(before, list | tuple):
        return len(before) == len(after) and all(map(_same, before, after))
    return not isinstance(before, numbers.Number) or before == after


def _stopped(exercise: Exercise, function: Callable, outcome: Outcome) -> str | None:
    """The sentence for a function that raised, did not come back, or returned what cannot be read."""
    if outcome.timed_out:
        busy = f"Your function was still busy after {TIME_LIMIT:g} seconds: look for a loop that never ends."
        return busy + _restart(outcome)
    failure = outcome.failure
    if failure is None:
        return None
    where = f" in line {failure.line}, `{_short(failure.source, 80)}`" if failure.line and failure.source else ""
    about = f" ({_short(failure.message, 160)})" if failure.message else ""
    if failure.in_result:
        return f"What your function returns, or leaves in its arguments, cannot be read: {failure.name}{about}{where}."
    if not _wrong_form(exercise, outcome.results):
        sentence = before_it_stopped(_attempt(exercise, function, outcome.results))
        if sentence:
            return f"{sentence} Your function stopped with {failure.name}{about}{where}."
    inputs = draws(exercise)[len(outcome.results) % len(draws(exercise))].arguments()
    return f"Your function stopped with {failure.name}{about}{where}. It was called with {in_words(exercise, inputs)}."


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _has_dots(result: Any) -> bool:
    return result is ... or (isinstance(result, list | tuple) and any(part is ... for part in result))


def _wrong_form(exercise: Exercise, answers: list[Answer]) -> str | None:
    """The sentence for a result that is not made of real, floating-point tensors."""
    names = exercise.returns
    for answer in answers:
        result = answer.result
        if result is None:
            return "Your function returns nothing: end it with return."
        if exercise.observe is None and len(names) > 1:
            count = len(result) if isinstance(result, list | tuple) else 1
            if count != len(names):
                things = "one thing" if count == 1 else f"{count} things"
                return f"Return {len(names)} things, `return {', '.join(names)}`; your function returns {things}."
        for name, part in zip(names, answer.parts, strict=True):
            if sentence := _wrong_type("Your function" if len(names) == 1 else f"For the {name}, your function", part):
                return sentence
    return None


def _wrong_type(who: str, part: Any) -> str | None:
    if part is None:
        return f"{who} returns None."
    if type(part).__module__ == "numpy":
        return f"{who} returns a NumPy array. Stay in torch (torch.sqrt for np.sqrt): only tensors have gradients."
    if isinstance(part, types.GeneratorType):
        return f"{who} is a generator: use return, not yield."
    if isinstance(part, list | tuple):
        return f"{who} returns a {type(part).__name__} where one tensor is wanted: {_joined(part)}."
    if not isinstance(part, Tensor):
        return f"{who} returns a {type(part).__name__} where a tensor is wanted."
    if part.layout is not torch.strided or part.device.type == "meta":
        return f"{who} returns a tensor without ordinary numbers in it ({part.layout}, {part.device})."
    if part.dtype != torch.float64:
        return f"{who} returns numbers of type {part.dtype} where torch.float32 is wanted: {_spoilt(part.dtype)}."
    return None


def _joined(parts: list | tuple) -> str:
    """How a list becomes a tensor, from what is in it."""
    if not parts:
        return "it is empty"
    if all(isinstance(part, Tensor) for part in parts):
        return "torch.stack or torch.cat joins tensors"
    if all(isinstance(part, numbers.Number) for part in parts):
        return "torch.tensor(…) makes one of numbers"
    if all(isinstance(part, list | tuple) for part in parts):
        return "torch.tensor(…) makes one of lists of numbers, torch.stack of lists of tensors"
    return "one kind of things must be in it, then torch.tensor(…) or torch.stack(…) makes one"


def _spoilt(dtype: torch.dtype) -> str:
    """What is lost in numbers of this type."""
    if dtype.is_complex:
        return "in Python, a negative number ** 0.5 is complex; so look for the root of a negative number"
    if dtype.is_floating_point:
        return "rounding spoils them"
    return "they are whole numbers, without what stands behind the decimal point"
