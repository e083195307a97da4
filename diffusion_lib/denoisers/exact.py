"""The best possible denoisers in closed form: of a mixture of Gaussians, and of a finite data set."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .. import conditions
from ..conditions import Condition
from ..gaussians import GaussianMixture
from ..predictions import Prediction
from ..schedules import Schedule, Time


def check_cond(cond: Tensor, x: Tensor) -> None:
    """Refuse labels that are not one for each sample of x (B, …): one would be broadcast to all, or x to many."""
    if cond.shape != x.shape[:1]:
        shape, n = tuple(cond.shape), len(x)
        raise ValueError(f"cond has shape {shape} for {n} samples: give labels ({n},), one for each")


@dataclass(frozen=True, eq=False)
class Exact:
    """The best possible denoiser of a mixture of Gaussians, in closed form; points are (B, D). Taught in notebook 04.

    ``cond`` (B,) asks for a component by its number k. Works at both ends of time, where alpha or sigma is 0.
    """

    mixture: GaussianMixture
    schedule: Schedule

    def null(self, cond: Tensor) -> Tensor:
        """Labels (B,) that ask for the whole mixture."""
        return conditions.null_labels(cond)

    def __call__(self, x: Tensor, t: Time, cond: Tensor | None = None) -> Prediction:
        mixture = self.mixture.to(x)
        alpha, sigma = self.schedule.pair(t, x)
        x0, eps = mixture.posterior_mean(x, alpha, sigma)
        if cond is None:
            return Prediction(x0, eps)
        check_cond(cond, x)
        conditions.check_labels(cond, len(mixture.weights))
        means, variances = mixture.means[cond], mixture.variances[cond][:, None]
        total = alpha**2 * variances + sigma**2
        distance = x - alpha * means
        asked = conditions.is_label(cond)[:, None]
        return Prediction(
            torch.where(asked, means + alpha * variances / total * distance, x0),
            torch.where(asked, sigma / total * distance, eps),
        )


@dataclass(frozen=True, eq=False)
class Empirical:
    """The best possible denoiser of a finite data set (N, …): a weighted mean of its members. Taught in notebook 04.

    The weights are softmax(-|x - alpha x_i|² / 2 sigma²), so as sigma falls one member takes all: it memorises.
    With ``labels`` (N,), a label restricts the mean to that class. Memory is B × N.
    """

    data: Tensor
    schedule: Schedule
    labels: Tensor | None = None

    def null(self, cond: Tensor) -> Tensor:
        """Labels (B,) that ask for the whole data set."""
        return conditions.null_labels(cond)

    def weights(self, x: Tensor, t: Time, cond: Tensor | None = None) -> Tensor:
        """p(x_0 is member i | x_t), (B, N)."""
        # float64, because |x|² - 2 alpha x·m + alpha² |m|² cancels, and is then divided by a small sigma²
        device = "cpu" if x.device.type == "mps" else x.device  # Apple's knows no float64
        points, members = (part.flatten(1).to(device, torch.float64) for part in (x, self.data.to(x)))
        alpha, sigma = (c.reshape(-1, 1).to(device, torch.float64) for c in self.schedule.pair(t, x))
        squared = points.square().sum(1, keepdim=True) - 2 * alpha * (points @ members.T)
        squared = (squared + (alpha * members.norm(dim=1)) ** 2).clamp(min=0)
        if cond is not None:
            check_cond(cond, x)
        if cond is not None and conditions.is_label(cond).any():
            squared = squared.masked_fill(self._others(cond).to(device), torch.inf)
        squared = squared - squared.amin(1, keepdim=True)  # the nearest weighs most, also where sigma = 0
        return (-squared / (2 * sigma**2).clamp(min=torch.finfo(torch.float64).tiny)).softmax(1).to(x)

    def _others(self, cond: Tensor) -> Tensor:
        """Which members are not of the class that is asked for, (B, N)."""
        if self.labels is None:
            raise ValueError("cond was given, but this Empirical has no labels: pass labels=(N,)")
        conditions.check_labels(cond, int(self.labels.max()) + 1)
        others = (self.labels.to(cond) != cond[:, None]) & conditions.is_label(cond)[:, None]
        if others.all(1).any():
            raise ValueError(f"no member has label {int(cond[others.all(1)][0])}: ask for one that the labels have")
        return others

    def __call__(self, x: Tensor, t: Time, cond: Condition = None) -> Prediction:
        alpha, sigma = self.schedule.pair(t, x)
        x0 = (self.weights(x, t, cond) @ self.data.to(x).flatten(1)).reshape(x.shape)
        eps = torch.where(sigma > 0, (x - alpha * x0) / sigma.clamp(min=torch.finfo(x.dtype).tiny), torch.zeros_like(x))
        return Prediction(x0, eps)
