"""Registries: each kind of thing (schedule, target, sampler, data set, network, …) is listed in one place, by name.

Adding one is a class or function with one decorator, beside its definition::

    @SCHEDULES.register
    @dataclass(frozen=True)
    class MySchedule(Schedule): ...

Command-line choices, error messages, files and parametrised tests all read the registry, so they follow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Registry(dict[str, T]):
    """A dict from names to things of one ``kind``, such as "schedule", in the order of their registration."""

    def __init__(self, kind: str):
        super().__init__()
        self.kind = kind

    def register(self, thing: T | None = None, *, name: str | None = None) -> T | Callable[[T], T]:
        """Add ``thing`` under ``name`` (its own name if left out) and return it; works as a decorator, with or without.

        Raises:
            ValueError: the name is taken by another thing (defining the same one again, as a notebook does, is fine).
        """
        if thing is None:
            return lambda thing: self.register(thing, name=name)
        name = name or thing.__name__
        if name in self and _origin(self[name]) != _origin(thing):
            raise ValueError(f"{self.kind} {name!r} is registered already: choose another name")
        self[name] = thing
        return thing

    def find(self, name: str, *, option: str | None = None) -> T:
        """The thing of that name.

        Raises:
            ValueError: there is none; the message lists those there are. ``option`` is what the message calls it.
        """
        if name not in self:
            raise ValueError(f"{option or self.kind}={name!r} is none of {', '.join(map(repr, self))}")
        return self[name]


def _origin(thing) -> tuple:
    """Where a thing was defined: two definitions of one cell, run twice, have the same."""
    return getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
