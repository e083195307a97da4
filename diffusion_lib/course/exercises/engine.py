"""The engine behind `check` and `hint`: an exercise is data, a verdict is one sentence.

A check draws a dozen random inputs, computes the exact answer to each in float64, and compares. The draws are seeded
by the exercise's number, so everyone gets the same verdict. Draws are added until every catalogued mistake
differs, on at least one of them, from the exact answer and from every other mistake.
"""

import dis
import functools
import importlib
import importlib.util
import inspect
import numbers
import os
import types
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from .running import Failure, Outcome, run_calls

TIME_LIMIT = 10.0  # seconds for all calls of one check, which take a few milliseconds: room for a crowded server
DRAWS = 12  # random inputs a check starts with
MOST_DRAWS = 96  # and may grow to, until all mistakes are told apart
APART = 30.0  # two answers are different when they are this many tolerances apart


@dataclass(frozen=True)
class Mistake:
    """A well-known wrong answer: a function with the reference's arguments, and what it confuses."""

    answer: Callable
    sentence: str


@dataclass(frozen=True)
class Property:
    """Something true of every right answer: `holds(arguments, answer)`, and the sentence when it is not."""

    holds: Callable[[tuple, Any], bool]
    sentence: str


@dataclass(frozen=True)
class Exercise:
    """One exercise: its exact answer, its inputs, its catalogue of mistakes and its three hints.

    `reference(*inputs(generator))` is the answer; a tuple of tensors if `returns` names more than one thing.
    `tolerance` is relative to the size of each number plus, unless `each_number`, the root mean square of them all.
    `exact=False` says that many answers are right: then the properties alone decide.
    `observe(arguments, result)` gives what is compared where a function works by changing its arguments, those that
    `changes` names.
    """

    id: str
    title: str
    reference: Callable
    inputs: Callable[[torch.Generator], tuple]
    mistakes: tuple[Mistake, ...]
    hints: tuple[str, str, str]
    properties: tuple[Property, ...] = ()
    returns: tuple[str, ...] = ("answer",)
    tolerance: float = 1e-5
    each_number: bool = False
    exact: bool = True
    observe: Callable[[tuple, Any], Any] | None = None
    changes: tuple[str, ...] = ()

    @property
    def arguments(self) -> tuple[str, ...]:
        """The names of the function's arguments."""
        return tuple(inspect.signature(self.reference).parameters)


@dataclass(frozen=True)
class Verdict:
    """What a check found: `state` and the one line it prints."""

    state: Literal["right", "not attempted", "not yet"]
    line: str
    printed: str = ""


# ------------------------------------------------------------------------------------------------ for the learner


def check(id: str, function: Callable) -> None:
    """Run your function against the exact answer and print one line; under nbgrader, raise if it is not right.

    Raises `ValueError` where there is no such exercise. Taught in notebook 00.
    """
    verdict = judge(find(id), function)
    if verdict.state != "right":
        if verdict.printed:
            print(verdict.printed.rstrip("\n"))
        if grading():
            raise AssertionError(verdict.line)
    print(verdict.line)


def hint(id: str) -> None:
    """Print the next of an exercise's three hints; raises `ValueError` where there is no such exercise."""
    exercise = find(id)
    tier = min(_hints_given.get(id, 0) + 1, len(exercise.hints))
    _hints_given[id] = tier
    last = "  (the last)" if tier == len(exercise.hints) else ""
    print(f"{id} — hint {tier} of {len(exercise.hints)}{last}: {exercise.hints[tier - 1]}")


_hints_given: dict[str, int] = {}


def grading() -> bool:
    """Whether nbgrader executes this notebook, or `DIFFUSION_EXERCISES=strict` is set."""
    return bool(os.environ.get("NBGRADER_EXECUTION")) or os.environ.get("DIFFUSION_EXERCISES") == "strict"


# ------------------------------------------------------------------------------------------------ the catalogue


@functools.cache
def catalogue(notebook: int) -> dict[str, Exercise]:
    """The exercises of one notebook by number; empty where it has none."""
    name = f"diffusion_lib.course.exercises.nb{notebook:02d}"
    if importlib.util.find_spec(name) is None:
        return {}
    return {exercise.id: exercise for exercise in importlib.import_module(name).EXERCISES}


def find(id: str) -> Exercise:
    """The exercise of that number."""
    notebook, _, _ = str(id).partition(".")
    known = catalogue(int(notebook)) if notebook.isdecimal() else {}
    if not isinstance(id, str) or id not in known:
        remedy = f"notebook {int(notebook):02d} has {', '.join(known)}" if known else "write it like check('2.1', f)"
        raise ValueError(f"there is no exercise {id!r}: {remedy}")
    return known[id]


# ------------------------------------------------------------------------------------------------ the draws


@dataclass(frozen=True)
class Draw:
    """One random input, by its seed, with the exact answer to it and what each mistake would answer."""

    arguments: Callable[[], tuple]
    answer: tuple
    mistakes: tuple


@functools.cache
def draws(exercise: Exercise) -> tuple[Draw, ...]:
    """Enough random inputs to tell all mistakes from the exact answer and from each other."""
    first_seed = zlib.crc32(exercise.id.encode())
    found: list[Draw] = []
    together: set[tuple[int, int]] = set()
    with torch.random.fork_rng(devices=[]), _defaults():
        while len(found) < DRAWS or (together and len(found) < MOST_DRAWS):
            arguments = functools.partial(_arguments, exercise, first_seed + len(found))
            draw = Draw(
                arguments,
                _exact(exercise, exercise.reference, arguments()),
                tuple(_exact(exercise, mistake.answer, arguments()) for mistake in exercise.mistakes),
            )
            answers = (draw.answer, *draw.mistakes)
            if not found:
                together = {(i, j) for j in range(len(answers)) for i in range(j)}
                if not exercise.exact:  # then the properties tell right from wrong
                    together = {(i, j) for i, j in together if i > 0}
            together = {(i, j) for i, j in together if agree(exercise, answers[i], answers[j], APART)}
            found.append(draw)
    if together:
        raise RuntimeError(f"exercise {exercise.id}: no draw tells apart the answers {sorted(together)} (0 is right)")
    return tuple(found)


@contextmanager
def _defaults() -> Iterator[None]:
    """Torch as it is when freshly imported, whatever the notebook has set."""
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with torch.device("cpu"), torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        torch.set_default_dtype(dtype)


def _arguments(exercise: Exercise, seed: int) -> tuple:
    with _defaults():
        return exercise.inputs(torch.Generator().manual_seed(seed))


def _exact(exercise: Exercise, function: Callable, arguments: tuple) -> tuple:
    """Evaluate in float64, as a tuple of tensors (or of whatever else a mistake returns)."""
    arguments = tuple(_double(argument) for argument in arguments)
    return _collect(exercise, arguments, function(*arguments))


def _double(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.double() if value.is_floating_point() else value
    if isinstance(value, torch.nn.Module):
        return value.double()
    if isinstance(value, list | tuple):
        return type(value)(_double(item) for item in value)
    return value


def _collect(exercise: Exercise, arguments: tuple, result: Any) -> tuple:
    """What is compared: the parts of the result, copied so that later calls cannot change them."""
    if exercise.observe is not None and result is not None and result is not Ellipsis:
        result = exercise.observe(arguments, result)
    parts = result if isinstance(result, list | tuple) and len(exercise.returns) > 1 else (result,)
    return tuple(_copy(part) for part in parts)


def _copy(part: Any) -> Any:
    if isinstance(part, Tensor) and part.layout is torch.strided and part.device.type != "meta":
        part = part.detach().cpu()
        return part.double() if part.dtype == torch.float32 else part.clone()
    if isinstance(part, numbers.Real) and not isinstance(part, bool):
        return torch.tensor(float(part), dtype=torch.float64)
    return part


def agree(exercise: Exercise, ours: tuple, theirs: tuple, times: float = 1.0) -> bool:
    """Whether two answers are equal up to `times` the tolerance; NaN and infinity equal themselves."""
    return len(ours) == len(theirs) and all(map(lambda a, b: _close(exercise, a, b, times), ours, theirs))


def _close(exercise: Exercise, exact: Any, other: Any, times: float) -> bool:
    if not (isinstance(exact, Tensor) and isinstance(other, Tensor)):
        return False
    if exact.shape != other.shape:
        return False
    exact, other = exact.double(), other.double()
    return bool(torch.all(_off(exercise, exact, other) <= times))


def _off(exercise: Exercise, exact: Tensor, other: Tensor) -> Tensor:
    """Elementwise distance in tolerances; 0 where both are the same infinity or both NaN."""
    finite = exact[exact.isfinite()]
    size = exact.abs()
    if not exercise.each_number and finite.numel():
        size = size + finite.square().mean().sqrt()
    same = (exact == other) | (exact.isnan() & other.isnan())
    off = (other - exact).abs() / (exercise.tolerance * size).clamp_min(1e-30)
    return torch.where(same, 0.0, off.nan_to_num(nan=torch.inf))


# ------------------------------------------------------------------------------------------------ the verdict


@dataclass(frozen=True)
class Answer:
    """What the learner's function made of one draw: its parts, and which inputs it changed."""

    parts: tuple
    changed: tuple[str, ...]
    result: Any


def judge(exercise: Exercise, function: Callable) -> Verdict:
    """Find out whether a function is right, and if not, which one thing to say about it."""
    if not callable(function):
        return _not_yet(exercise, f'Hand over the function itself, without brackets: check("{exercise.id}", name).')
    if _is_stub(function):
        return _not_attempted(exercise)
    if sentence := _wrong_arguments(exercise, function):
        return _not_yet(exercise, sentence)

    outcome = _run(exercise, function)
    if outcome.failure and outcome.failure.name == "NotImplementedError":
        return _not_attempted(exercise)
    answers: list[Answer] = outcome.results
    if any(_has(Ellipsis, answer.result) for answer in answers):
        return _not_attempted(exercise)
    sentence = (
        _stopped(exercise, outcome)
        or _wrong_form(exercise, answers)
        or _wrong_numbers(exercise, answers, outcome)
        or _changed_input(answers, "Your numbers are right, but you")
    )
    if sentence:
        return _not_yet(exercise, sentence, outcome.printed)
    return Verdict("right", f"{exercise.id} — right.")


def _not_attempted(exercise: Exercise) -> Verdict:
    remedy = f'replace the ... and run the cell again.  hint("{exercise.id}") helps.'
    return Verdict("not attempted", f"{exercise.id} — not attempted yet: {remedy}")


def _not_yet(exercise: Exercise, sentence: str, printed: str = "") -> Verdict:
    return Verdict("not yet", f"{exercise.id} — not yet. {sentence}", printed)


_IDLE = {"RESUME", "NOP", "CACHE", "LOAD_CONST", "POP_TOP", "RETURN_VALUE", "RETURN_CONST", "MAKE_CELL",
         "COPY_FREE_VARS"}  # fmt: skip


def _is_stub(function: Callable) -> bool:
    """Whether the body is nothing but a docstring, `...`, `pass` or `return ...`."""
    code = getattr(function, "__code__", None)
    if not isinstance(code, types.CodeType):
        return False
    steps = list(dis.get_instructions(code))
    idle = all(step.opname in _IDLE for step in steps)
    return idle and all(step.argval in (None, ...) for step in steps if step.opname in ("LOAD_CONST", "RETURN_CONST"))


def _wrong_arguments(exercise: Exercise, function: Callable) -> str | None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some built-in callables do not tell
        return None
    try:
        signature.bind(*exercise.arguments)
    except TypeError:
        wanted = ", ".join(exercise.arguments)
        return f"Your function takes {signature}, but the check calls it with ({wanted}): keep the stub's first line."
    return None


def _run(exercise: Exercise, function: Callable) -> Outcome:
    """Call the function on every draw, and on the first once more."""
    known = draws(exercise)

    def collect(arguments: tuple, result: Any) -> Answer:
        fresh = known[len(taken) % len(known)].arguments()
        taken.append(None)
        changed = [
            name
            for name, old, new in zip(exercise.arguments, fresh, arguments, strict=True)
            if name not in exercise.changes and not _same(old, new)
        ]
        return Answer(_collect(exercise, arguments, result), tuple(changed), result)

    taken: list[None] = []
    calls = [draw.arguments for draw in (*known, known[0])]
    return run_calls(function, calls, collect, TIME_LIMIT)


def _same(old: Any, new: Any) -> bool:
    if isinstance(old, Tensor):
        return torch.equal(old, new)
    if isinstance(old, torch.nn.Module):
        return all(map(torch.equal, old.state_dict().values(), new.state_dict().values()))
    if isinstance(old, list | tuple):
        return len(old) == len(new) and all(map(_same, old, new))
    return not isinstance(old, numbers.Number) or old == new


def _stopped(exercise: Exercise, outcome: Outcome) -> str | None:
    """The sentence for a function that raised, or did not come back."""
    if outcome.timed_out:
        restart = " It could not be stopped: restart the kernel." if outcome.left_running else ""
        return f"Your function was still busy after {TIME_LIMIT:g} seconds: look for a loop that never ends.{restart}"
    failure: Failure | None = outcome.failure
    if failure is None:
        return None
    where = f" in line {failure.line}, `{_short(failure.source, 80)}`" if failure.line else ""
    about = f" ({_short(failure.message, 160)})" if failure.message else ""
    called = _said(exercise, draws(exercise)[len(outcome.results) % len(draws(exercise))].arguments())
    return f"Your function stopped with {failure.name}{about}{where}. It was called with {called}."


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _said(exercise: Exercise, arguments: tuple, shapes: bool = True) -> str:
    """The arguments in words: numbers by value, tensors by shape."""
    said = []
    for name, value in zip(exercise.arguments, arguments, strict=True):
        if isinstance(value, numbers.Number):
            said.append(f"{name} = {value:.4g}")
        elif isinstance(value, Tensor) and value.ndim == 0:
            said.append(f"{name} = {value.item():.4g}")
        elif isinstance(value, Tensor) and shapes:
            said.append(f"{name} of shape {tuple(value.shape)}")
        elif shapes:
            said.append(f"{name} a {type(value).__name__}")
    return ", ".join(said)


def _has(what: Any, result: Any) -> bool:
    return result is what or (isinstance(result, list | tuple) and any(part is what for part in result))


def _wrong_form(exercise: Exercise, answers: list[Answer]) -> str | None:
    """The sentence for a result that is not made of real, floating-point tensors."""
    names = exercise.returns
    for answer in answers:
        result = answer.result
        if result is None:
            return "Your function returns nothing: end it with return."
        if exercise.observe is None and len(names) > 1:
            found = len(result) if isinstance(result, list | tuple) else 1
            if found != len(names):
                things = "one thing" if found == 1 else f"{found} things"
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
        return f"{who} returns a {type(part).__name__} where one tensor is wanted: torch.stack or torch.cat joins them."
    if not isinstance(part, Tensor):
        return f"{who} returns a {type(part).__name__} where a tensor is wanted."
    if part.layout is not torch.strided or part.device.type == "meta":
        return f"{who} returns a tensor without ordinary numbers in it ({part.layout}, {part.device})."
    if part.dtype != torch.float64:
        return f"{who} returns numbers of type {part.dtype} where torch.float32 is wanted: rounding spoils them."
    return None


def _wrong_numbers(exercise: Exercise, answers: list[Answer], outcome: Outcome) -> str | None:
    """The sentence for numbers that are not right, from the most to the least telling."""
    known, answers, again = draws(exercise), answers[:-1], answers[-1]
    right = [agree(exercise, draw.answer, answer.parts) for draw, answer in zip(known, answers, strict=True)]
    if exercise.exact and all(right):
        return None
    if sentence := _catalogued(exercise, answers):
        return sentence
    if not agree(exercise, answers[0].parts, again.parts):
        if outcome.drew_random_numbers:
            return "Your function draws random numbers of its own; all the randomness it needs is handed to it."
        return "Called twice with the same input, your function answers differently: let nothing outside it matter."
    if sentence := _wrong_shape(exercise, answers):
        return sentence
    if outcome.drew_random_numbers:
        return "Your function draws random numbers of its own; all the randomness it needs is handed to it."
    if sentence := _changed_input(answers, "You"):
        return sentence
    for answer, draw in zip(answers, known, strict=True):
        if not all(part.isfinite().all() for part in answer.parts):
            where = _said(exercise, draw.arguments(), shapes=False)
            return f"There is a NaN or an infinity in your answer{f' for {where}' if where else ''}: look for 0/0."
    for rule in exercise.properties:
        for answer, draw in zip(answers, known, strict=True):
            value = answer.parts if len(exercise.returns) > 1 else answer.parts[0]
            if not rule.holds(tuple(_double(argument) for argument in draw.arguments()), value):
                return rule.sentence
    return _uncatalogued(exercise, answers, right) if exercise.exact else None


def _catalogued(exercise: Exercise, answers: list[Answer]) -> str | None:
    """The mistake whose numbers these are, as a whole or in one part, on every draw."""
    known = draws(exercise)
    for number, mistake in enumerate(exercise.mistakes):
        if all(
            agree(exercise, draw.mistakes[number], answer.parts, 3.0)
            for draw, answer in zip(known, answers, strict=True)
        ):
            return mistake.sentence
    for part in range(len(exercise.returns)):
        mine = [answer.parts[part : part + 1] for answer in answers]
        if all(agree(exercise, draw.answer[part : part + 1], own) for draw, own in zip(known, mine, strict=True)):
            continue
        for number, mistake in enumerate(exercise.mistakes):
            if all(
                agree(exercise, draw.mistakes[number][part : part + 1], own, 3.0)
                for draw, own in zip(known, mine, strict=True)
            ):
                return mistake.sentence
    return None


def _wrong_shape(exercise: Exercise, answers: list[Answer]) -> str | None:
    for answer, draw in zip(answers, draws(exercise), strict=True):
        for name, part, exact in zip(exercise.returns, answer.parts, draw.answer, strict=True):
            if part.shape != exact.shape:
                whose = "Your answer" if len(exercise.returns) == 1 else f"Your {name}"
                found, wanted = (_shape(tensor) for tensor in (part, exact))
                return f"{whose} {found} where {wanted.replace('is ', '').replace('has ', '')} is wanted."
    return None


def _shape(tensor: Tensor) -> str:
    return f"has shape {tuple(tensor.shape)}" if tensor.ndim else "is a single number"


def _changed_input(answers: list[Answer], who: str) -> str | None:
    names = next((answer.changed for answer in answers if answer.changed), ())
    if not names:
        return None
    return f"{who} changed {names[0]} in place; the caller still needs it. Write y = x * a, not x *= a or x[0] = a."


def _uncatalogued(exercise: Exercise, answers: list[Answer], right: list[bool]) -> str:
    """A sentence for wrong numbers that nothing in the catalogue explains."""
    known = draws(exercise)
    wrong = [
        part
        for part in range(len(exercise.returns))
        if not all(
            agree(exercise, draw.answer[part : part + 1], answer.parts[part : part + 1])
            for draw, answer in zip(known, answers, strict=True)
        )
    ]
    fine = [name for part, name in enumerate(exercise.returns) if part not in wrong]
    start = f"The {' and the '.join(fine)} is right. " if fine else ""
    name = exercise.returns[wrong[0]]
    pairs = [(draw.answer[wrong[0]], answer.parts[wrong[0]]) for draw, answer in zip(known, answers, strict=True)]
    helps = f'hint("{exercise.id}") helps.'

    if all(_close(exercise, -exact, own, 3.0) for exact, own in pairs):
        return f"{start}The {name} has the wrong sign everywhere."
    if any(right):
        where = _said(exercise, known[right.index(False)].arguments(), shapes=False)
        case = f", not for {where}" if where else ""
        return f"{start}The {name} is right for {sum(right)} of {len(right)} random inputs{case}. {helps}"
    if all(exact.numel() > 2 and _close(exercise, exact * _factor(exact, own), own, 3.0) for exact, own in pairs):
        return f"{start}The {name} is right up to one factor that all its numbers share. {helps}"
    if all(exact.numel() > 2 and _close(exercise, exact + (own - exact).mean(), own, 3.0) for exact, own in pairs):
        return f"{start}The {name} is right up to one number added everywhere. {helps}"
    for place, rest in (("first", slice(1, None)), ("last", slice(None, -1))):
        if all(exact.ndim and len(exact) > 1 and _close(exercise, exact[rest], own[rest], 1.0) for exact, own in pairs):
            return f"{start}Of the {name}, only the {place} entry is wrong. {helps}"
    return f"{start}The {name} has the right shape, but not the right numbers. {helps}"


def _factor(exact: Tensor, own: Tensor) -> Tensor:
    return (exact * own).sum() / exact.square().sum()
