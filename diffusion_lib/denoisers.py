r"""Denoisers: anything called as ``denoise(x_t, t, cond=None) -> Prediction(x0, eps)`` that knows its ``schedule``.

The best possible one answers E[x_0 | x_t] and E[eps | x_t]; it minimises the mean squared error at every t, and every
trained network approximates it. Here are

* :class:`Denoiser`: a network, with the two facts that make it a denoiser;
* :class:`Exact`: the best answer for a mixture of Gaussians, in closed form;
* :class:`Empirical`: the best answer for a finite data set, which memorises it;
* :class:`Guided` and :class:`Clipped`: denoisers around a denoiser.

Labels ``cond`` are (B,) int64; :data:`NO_LABEL` (-1) means "no label", and ``cond=None`` means none for all.
Sources: Vincent 2011; Ho & Salimans 2022 (guidance). Notebooks 04 and 08 teach it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from . import conditions
from .gaussians import GaussianMixture
from .predictions import TARGETS, Prediction, Target, check_target, determinant, solve
from .schedules import Schedule, Time

NO_LABEL = -1


class DenoiserLike(Protocol):
    """What samplers ask of a denoiser."""

    @property
    def schedule(self) -> Schedule: ...

    def __call__(self, x: Tensor, t: Time, cond: Tensor | None = None) -> Prediction: ...


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """``net`` in evaluation mode, and back in training mode afterwards if it was."""
    training = net.training
    if training:
        net.eval()
    try:
        yield
    finally:
        if training:
            net.train()


@dataclass(frozen=True, eq=False)
class Denoiser:
    """A network plus the two facts that make it a denoiser: its schedule, and what it predicts. Taught in notebook 04.

    ``net(x (B, …), t (B,), cond)`` returns the shape of x. It sees t in [0, 1] and knows no schedule. It may be on a
    device of its own: x goes there, and the answer comes back to where x is. Asked for a prediction, it answers in
    evaluation mode and is put back as it was; ``output`` leaves the mode alone, for training.
    """

    net: nn.Module
    schedule: Schedule
    predicts: Target = "v"
    scale_input: bool = True

    def __post_init__(self):
        check_target(self.predicts)

    @property
    def conditional(self) -> bool:
        """Whether the network takes a condition; one that does not say so takes none."""
        return getattr(self.net, "conditional", False)

    def null(self, cond: conditions.Condition) -> conditions.Condition:
        """The condition, in the form of ``cond``, by which the network is asked for nothing in particular."""
        return self.net.null(cond) if self.conditional else None

    def coefficients(self, t: Time, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(alpha, sigma, p, q) at ``t``: x = alpha x0 + sigma eps, target = p x0 + q eps."""
        alpha, sigma = self.schedule.pair(t, x)
        rates = self.schedule.rates(t, x) if self.predicts == "velocity" else (alpha, sigma)
        return alpha, sigma, *TARGETS[self.predicts](alpha, sigma, *rates)

    def output(self, x: Tensor, t: Time, cond: Tensor | None = None) -> Tensor:
        """The network's raw output for x (B, …) at ``t``, a number or (B,)."""
        device = next(self.net.parameters(), x).device
        scaled = x / torch.hypot(*self.schedule.pair(t, x)) if self.scale_input else x
        t = torch.as_tensor(t, dtype=x.dtype, device=device).expand(len(x))
        return self.net(scaled.to(device), t, conditions.to(cond, device)).to(x.device)

    def __call__(self, x: Tensor, t: Time, cond: Tensor | None = None) -> Prediction:
        coefficients = self.coefficients(t, x)
        with evaluating(self.net):
            y = self.output(x, t, cond)
        try:
            return solve(x, y, *coefficients)
        except ValueError as error:
            worst = determinant(*coefficients).abs().nan_to_num(0.0).argmin()
            at = f"(t = {torch.as_tensor(t).flatten()[worst]:.6g} of {self.schedule!r})"
            raise ValueError(str(error).replace("this target", self.predicts).replace(":", f" {at}:", 1)) from None


@dataclass(frozen=True, eq=False)
class Exact:
    """The best possible denoiser of a mixture of Gaussians, in closed form; points are (B, D). Taught in notebook 04.

    A label k asks for component k alone. Works at both ends of time, where alpha or sigma is 0.
    """

    mixture: GaussianMixture
    schedule: Schedule

    def __call__(self, x: Tensor, t: Time, cond: Tensor | None = None) -> Prediction:
        mixture = self.mixture.to(x)
        alpha, sigma = self.schedule.pair(t, x)
        x0, eps = mixture.posterior_mean(x, alpha, sigma)
        if cond is None or (cond == NO_LABEL).all():
            return Prediction(x0, eps)
        _check_labels(cond, len(mixture.weights))
        means = mixture.means[cond]
        variances = mixture.variances[cond][:, None]
        total = alpha**2 * variances + sigma**2
        miss = x - alpha * means
        known = (cond != NO_LABEL)[:, None]
        return Prediction(
            torch.where(known, means + alpha * variances / total * miss, x0),
            torch.where(known, sigma / total * miss, eps),
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

    def weights(self, x: Tensor, t: Time, cond: Tensor | None = None) -> Tensor:
        """p(x_0 is member i | x_t), (B, N)."""
        # float64, because |x|² - 2 alpha x·m + alpha² |m|² cancels, and is then divided by a small sigma²
        device = "cpu" if x.device.type == "mps" else x.device  # Apple's knows no float64
        points, members = (part.flatten(1).to(device, torch.float64) for part in (x, self.data.to(x)))
        alpha, sigma = (c.reshape(-1, 1).to(device, torch.float64) for c in self.schedule.pair(t, x))
        squared = points.square().sum(1, keepdim=True) - 2 * alpha * (points @ members.T)
        squared = (squared + (alpha * members.norm(dim=1)) ** 2).clamp(min=0)
        if cond is not None and (cond != NO_LABEL).any():
            squared = squared.masked_fill(self._others(cond).to(device), torch.inf)
        squared = squared - squared.amin(1, keepdim=True)  # the nearest weighs most, also where sigma = 0
        return (-squared / (2 * sigma**2).clamp(min=torch.finfo(torch.float64).tiny)).softmax(1).to(x)

    def _others(self, cond: Tensor) -> Tensor:
        """Which members are not of the class that is asked for, (B, N)."""
        if self.labels is None:
            raise ValueError("cond was given, but this Empirical has no labels: pass labels=(N,)")
        _check_labels(cond, int(self.labels.max()) + 1)
        others = (self.labels.to(cond) != cond[:, None]) & (cond != NO_LABEL)[:, None]
        if others.all(1).any():
            raise ValueError(f"no member has label {int(cond[others.all(1)][0])}: ask for one that the labels have")
        return others

    def __call__(self, x: Tensor, t: Time, cond: Tensor | None = None) -> Prediction:
        alpha, sigma = self.schedule.pair(t, x)
        x0 = (self.weights(x, t, cond) @ self.data.to(x).flatten(1)).reshape(x.shape)
        eps = torch.where(sigma > 0, (x - alpha * x0) / sigma.clamp(min=torch.finfo(x.dtype).tiny), torch.zeros_like(x))
        return Prediction(x0, eps)


@dataclass(frozen=True, eq=False)
class Guided:
    """Classifier-free guidance: ``uncond + scale * (cond - uncond)``; 0 ignores the label, 1 is plain conditional.

    Both halves go through the denoiser in one batch of 2 B. Source: Ho & Salimans 2022, whose w is our scale - 1.
    Taught in notebook 08.
    """

    denoiser: DenoiserLike
    scale: float

    @property
    def schedule(self) -> Schedule:
        return self.denoiser.schedule

    def __call__(self, x: Tensor, t: Time, cond: Tensor | None = None) -> Prediction:
        if cond is None or self.scale == 1:
            return self.denoiser(x, t, cond)
        if self.scale == 0:
            return self.denoiser(x, t, None)
        one_each = isinstance(t, Tensor) and t.ndim > 0
        both = self.denoiser(
            torch.cat([x, x]),
            torch.cat([t.expand(len(x))] * 2) if one_each else t,
            torch.cat([torch.full_like(cond, NO_LABEL), cond]),
        )
        (x0_u, x0_c), (eps_u, eps_c) = both.x0.chunk(2), both.eps.chunk(2)
        return Prediction.mix(Prediction(x0_u, eps_u), Prediction(x0_c, eps_c), self.scale)


@dataclass(frozen=True, eq=False)
class Clipped:
    """A denoiser whose x0 is clipped to the data's range and whose eps is made to agree with the clipped x0.

    So every formula that uses either sees the same clipped estimate. Taught in notebook 06.
    """

    denoiser: DenoiserLike
    low: float = -1.0
    high: float = 1.0

    @property
    def schedule(self) -> Schedule:
        return self.denoiser.schedule

    def __call__(self, x: Tensor, t: Time, cond: Tensor | None = None) -> Prediction:
        found = self.denoiser(x, t, cond)
        alpha, sigma = self.schedule.pair(t, x)
        x0 = found.x0.clamp(self.low, self.high)
        moved = torch.where(sigma > 0, alpha / sigma.clamp(min=torch.finfo(x.dtype).tiny), torch.zeros_like(sigma))
        return Prediction(x0, found.eps + moved * (found.x0 - x0))


def _check_labels(cond: Tensor, classes: int) -> None:
    wrong = (cond < NO_LABEL) | (cond >= classes)
    if wrong.any():
        raise ValueError(
            f"label {int(cond[wrong][0])} is out of range: there are {classes} classes, 0 to {classes - 1}, "
            f"and {NO_LABEL} means no label"
        )
