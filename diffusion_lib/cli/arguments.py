"""Command-line options that follow from a function or a class: names, types, defaults, choices and help.

An option's help is the comment behind its definition (a dataclass's field, a function's parameter), or the line
``name: …`` of its docstring. Choices are those of its type, see :func:`~diffusion_lib.training.config.choices`.

This is argparse rather than tyro or jsonargparse, because their errors are boxes or paragraphs where ours are one line,
and because choices come from registries, which are complete only when the program runs.
"""

from __future__ import annotations

import argparse
import inspect
import re
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin


class Parser(argparse.ArgumentParser):
    """argparse whose errors are one line, and whose options may stand anywhere: ``export site --out here 01.ipynb``."""

    mixing = False

    def parse_known_args(self, args=None, namespace=None):
        if self._subparsers or self.mixing:
            return super().parse_known_args(args, namespace)
        self.mixing = True  # for the two passes of the next line, which come here again
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self.mixing = False

    def error(self, message: str):
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


class Option(NamedTuple):
    """One option of a function or a class; ``kind`` makes its value from text; no ``choices`` means any value."""

    name: str
    kind: Callable[[str], Any]
    default: Any
    choices: tuple[str, ...]
    help: str


def options_of(thing: Callable) -> dict[str, Option]:
    """The options that can be given as text, in order: numbers, words, yes or no, and lists of whole numbers."""
    from ..training.config import choices

    helps = help_of(thing)
    names = inspect.unwrap(thing.__init__ if isinstance(thing, type) else thing).__globals__
    options = {}
    for name, parameter in inspect.signature(thing).parameters.items():
        hint = parameter.annotation
        try:
            hint = eval(hint, names) if isinstance(hint, str) else hint
        except NameError:  # of a type that is known to type checkers alone
            continue
        kind = kind_of(hint)
        if kind is not None:
            options[name] = Option(name, kind, parameter.default, choices(hint), helps.get(name, ""))
    return options


def kind_of(hint: Any) -> Callable[[str], Any] | None:
    """What makes a value of this type from text; None if nothing does."""
    if get_origin(hint) in (Union, types.UnionType):  # X | None
        (hint,) = [part for part in get_args(hint) if part is not types.NoneType][:1]
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if get_origin(hint) is Literal:
        return str
    if hint == tuple[int, ...]:
        return whole_numbers
    return hint if hint in (int, float, str, bool) else None


def help_of(thing: Callable) -> dict[str, str]:
    """What is said of each parameter or field: the comment behind it, or else the docstring's line ``name: …``."""
    helps = dict(re.findall(r"^ *(\w+): (.+)$", inspect.getdoc(thing) or "", re.MULTILINE))
    try:
        source = inspect.getsource(thing)
    except (OSError, TypeError):  # defined where there is no file
        return helps
    return helps | dict(re.findall(r"^ *(\w+): .*?# (?!noqa)(.+)$", source, re.MULTILINE))


def add_options(parser: argparse.ArgumentParser, options: Iterable[Option]) -> None:
    """Add options to a parser; ``default=None`` stands for "not given"."""
    for option in options:
        kind = {"type": option.kind}
        if option.kind is bool:
            kind = {"action": argparse.BooleanOptionalAction}
        elif option.choices:
            kind["choices"] = option.choices
        elif option.kind is whole_numbers:
            kind["metavar"] = "N,N,…"
        default = None if option.default is inspect.Parameter.empty else option.default
        text = option.help.replace("%", "%%") + ("" if default is None else f" (default: {default})")
        parser.add_argument(f"--{option.name.replace('_', '-')}", default=default, help=text, **kind)


def optional(
    things: Mapping[str, Callable], *, skip: Iterable[str] = (), shown: Mapping[str, str] = {}
) -> list[Option]:
    """The keyword-only options of several things, each listed once and without a default; the help says whose it is.

    ``shown`` is what the help gives instead of a default.
    """
    merged: dict[str, Option] = {}
    for thing_name, thing in things.items():
        keywords = inspect.signature(thing).parameters
        for name, option in options_of(thing).items():
            if name in skip or keywords[name].kind is not inspect.Parameter.KEYWORD_ONLY:
                continue
            whose = f"{thing_name}: {shown.get(name) or _text(option.default)}"
            before = merged.get(name)
            text = f"{before.help[:-1]}, {whose})" if before else f"{option.help} ({whose})".strip()
            merged[name] = option._replace(default=None, help=text)
    return list(merged.values())


def chosen(options: argparse.Namespace, name: str, thing: Callable, offered: Iterable[Option]) -> dict[str, Any]:
    """Those of the ``offered`` options that were given, for ``thing``. Raises ValueError if it does not take one."""
    given = {option.name: value for option in offered if (value := getattr(options, option.name)) is not None}
    known = inspect.signature(thing).parameters
    for option in given:
        if option not in known:
            takes = ", ".join(f"--{o.name.replace('_', '-')}" for o in offered if o.name in known) or "none of these"
            raise ValueError(f"--{option.replace('_', '-')} is no option of {name}: leave it out (it takes {takes})")
    return given


def whole_numbers(text: str) -> tuple[int, ...]:
    """``"1,2,4"`` as (1, 2, 4)."""
    return tuple(int(part) for part in text.split(",") if part)


def at_least_one(text: str) -> int:
    """A whole number above 0."""
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is too few: give a whole number of at least 1")
    return int(text)


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
