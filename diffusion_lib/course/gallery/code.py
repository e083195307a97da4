"""A program as text, with lines changed, and run: `load("tiny")`, `load("tiny", [(right, wrong)])`."""

import linecache
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

PROGRAMS = Path(__file__).parent / "programs"


class Code(SimpleNamespace):
    """A program that was run: its functions and numbers as attributes, its text, and its name."""

    def __repr__(self) -> str:
        return f"<{self.name}>"


def text_of(program: str) -> str:
    """The text of a program, as it stands in `programs/`.

    Raises ValueError where there is none of that name.
    """
    path = PROGRAMS / f"{program}.py"
    if not path.is_file():
        names = sorted(file.stem for file in PROGRAMS.glob("[a-z]*.py"))
        raise ValueError(f"there is no program {program!r}: give one of {', '.join(names)}")
    return path.read_text(encoding="utf-8")


def changed(program: str, changes: Sequence[tuple[str, str]]) -> str:
    """The text of a program with each first text of `changes` replaced by the second.

    Raises ValueError where a text is not there exactly once.
    """
    text = text_of(program)
    for old, new in changes:
        if text.count(old) != 1:
            raise ValueError(f"{program}.py has {old!r} {text.count(old)} times, not once: give more of the line")
        text = text.replace(old, new)
    return text


def load(program: str, changes: Sequence[tuple[str, str]] = (), name: str = "the right code") -> Code:
    """Run a program, with lines changed, and return what it defines. Notebook 12.

    Raises ValueError for a program that is none, and for a change whose text is not there exactly once.
    """
    text = changed(program, changes)
    file = str(PROGRAMS / f"{program}, {name}")  # no file: tracebacks find the lines in linecache
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    package = f"{__package__}.programs"
    defined = {"__name__": f"{package}.{program}", "__package__": package}
    exec(compile(text, file, "exec"), defined)
    return Code(**{key: value for key, value in defined.items() if key[0] != "_"} | {"name": name, "text": text})
