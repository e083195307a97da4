"""What a bug is: data. One line of a program, right and wrong, what it looks like, and the measurement that notices."""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from matplotlib.axes import Axes

from .code import Code, load

TINY = 1e-5  # what is less is rounding, and differs from machine to machine
NOTICED = 4.0  # standard errors, beyond what rounding may do


@dataclass(frozen=True)
class Measured:
    """A number, what it should be, one standard error of it, and how far off rounding alone may be."""

    value: float
    should: float
    error: float = 0.0
    within: float = 0.0

    @property
    def wrong(self) -> bool:
        """Whether it is farther off than chance and rounding explain; NaN and infinity are."""
        return not abs(self.value - self.should) <= self.within + NOTICED * self.error

    def __str__(self) -> str:
        if not math.isfinite(self.value):
            return f"{self.value}"
        if not self.error:
            rounding = abs(self.value) < TINY and (self.value or self.within)
            return f"less than {TINY:.5f}" if rounding else f"{self.value:.3g}"
        digits = max(0, 1 - math.floor(math.log10(self.error)))
        return f"{self.value:.{digits}f} ± {self.error:.{digits}f}"


@dataclass(frozen=True)
class Bug:
    """A mistake, planted by changing one line of a program.

    row: its number in the list of known mistakes, at the end of notebook 12. name: what is wrong, in words, after the
    fact. program: which of `programs/` it is in; right, wrong: the text that is replaced, and by what. measure: from a
    `Code` the number that notices; quantity: what that number is. draw: the symptom, from a `Code` on axes; None where
    there is nothing to see. alt: what the two pictures show, the right one first.
    """

    row: int
    name: str
    program: str
    right: str
    wrong: str
    quantity: str
    measure: Callable[[Code], Measured]
    draw: Callable[[Code, Axes], None] | None = None
    alt: str = ""

    def code(self) -> Code:
        """The program with the wrong line in it."""
        return load(self.program, [(self.right, self.wrong)], "the broken code")

    def right_code(self) -> Code:
        """The program as it should be."""
        return load(self.program)

    def measured(self, code: Code, seed: int = 0) -> Measured:
        """The measurement, with random numbers that begin at `seed`; torch's own are put back."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.measure(code)

    def difference(self) -> str:
        """The changed lines, below the head of their function: ✓ as it should be, ✗ as it is."""
        lines = self.right_code().text.splitlines()
        first = next(n for n in range(len(lines)) if self.right.splitlines()[0] in lines[n])
        block = "\n".join(lines[first : first + 1 + self.right.rstrip("\n").count("\n")])
        head = next((line for line in reversed(lines[:first]) if line.startswith(("def ", "class "))), "")
        inside = lines[first].startswith(" ")
        old, new = block.splitlines(), block.replace(self.right.rstrip("\n"), self.wrong).strip("\n").splitlines()
        new = [line for line in new if line.strip()] or ["    (this line is missing)"]
        return "\n".join([f"  {head}"] * inside + [f"✓ {line}" for line in old] + [f"✗ {line}" for line in new])

    def measurement(self) -> str:
        """The source of the measurement, without its docstring."""
        source = inspect.getsource(self.measure)
        head, _, rest = source.partition("\n")
        return head.replace("code: Code) -> Measured", "code)") + "\n" + rest.partition('"""\n')[2]
