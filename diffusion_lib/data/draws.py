"""What training draws for one step: clean examples, and what goes with them.

A data set has a fixed number of rows; a *draw function* makes new ones for as long as it is asked: fresh drawings that
never repeat, or pairs of noise and data (reflow). It is called as ``draw(count, generator)``, takes every random number
from ``generator``, and returns a `Draw` of ``count`` samples.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from ..conditions import Condition


class Draw(NamedTuple):
    """Samples for one training step.

    x0: clean examples (B, …)
    cond: what each of them is, in the form that the network takes; None if nothing is known
    noise: the noise (B, …) that goes with each, where the two are paired; None: any noise will do
    """

    x0: Tensor
    cond: Condition = None
    noise: Tensor | None = None
