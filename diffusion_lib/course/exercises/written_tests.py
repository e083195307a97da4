"""Exercises whose answer is a test: it has to pass on right programs and to fail on wrong ones.

A learner writes `def test_spread(code):` with asserts. The check calls it on the right program, on the same written in
other ways, and on programs with one wrong line each, every time with other random numbers; and says in one sentence
what the test lets pass, or what it blames for nothing.
"""

import ast
import contextlib
import inspect
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from .running import Outcome, describe, run_calls
from .stubs import source_of

SEEDS = 10  # runs on the right program, each with random numbers of its own
AGAIN = 3  # runs on every other program
TIME_LIMIT = 60.0  # seconds for all runs of one check: a test takes some milliseconds


@dataclass(frozen=True)
class Subject:
    """A program that tests are tried on: how it is made, and what it is, in words."""

    make: Callable[[], object]
    words: str


@dataclass(frozen=True)
class TestExercise:
    """An exercise that asks for a test of a program.

    reference: a test that is right. right: the program itself first, then the same written in other ways; their words
    complete "your test fails on a right program, too: ". wrong: those that the test has to notice; their words complete
    "your test passes on the program in which …". nonsense: programs that no test should let pass, by which one that
    compares a program with itself is recognised; their words complete "it passes even where …".
    """

    __test__ = False  # pytest: not a class of tests

    id: str
    title: str
    reference: Callable[[object], None]
    right: tuple[Subject, ...]
    wrong: tuple[Subject, ...]
    nonsense: tuple[Subject, ...]
    hints: tuple[str, str, str]

    @property
    def arguments(self) -> tuple[str, ...]:
        """The names of the test's arguments."""
        return tuple(inspect.signature(self.reference).parameters)


@dataclass(frozen=True)
class Run:
    """What a test said of a program once: whether it raised AssertionError, and in which line of the learner's."""

    failed: bool
    line: int | None = None
    source: str = ""


def sentence_about(exercise: TestExercise, test: Callable) -> tuple[str, str, Outcome]:
    """What to say of a test: "right", "stub" or "wrong", the sentence, and how the runs went."""
    outcome = run_everywhere(exercise, test)
    if outcome.timed_out or outcome.interrupted:
        return "wrong", _too_slow(outcome), outcome
    if outcome.failure is not None:
        state, sentence = _stopped(exercise, outcome, plan(exercise)[len(outcome.results)][0])
    else:
        state, sentence = sentence_of(exercise, test, outcome.results)
    return state, sentence + (_of_the_page(exercise, test) if state == "wrong" else ""), outcome


def plan(exercise: TestExercise) -> list[tuple[int, int]]:
    """Every run: the number of the program among right, wrong and nonsense, and the seed."""
    programs = len(exercise.right) + len(exercise.wrong) + len(exercise.nonsense)
    return [(n, seed) for n in range(programs) for seed in range(AGAIN if n else SEEDS)]


def run_everywhere(exercise: TestExercise, test: Callable) -> Outcome:
    """Try a test on every program; the results are a `Run` each, up to where something else was raised.

    On nonsense, whatever is raised counts as noticed: there, a test may well divide by 0.
    """
    subjects = [*exercise.right, *exercise.wrong, *exercise.nonsense]
    calls = [lambda n=n, seed=seed: (subjects[n], seed) for n, seed in plan(exercise)]

    def once(subject: Subject, seed: int) -> Run:
        code = subject.make()
        torch.manual_seed(seed)
        try:
            with _seeds_moved_by(seed):
                test(code)
        except AssertionError as error:
            failure = describe(error)
            return Run(True, failure.line, failure.source)
        except Exception:
            if subject not in exercise.nonsense:
                raise
            return Run(True)
        return Run(False)

    return run_calls(once, calls, lambda arguments, result: result, TIME_LIMIT)


@contextlib.contextmanager
def _seeds_moved_by(places: int) -> Iterator[None]:
    """Let a test that sets the seed draw other numbers in each run: a lucky seed must not make it right."""
    set_seed = torch.manual_seed
    torch.manual_seed = lambda seed: set_seed(int(seed) + 1000 * places)
    try:
        yield
    finally:
        torch.manual_seed = set_seed


def sentence_of(exercise: TestExercise, test: Callable, results: list[Run]) -> tuple[str, str]:
    """What to say of a test that ran on every program: "right" or "wrong", and the sentence."""
    runs: list[list[Run]] = [[] for _ in (*exercise.right, *exercise.wrong, *exercise.nonsense)]
    for (n, _), run in zip(plan(exercise), results, strict=True):
        runs[n].append(run)
    parts = len(exercise.right), len(exercise.right) + len(exercise.wrong)
    sentence = _sentence(exercise, test, runs[: parts[0]], runs[parts[0] : parts[1]], runs[parts[1] :])
    if sentence:
        return "wrong", sentence
    passes, notices = len(exercise.right), len(exercise.wrong)
    return "right", f"It passes on {passes} right programs and notices {notices} of {notices} wrong ones."


def _sentence(
    exercise: TestExercise,
    test: Callable,
    right: list[list[Run]],
    wrong: list[list[Run]],
    nonsense: list[list[Run]],
) -> str | None:
    """The sentence about a test that ran everywhere; None where it is right."""
    blamed = [run for run in right[0] if run.failed]
    noticed = [sum(run.failed for run in runs) for runs in wrong]
    if blamed and len(blamed) == len(right[0]):
        everywhere = all(count == AGAIN for count in noticed)
        alike = "It fails on everything, right and wrong alike" if everywhere else "It fails on the right program, too"
        return f"{alike}{_at(blamed[0])}: that is what has to hold of a right program, and here it does not."
    if blamed:
        return (
            f"It depends on chance: {len(blamed)} of {len(right[0])} runs fail on the right program{_at(blamed[0])}. "
            "Allow for more standard errors (two are exceeded once in twenty times), or measure more points."
            f"{_seed_is_fixed(test)}"
        )
    for subject, runs in zip(exercise.right[1:], right[1:], strict=True):
        if any(run.failed for run in runs):
            return f"It fails on a right program, too: {subject.words}{_at(next(r for r in runs if r.failed))}."
    missed = [subject for subject, count in zip(exercise.wrong, noticed, strict=True) if not count]
    unsure = [(s, count) for s, count in zip(exercise.wrong, noticed, strict=True) if 0 < count < AGAIN]
    if len(missed) == len(exercise.wrong):
        return f"It passes on right and wrong alike: it cannot fail. {_why(exercise, test, nonsense)}"
    if missed:
        count = len(exercise.wrong)
        return f"It notices {count - len(missed)} of {count}. It passes on the program in which {missed[0].words}."
    if unsure:
        subject, count = unsure[0]
        return (
            f"It depends on chance: on the program in which {subject.words}, only {count} of {AGAIN} runs fail. "
            "Measure more points, so that the error bar becomes smaller."
        )
    for subject, runs in zip(exercise.nonsense, nonsense, strict=True):
        if not all(run.failed for run in runs):
            return f"It notices all wrong lines here, and yet it passes where {subject.words}."
    return None


def _why(exercise: TestExercise, test: Callable, nonsense: list[list[Run]]) -> str:
    """Why a test cannot fail, as far as that can be seen."""
    tree = _tree(test)
    if tree is not None and not _asserts(test):
        return "There is no assert in it."
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Assert) and isinstance(node.test, ast.Tuple) and node.test.elts:
            return "`assert (a, b)` asserts a tuple, which is always true: leave out the brackets."
        if isinstance(node, ast.Assert) and isinstance(node.test, ast.Constant | ast.JoinedStr):
            return f"`assert {ast.unparse(node.test)}` is always true: after assert belongs what has to be true."
        if isinstance(node, ast.Try) and any(map(_catches, node.handlers)) and _has_assert(node.body):
            return "Its assert stands below `try`, and `except` catches what it raises: take it out of there."
    if tree is not None and not any(isinstance(n, ast.Name) and n.id in exercise.arguments for n in ast.walk(tree)):
        return f"It never looks at `{exercise.arguments[0]}`."
    for subject, runs in zip(exercise.nonsense, nonsense, strict=True):
        if not any(run.failed for run in runs):
            return (
                f"It passes even where {subject.words}. So does every test that looks at shapes only, or compares the "
                "program with itself: compare with a number that you know from elsewhere."
            )
    return f"Among others it passes on the program in which {exercise.wrong[0].words}."


def _tree(test: Callable) -> ast.AST | None:
    """The source of a function, parsed; None where it is not known."""
    try:
        return ast.parse(textwrap.dedent(source_of(test)))
    except (OSError, TypeError, SyntaxError, ValueError):
        return None


def _has_assert(nodes: list[ast.stmt]) -> bool:
    """Whether there is an assert, a raise or a call of `torch.testing.assert_close` and the like."""
    for node in (part for statement in nodes for part in ast.walk(statement)):
        called = getattr(node.func, "attr", getattr(node.func, "id", "")) if isinstance(node, ast.Call) else ""
        if isinstance(node, ast.Assert | ast.Raise) or called.startswith("assert"):
            return True
    return False


def _asserts(function: Callable, depth: int = 3) -> bool:
    """Whether a function asserts something, itself or in a function of the notebook that it calls."""
    tree = _tree(function)
    if tree is None or _has_assert([tree]):
        return True
    names = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    known = getattr(function, "__globals__", {})
    helpers = [known[name] for name in names if inspect.isfunction(known.get(name)) and known[name] is not function]
    return depth > 0 and any(_asserts(helper, depth - 1) for helper in helpers)


def _catches(handler: ast.ExceptHandler) -> bool:
    """Whether an `except` catches an AssertionError, and raises nothing itself."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    caught = any(kind is None or getattr(kind, "id", "") in ("AssertionError", "Exception") for kind in kinds)
    return caught and not _has_assert(handler.body)


def _seed_is_fixed(test: Callable) -> str:
    tree = _tree(test)
    fixed = tree is not None and any(getattr(node, "attr", "") == "manual_seed" for node in ast.walk(tree))
    return " (A seed that is fixed hides this, so the check moves yours on from run to run.)" if fixed else ""


def _of_the_page(exercise: TestExercise, test: Callable) -> str:
    """A sentence where a test uses what the page defines in the place of what the program under test has."""
    tree = _tree(test)
    if tree is None:
        return ""
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    own = {node.id for node in names if not isinstance(node.ctx, ast.Load)}
    own |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    program = getattr(exercise.right[0].make(), "__dict__", {})
    known = getattr(test, "__globals__", {})
    used = {
        node.id: None  # in the order in which they are used
        for node in names
        if node.id not in own and node.id in known and _is_of_a_program(program.get(node.id))
    }
    if not used:
        return ""
    code = exercise.arguments[0]
    here, there = (" and ".join(f"`{before}{name}`" for name in list(used)[:2]) for before in ("", f"{code}."))
    return f" It uses {here} of the page: in the program under test, that is {there}."


def _is_of_a_program(value: object) -> bool:
    """Whether it is a function that a program defines, a number or a tensor, and not what it imports."""
    return inspect.isfunction(value) or isinstance(value, int | float | torch.Tensor)


def _stopped(exercise: TestExercise, outcome: Outcome, place: int) -> tuple[str, str]:
    """The sentence for a test that stopped with something else than AssertionError."""
    failure = outcome.failure
    source = failure.source[:80]
    if failure.name == "NotImplementedError" and not failure.message:
        return "stub", ""
    where = f" in line {failure.line}, `{source}`" if failure.line and source else ""
    about = f" ({failure.message[:160]})" if failure.message else ""
    if place == 0:
        whose = "on the right program"
    elif place < len(exercise.right):
        whose = f"on a right program ({exercise.right[place].words})"
    else:
        whose = "on a wrong program"
    return "wrong", (
        f"It stopped with {failure.name}{about}{where}, {whose}: a test says what is wrong by an assert that fails, "
        "and any other error is one of the test's own."
    )


def _too_slow(outcome: Outcome) -> str:
    restart = " It could not be stopped: restart the kernel." if outcome.left_running else ""
    if outcome.interrupted:
        return f"You interrupted the check before the test had run on all programs.{restart}"
    return (
        f"All runs of your test together took more than {TIME_LIMIT:g} seconds: "
        f"measure fewer points, or look for a loop that never ends.{restart}"
    )


def _at(run: Run) -> str:
    return f", in line {run.line}, `{run.source[:80]}`" if run.line and run.source else ""
