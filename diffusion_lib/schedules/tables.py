"""Schedules given by a table of betas, step by step, as DDPM and Stable Diffusion define theirs."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from .curves import Cosine
from .schedule import SCHEDULES, VariancePreserving, check_whole


class BetaTable(VariancePreserving):
    """A schedule given by a table of betas: step i multiplies the signal by sqrt(1 - beta_i) and adds variance beta_i.

    alpha_bar at t = i/T is the product of the first i factors 1 - beta; between the integers log alpha_bar is linear.
    A subclass gives ``_table()``. ``may_end`` says whether the last beta may be 1, after which no signal is left.
    """

    timesteps: int
    may_end = False

    @abstractmethod
    def _table(self) -> Tensor: ...

    def __post_init__(self):
        check_whole("timesteps", self.timesteps)
        betas = self._betas
        wrong = ~((betas > 0) & (betas < 1))
        wrong[-1] &= not (self.may_end and betas[-1] == 1)
        if wrong.any():
            i = int(wrong.nonzero()[0])
            raise ValueError(
                f"beta at timestep {i + 1} is {betas[i].item():.6g}: each must lie strictly between 0 and 1 "
                f"(a smaller end, or more timesteps, keeps them there)"
            )

    @cached_property
    def _betas(self) -> Tensor:
        return self._table().to(torch.float64)

    @cached_property
    def _log_alpha_bars(self) -> Tensor:
        return torch.cat([torch.zeros(1, dtype=torch.float64), torch.log1p(-self._betas).cumsum(0)])

    def _log_alpha_bar(self, t):
        table = self._log_alpha_bars.to(t.device)
        u = t * (len(table) - 1)
        i = u.detach().floor().clamp(0, len(table) - 2).long()
        slope = table[i + 1] - table[i]
        ends = slope.isinf()  # a last beta of 1: between its step's two times all is lost at once
        return (table[i] + (u - i) * slope.masked_fill(ends, 0.0)).masked_fill(ends & (u > i), -torch.inf)

    def betas(self, timesteps: int | None = None) -> Tensor:
        """The table itself, (T,), float64; or, given another T, the table of the same curve in that many steps."""
        if timesteps is None or timesteps == len(self._betas):
            return self._betas.clone()
        return super().betas(timesteps)


@SCHEDULES.register
@dataclass(frozen=True)
class Discrete(BetaTable):
    """The schedule of any table of betas, each in (0, 1); the last may be 1 (zero terminal SNR, Lin et al. 2023)."""

    table: tuple[float, ...]
    may_end = True

    def __repr__(self) -> str:
        if len(self.table) <= 8:
            return f"Discrete({self.table})"
        return f"Discrete({len(self.table)} betas from {self.table[0]:.6g} to {self.table[-1]:.6g})"

    def __post_init__(self):
        object.__setattr__(self, "table", tuple(float(beta) for beta in self.table))
        super().__post_init__()

    @property
    def timesteps(self) -> int:
        """T, the number of steps."""
        return len(self.table)

    def _table(self):
        return torch.tensor(self.table, dtype=torch.float64)


@SCHEDULES.register
@dataclass(frozen=True)
class LinearBeta(BetaTable):
    """beta rises on a straight line from ``start`` to ``end`` (Ho et al. 2020)."""

    timesteps: int = 1000
    start: float = 1e-4
    end: float = 0.02

    def _table(self):
        return torch.linspace(self.start, self.end, self.timesteps, dtype=torch.float64)


@SCHEDULES.register
@dataclass(frozen=True)
class ScaledLinearBeta(BetaTable):
    """sqrt(beta) rises on a straight line (Rombach et al. 2022: Stable Diffusion 1 and 2)."""

    timesteps: int = 1000
    start: float = 0.00085
    end: float = 0.012

    def _table(self):
        return torch.linspace(self.start**0.5, self.end**0.5, self.timesteps, dtype=torch.float64) ** 2


@SCHEDULES.register
@dataclass(frozen=True)
class SigmoidBeta(BetaTable):
    """beta follows a logistic curve from -6 to 6 between ``start`` and ``end``."""

    timesteps: int = 1000
    start: float = 1e-4
    end: float = 0.02

    def _table(self):
        curve = torch.linspace(-6, 6, self.timesteps, dtype=torch.float64).sigmoid()
        return self.start + (self.end - self.start) * curve


@SCHEDULES.register
@dataclass(frozen=True)
class CosineBeta(BetaTable):
    """The cosine curve as a table, each beta at most ``max_beta`` (Nichol & Dhariwal 2021, section 3.2)."""

    timesteps: int = 1000
    s: float = 0.008
    max_beta: float = 0.999

    def _table(self):
        return Cosine(self.s).betas(self.timesteps).clamp(max=self.max_beta)
