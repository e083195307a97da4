"""Schedules given by a formula in t: cosine, flow matching's straight line, EDM's."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from .schedule import SCHEDULES, Schedule, VariancePreserving


@SCHEDULES.register
@dataclass(frozen=True)
class Cosine(VariancePreserving):
    """alpha(t) ~ cos((t + s) / (1 + s) * pi / 2), alpha(0) = 1, not clipped (Nichol & Dhariwal 2021, equation 17)."""

    s: float = 0.008

    def __post_init__(self):
        if not 0 <= self.s < math.inf:
            raise ValueError(f"s={self.s} must be at least 0 and finite: 0.008 is usual")

    def _log_alpha_bar(self, t):
        def log_cos(t):
            return ((t + self.s) / (1 + self.s) * (math.pi / 2)).cos().log()

        return 2 * (log_cos(t) - log_cos(torch.zeros_like(t)))


@SCHEDULES.register
@dataclass(frozen=True)
class Flow(Schedule):
    """alpha = 1 - t, sigma = t: the straight line of flow matching (Liu et al. 2022; Lipman et al. 2022)."""

    def _alpha(self, t):
        return 1 - t

    def _sigma(self, t):
        return t * 1


@SCHEDULES.register
@dataclass(frozen=True)
class EDM(Schedule):
    """Variance exploding, alpha = 1; sigma rises from sigma_min to sigma_max as in Karras et al. 2022, equation 5.

    So sigma(0) is sigma_min, not 0: the one schedule whose walk ends with a trace of noise.
    """

    sigma_min: float = 0.002
    sigma_max: float = 80.0
    rho: float = 7.0

    def __post_init__(self):
        if not 0 < self.sigma_min < self.sigma_max:
            raise ValueError(f"sigma_min={self.sigma_min}, sigma_max={self.sigma_max}: want 0 < sigma_min < sigma_max")

    def _alpha(self, t):
        return torch.ones_like(t)

    def _sigma(self, t):
        low, high = self.sigma_min ** (1 / self.rho), self.sigma_max ** (1 / self.rho)
        return (low + t * (high - low)) ** self.rho
