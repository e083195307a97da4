"""What training draws for one step: clean examples, and what goes with them.

A data set has a fixed number of rows; a *draw function* makes new ones for as long as it is asked: fresh drawings that
never repeat, or pairs of noise and data (reflow). It is called as ``draw(count, generator)``, takes every random number
from ``generator``, and returns a `Draw` of ``count`` samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from ..conditions import Condition
from .dataset import Dataset, seeded
from .sources import DATASETS, check_options, find, is_drawn

CONDITIONS = ("labels", "attributes", None)


class Draw(NamedTuple):
    """Samples for one training step.

    x0: clean examples (B, …)
    cond: what each of them is, in the form that the network takes; None if nothing is known
    noise: the noise (B, …) that goes with each, where the two are paired; None: any noise will do
    """

    x0: Tensor
    cond: Condition = None
    noise: Tensor | None = None


@dataclass(frozen=True)
class Fresh:
    """A draw function whose examples never repeat: ``Fresh("shapes")(64, generator)`` is a `Draw` of 64 new pictures.

    name: a data set that is drawn by a formula: shapes, or any set of points
    size: side of the pictures in pixels; without: combinations to hold out, as for `load`
    cond: what goes with each example: its "labels" (B,), for shapes its "attributes" (B, 4), or None for nothing

    The same state of the generator gives the same examples. Raises ValueError for a data set that is not drawn, or for
    an option that it does not have.
    """

    name: str
    size: int | None = None
    without: tuple[tuple[str, ...], ...] = ()
    cond: str | None = "labels"

    def __post_init__(self):
        if not is_drawn(find(self.name)[0]):
            drawn = ", ".join(name for name, make in DATASETS.items() if is_drawn(make))
            raise ValueError(f"{self.name!r} has a fixed number of examples: only {drawn} can be drawn without end")
        if self.cond not in CONDITIONS:
            raise ValueError(f"cond={self.cond!r} is none of {', '.join(map(repr, CONDITIONS))}")
        without = tuple(words if isinstance(words, str) else tuple(words) for words in self.without)
        object.__setattr__(self, "without", without)  # hashable, as the rest
        check_options(self.name, self._options)
        if self.example.attributes is None and self.cond == "attributes":  # the first example checks the options, too
            raise ValueError(f"cond='attributes': {self.name} has none: use 'labels' or None")

    @property
    def _options(self) -> dict:
        given = {"size": self.size, "without": self.without}
        return {option: value for option, value in given.items() if value not in (None, ())}

    def dataset(self, count: int, generator: torch.Generator) -> Dataset:
        """The next ``count`` examples with all that is known about them, such as their captions."""
        make, _ = find(self.name)
        return make(count, generator, **self._options)

    def __call__(self, count: int, generator: torch.Generator) -> Draw:
        """The next ``count`` examples (B, …) and their condition."""
        rows = self.dataset(count, generator)
        return Draw(rows.x, None if self.cond is None else getattr(rows, self.cond))

    @cached_property
    def example(self) -> Dataset:
        """One example, for those who must know its shape or the names of its classes beforehand."""
        return self.dataset(1, seeded(0))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example: (C, H, W) or (D,)."""
        return self.example.shape

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes; none if the data set has no labels."""
        return self.example.classes
