"""Numbers with error bars, from the bootstrap (Efron 1979): draw the data again from themselves, see what scatters."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Estimate:
    """A number and how far it scatters: one standard deviation, in the same units. Prints as value ± spread."""

    value: float
    spread: float

    def __str__(self):
        unknown = self.spread == 0 or not math.isfinite(self.spread)
        digits = 2 if unknown else max(0, 1 - int(f"{self.spread:e}".split("e")[1]))
        return f"{self.value:.{digits}f} ± {self.spread:.{digits}f}"


def bootstrap(statistic: Callable[..., float], *samples: Tensor, repeats: int = 50, seed: int = 0) -> Estimate:
    """statistic(*samples), and its spread when every sample (N, …) is drawn again from its own rows.

    Rows drawn twice raise a Frechet distance, so the mean over the draws is not used. `scipy.stats.bootstrap` draws
    numbers along one axis, while here a whole picture must stay together. Raises ValueError for fewer than two repeats.
    """
    check_repeats(repeats)
    generator = torch.Generator().manual_seed(seed)
    redrawn = [
        statistic(*(s[torch.randint(len(s), (len(s),), generator=generator)] for s in samples)) for _ in range(repeats)
    ]
    return Estimate(float(statistic(*samples)), float(torch.tensor(redrawn, dtype=torch.float64).std()))


def check_repeats(repeats: int) -> None:
    """Raise ValueError for so few repeats that their spread is unknown."""
    if repeats < 2:
        raise ValueError(f"repeats={repeats}: a spread needs at least 2 draws")
