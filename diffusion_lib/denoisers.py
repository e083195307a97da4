r"""Denoisers: anything called as ``denoise(x_t, t, cond=None) -> Prediction(x0, eps)`` that knows its ``schedule``.

The best possible one answers E[x_0 | x_t] and E[eps | x_t]; it minimises the mean squared error at every t, and every
trained network approximates it. Here are

* :class:`Denoiser`: a network, with the two facts that make it a denoiser;
* :class:`Exact`: the best answer for a mixture of Gaussians, in closed form;
* :class:`Empirical`: the best answer for a finite data set, which memorises it;
* :class:`Guided` and :class:`Clipped`: denoisers around a denoiser.

A condition ``cond`` is opaque (:mod:`~diffusion_lib.conditions`): whatever the network takes, or None. What "nothing
was asked for" looks like is known to the network alone, and ``denoise.null(cond)`` asks it.
Sources: Vincent 2011; Ho & Salimans 2022 (guidance). Notebook 04 teaches it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from . import conditions
from .conditions import Condition
from .gaussians import GaussianMixture
from .predictions import TARGETS, Prediction, determinant, solve
from .schedules import Schedule, Time


class DenoiserLike(Protocol):
    """What samplers and wrappers ask of a denoiser."""

    @property
    def schedule(self) -> Schedule: ...

    def null(self, cond: Condition) -> Condition: ...

    def __call__(self, x: Tensor, t: Time, cond: Condition = None) -> Prediction: ...


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
    """A network plus what makes it a denoiser: its schedule, and what it predicts. Taught in notebook 04.

    ``net(x (B, …), t (B,), cond)`` returns the shape of x. It knows no schedule: it sees t in [0, 1], and x divided by
    hypot(alpha, sigma), so that its input has unit size at every time on every schedule (Karras et al. 2022, table 1;
    data of variance 1). ``scale_input=False`` hands it x as it is, as networks of older files expect.

    The network may be on a device of its own: x goes there, and the answer comes back to where x is. Asked for a
    prediction, it answers in evaluation mode and is put back as it was; ``output`` leaves the mode alone, for training.
    """

    net: nn.Module
    schedule: Schedule
    predicts: str = "v"
    scale_input: bool = True

    def __post_init__(self):
        TARGETS.find(self.predicts, option="predicts")

    @property
    def conditional(self) -> bool:
        """Whether the network takes a condition; one that does not say so takes none."""
        return getattr(self.net, "conditional", False)

    def null(self, cond: Condition) -> Condition:
        """The condition, in the form of ``cond``, by which the network is asked for nothing in particular."""
        if cond is not None and not self.conditional:
            name = type(self.net).__name__
            raise ValueError(f"{name} takes no condition: leave cond out, or give it conditional = True and null(cond)")
        return None if cond is None else self.net.null(cond)

    def coefficients(self, t: Time, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(alpha, sigma, p, q) at ``t``: x = alpha x0 + sigma eps, target = p x0 + q eps."""
        alpha, sigma = self.schedule.pair(t, x)
        return alpha, sigma, *TARGETS[self.predicts](alpha, sigma, lambda: self.schedule.rates(t, x))

    def output(self, x: Tensor, t: Time, cond: Condition = None) -> Tensor:
        """The network's raw output for x (B, …) at ``t``, a number or (B,)."""
        device = next(self.net.parameters(), x).device
        if cond is not None and device != x.device and hasattr(self.net, "check"):
            self.net.check(cond, len(x))  # here, where the labels still lie on the CPU: a GPU would say less
        scaled = x / torch.hypot(*self.schedule.pair(t, x)) if self.scale_input else x
        t = torch.as_tensor(t, dtype=x.dtype, device=device).expand(len(x))
        return self.net(scaled.to(device), t, conditions.to(cond, device)).to(x.device)

    def __call__(self, x: Tensor, t: Time, cond: Condition = None) -> Prediction:
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


@dataclass(frozen=True, eq=False)
class Wrapper:
    """A denoiser around a denoiser: the same schedule, the same conditions, another answer."""

    denoiser: DenoiserLike

    @property
    def schedule(self) -> Schedule:
        """That of the denoiser inside."""
        return self.denoiser.schedule

    def null(self, cond: Condition) -> Condition:
        """That of the denoiser inside."""
        return self.denoiser.null(cond)


@dataclass(frozen=True, eq=False)
class Guided(Wrapper):
    """Classifier-free guidance: ``uncond + scale * (cond - uncond)``; 0 ignores the condition, 1 is plain conditional.

    Both halves go through the denoiser in one batch of 2 B. Source: Ho & Salimans 2022, whose w is our scale - 1.
    """

    scale: float

    def __call__(self, x: Tensor, t: Time, cond: Condition = None) -> Prediction:
        if cond is None or self.scale == 1:
            return self.denoiser(x, t, cond)
        nothing = self.denoiser.null(cond)
        if self.scale == 0:
            return self.denoiser(x, t, nothing)
        time_per_sample = isinstance(t, Tensor) and t.ndim > 0
        both = self.denoiser(
            torch.cat([x, x]),
            torch.cat([t.expand(len(x))] * 2) if time_per_sample else t,
            conditions.join(nothing, cond),
        )
        (x0_u, x0_c), (eps_u, eps_c) = both.x0.chunk(2), both.eps.chunk(2)
        return Prediction.mix(Prediction(x0_u, eps_u), Prediction(x0_c, eps_c), self.scale)


@dataclass(frozen=True, eq=False)
class Clipped(Wrapper):
    """A denoiser whose x0 is clipped to the data's range and whose eps is made to agree with the clipped x0.

    So every formula that uses either sees the same clipped estimate. Taught in notebook 06.
    """

    low: float = -1.0
    high: float = 1.0

    def __call__(self, x: Tensor, t: Time, cond: Condition = None) -> Prediction:
        free = self.denoiser(x, t, cond)
        alpha, sigma = self.schedule.pair(t, x)
        x0 = free.x0.clamp(self.low, self.high)
        ratio = torch.where(sigma > 0, alpha / sigma.clamp(min=torch.finfo(x.dtype).tiny), torch.zeros_like(sigma))
        return Prediction(x0, free.eps + ratio * (free.x0 - x0))
