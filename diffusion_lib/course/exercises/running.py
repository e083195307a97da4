"""Run a learner's function safely: in a thread, for a limited time, with its printing and its mess kept apart.

What a learner writes may loop for ever, print, raise, or seed the global random numbers. `run_calls` calls the
function on each list of arguments and always comes back, with an `Outcome` that says how it went. A thread and
an asynchronous exception do this on Linux, macOS and Windows alike, inside a Jupyter kernel or not.
"""

import ctypes
import linecache
import os
import random
import sys
import sysconfig
import threading
import time
import traceback
import types
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import torch

from .display import clean

PRINT_LIMIT = 2000  # characters of a function's own printing that are kept


class TimeUp(BaseException):
    """Raised inside the learner's function when its time is up."""


@dataclass
class Failure:
    """An exception out of the learner's code: its name, its message, and the line of theirs it came from.

    `in_result` says that it came up when what the function returned was read, not in the function itself.
    """

    name: str
    message: str = ""
    line: int | None = None
    source: str = ""
    in_result: bool = False


@dataclass
class Outcome:
    """What came of the calls: the results so far, what went wrong, and what the first call printed."""

    results: list = field(default_factory=list)
    failure: Failure | None = None
    timed_out: bool = False
    interrupted: bool = False
    left_running: bool = False
    printed: str = ""
    drew_random_numbers: bool = False


def run_calls(function: Callable, calls: Iterable[Callable[[], tuple]], collect: Callable, seconds: float) -> Outcome:
    """Call `function(*arguments())` for each of `calls`, keep `collect(arguments, result)`, stop after `seconds`.

    Nothing is raised, also not when the learner interrupts the kernel: the `Outcome` says so.
    """
    outcome = Outcome()
    finished = threading.Event()  # not `join`: an interrupted one takes the thread for dead (Python 3.11 and 3.12)

    def work() -> None:
        try:
            _call_all(function, calls, collect, outcome)
        except TimeUp:
            pass
        finally:
            finished.set()

    worker = threading.Thread(target=work, name="exercise", daemon=True)
    with _tidy(), _listening(worker, lambda: not outcome.results) as printed:
        worker.start()
        try:
            _wait(finished, seconds)
        except KeyboardInterrupt:
            outcome.interrupted = True
        if finished.is_set():
            worker.join()
        else:
            outcome.timed_out = not outcome.interrupted
            outcome.left_running = not _stop(worker, finished)
    outcome.printed = "".join(printed)
    return outcome


def _call_all(function: Callable, calls: Iterable[Callable[[], tuple]], collect: Callable, outcome: Outcome) -> None:
    """Call the function until it raises. SystemExit counts too: nothing that a learner raises may leave the check."""
    for arguments_of in calls:
        arguments = arguments_of()
        before = torch.get_rng_state()
        try:
            result = function(*arguments)
        except TimeUp:
            raise
        except BaseException as error:
            outcome.failure = describe(error)
            return
        outcome.drew_random_numbers |= not torch.equal(before, torch.get_rng_state())
        try:
            outcome.results.append(collect(arguments, result))
        except TimeUp:
            raise
        except BaseException as error:
            outcome.failure = replace(describe(error), in_result=True)
            return


def _wait(finished: threading.Event, seconds: float) -> None:
    """Wait in short turns: on Windows, an interrupt is noticed between two of them only."""
    give_up = time.monotonic() + seconds
    while not finished.is_set() and (left := give_up - time.monotonic()) > 0:
        finished.wait(min(left, 0.1))


def _stop(worker: threading.Thread, finished: threading.Event, patience: float = 1.0) -> bool:
    """Raise `TimeUp` inside the thread until it ends; False if it sits in a call that never returns."""
    give_up = time.monotonic() + patience
    while time.monotonic() < give_up:
        try:
            ident, error = ctypes.c_ulong(worker.ident), ctypes.py_object(TimeUp)
            if ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, error) == 0 or finished.wait(0.05):
                worker.join(0.05)
                return True
        except KeyboardInterrupt:  # an impatient learner presses stop twice
            continue
    return False


@contextmanager
def _tidy() -> Iterator[None]:
    """Put back the global random states and the default dtype that the function may have changed."""
    numpy = sys.modules.get("numpy")
    torch_state, python_state = torch.get_rng_state(), random.getstate()
    numpy_state = numpy.random.get_state() if numpy else None
    dtype = torch.get_default_dtype()
    try:
        yield
    finally:
        torch.set_rng_state(torch_state)
        random.setstate(python_state)
        if numpy:
            numpy.random.set_state(numpy_state)
        torch.set_default_dtype(dtype)


class _Listener:
    """Stands in for a stream: keeps what one thread writes while `wanted()`, passes on what the others write."""

    def __init__(self, stream, thread: threading.Thread, texts: list[str], wanted: Callable[[], bool]):
        self.stream, self.thread, self.texts, self.wanted, self.length = stream, thread, texts, wanted, 0

    def write(self, text: str) -> int:
        if threading.current_thread() is not self.thread:
            return self.stream.write(text)
        if self.length < PRINT_LIMIT and self.wanted():
            self.texts.append(text[: PRINT_LIMIT - self.length])
            self.length += len(text)
        return len(text)

    def __getattr__(self, name: str):
        return getattr(self.stream, name)


@contextmanager
def _listening(thread: threading.Thread, wanted: Callable[[], bool]) -> Iterator[list[str]]:
    """Keep what the thread prints while `wanted()`, drop what it writes to stderr, silence its warnings."""
    texts: list[str] = []
    out, err = sys.stdout, sys.stderr
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sys.stdout, sys.stderr = (
            _Listener(out, thread, texts, wanted),
            _Listener(err, thread, [], lambda: False),
        )
        try:
            yield texts
        finally:
            sys.stdout, sys.stderr = out, err


_NOT_THEIRS = tuple(
    os.path.realpath(path) + os.sep
    for path in (
        os.path.dirname(__file__),
        os.path.join(os.path.dirname(os.path.dirname(__file__)), "gallery"),  # the programs that a test is tried on
        *map(sysconfig.get_path, ("stdlib", "platstdlib", "purelib", "platlib")),
    )
)


def learners_line(frame: types.FrameType | None) -> tuple[int | None, str]:
    """The innermost line, from this frame outwards, that the learner wrote: its number and its text."""
    while frame is not None:
        name = frame.f_code.co_filename
        if not os.path.realpath(name).startswith(_NOT_THEIRS) and not name.startswith("<frozen"):
            return frame.f_lineno, linecache.getline(name, frame.f_lineno).strip()
        frame = frame.f_back
    return None, ""


def describe(error: BaseException) -> Failure:
    """Name the exception and the deepest line that the learner wrote."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not os.path.realpath(frame.filename).startswith(_NOT_THEIRS) and not frame.filename.startswith("<frozen")
    ]
    message = _first_line(error)
    if not frames:
        return Failure(type(error).__name__, message)
    last = frames[-1]
    source = (last.line or linecache.getline(last.filename, last.lineno or 0)).strip()
    return Failure(type(error).__name__, message, last.lineno, source)


def _first_line(error: BaseException) -> str:
    """The first line of the exception's text; empty if it has none, or raises when it is asked for it."""
    try:
        lines = str(error).strip().splitlines()
    except TimeUp:
        raise
    except BaseException:
        return ""
    return clean(lines[0]) if lines else ""
