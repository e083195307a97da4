r"""Schedules: how much signal and how much noise there is at time t.

.. math:: x_t = \alpha(t)\,x_0 + \sigma(t)\,\varepsilon, \qquad \varepsilon \sim N(0, I).

**The conventions of the whole course, stated once.**

* Time t runs from 0 (data) to 1 (noise). Timestep i of T is t = i/T, i = 0 … T, so alpha_bar_0 = 1 exactly.
* alpha_bar = alpha², SNR = alpha²/sigma², log_snr is its natural logarithm.
* A schedule is *variance preserving* (VP) if alpha² + sigma² = 1.
* Steps go "from t to s" with s < t. Noising goes from s to t, denoising from t to s.
* Schedules compute in float64 and cast at the edge, to the dtype and device of the x that they are asked about.

Three Gaussians follow from the two curves alone, whatever the schedule. With a = alpha_t / alpha_s:

.. math::
    q(x_t \mid x_0) &= N(\alpha_t x_0,\; \sigma_t^2) && \text{marginal} \\
    q(x_t \mid x_s) &= N(a\,x_s,\; \sigma_t^2 - a^2\sigma_s^2) && \text{transition} \\
    q(x_s \mid x_t, x_0) &= N\bigl(k\,x_t + (\alpha_s - k\,\alpha_t)\,x_0,\; \sigma_s^2 - k\,a\,\sigma_s^2\bigr),
    \quad k = a\,\sigma_s^2/\sigma_t^2 && \text{posterior}

Sources: Ho et al. 2020 (DDPM), equations 2, 4, 6, 7; Kingma et al. 2021 (VDM), appendix A; Nichol & Dhariwal 2021
(cosine); Rombach et al. 2022 (scaled linear); Karras et al. 2022 (EDM); Liu et al. 2022 (rectified flow). Notebooks 01
and 02 teach it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from numbers import Integral
from typing import Literal

import torch
from torch import Tensor

from .gaussians import Gaussian

Time = float | Tensor


def _time(t: Time) -> Tensor:
    """``t`` as float64 (on the CPU if its device knows no float64, as Apple's), refused outside [0, 1]."""
    if isinstance(t, Tensor) and t.device.type == "mps":
        t = t.cpu()
    t = torch.as_tensor(t, dtype=torch.float64)
    if not ((t >= 0) & (t <= 1)).all():
        worst = t.flatten()[((t - 0.5).abs().nan_to_num(math.inf)).argmax()].item()
        raise ValueError(f"t={worst:.6g} is outside [0, 1]: timestep i of T is t = i / T")
    return t


def _along(t: Tensor, x: Tensor) -> Tensor:
    """A number a sample, (B,), shaped to multiply x (B, …); a single number stays one."""
    if t.ndim and x.ndim and len(t) != len(x) and 1 not in (len(t), len(x)):
        raise ValueError(f"t has shape {tuple(t.shape)} for a batch of {len(x)}: give one time, or one a sample")
    return t.reshape(t.shape + (1,) * (x.ndim - t.ndim)) if t.ndim else t


class Schedule(ABC):
    """The pair of curves (alpha, sigma) and all that follows from it. ``t`` is a float or a tensor in [0, 1].

    A subclass gives ``_alpha`` and ``_sigma`` on float64 tensors. Taught in notebook 01.
    """

    @abstractmethod
    def _alpha(self, t: Tensor) -> Tensor: ...

    @abstractmethod
    def _sigma(self, t: Tensor) -> Tensor: ...

    def alpha(self, t: Time) -> Tensor:
        """What multiplies the signal at ``t``; float64, the shape of ``t``."""
        return self._alpha(_time(t))

    def sigma(self, t: Time) -> Tensor:
        """What multiplies the noise at ``t``: a standard deviation; float64, the shape of ``t``."""
        return self._sigma(_time(t))

    def alpha_bar(self, t: Time) -> Tensor:
        """alpha(t)²: the share of the data's variance that is left at ``t``."""
        return self.alpha(t) ** 2

    def snr(self, t: Time) -> Tensor:
        """Signal-to-noise ratio alpha²/sigma², infinite at t = 0 where sigma = 0."""
        return (self.alpha(t) / self.sigma(t)) ** 2

    def log_snr(self, t: Time) -> Tensor:
        """Natural logarithm of the SNR: the clock that all schedules share (notebook 07)."""
        t = _time(t)
        return 2 * (self._alpha(t).log() - self._sigma(t).log())

    def pair(self, t: Time, x: Tensor) -> tuple[Tensor, Tensor]:
        """(alpha, sigma) at ``t``, a number or one a sample (B,), ready to multiply x (B, …)."""
        t = _time(t)
        return _along(self._alpha(t), x).to(x), _along(self._sigma(t), x).to(x)

    def rates(self, t: Time, x: Tensor) -> tuple[Tensor, Tensor]:
        """Time derivatives (alpha', sigma') at ``t``, by automatic differentiation, ready to multiply x (B, …).

        At t = 0 of a VP schedule sigma' is infinite, and comes out as NaN.
        """

        def derivative(curve):
            with torch.inference_mode(False), torch.enable_grad():
                at = _time(t).detach().clone().requires_grad_()
                return torch.autograd.grad((curve(at) + 0 * at).sum(), at)[0]

        return _along(derivative(self._alpha), x).to(x), _along(derivative(self._sigma), x).to(x)

    def marginal(self, x0: Tensor, t: Time) -> Gaussian:
        """q(x_t | x_0): noise ``x0`` (B, …) to time ``t`` in one jump. Taught in notebook 02."""
        alpha, sigma = self.pair(t, x0)
        return Gaussian(alpha * x0, sigma**2)

    def transition(self, x_s: Tensor, s: Time, t: Time) -> Gaussian:
        """q(x_t | x_s): noise ``x_s`` (B, …) onwards from time ``s`` to the later ``t``. Taught in notebook 02."""
        _check_order(s, t)
        _, keep, var = self._onwards(s, t)
        return Gaussian(_along(keep, x_s).to(x_s) * x_s, _along(var, x_s).to(x_s))

    def posterior(self, x_t: Tensor, x0: Tensor, s: Time, t: Time) -> Gaussian:
        """q(x_s | x_t, x_0): where x_s was, given both its ends (B, …); s < t. Taught in notebook 02.

        At s = 0, if sigma(0) = 0, the variance is exactly 0 and the mean is x_0.
        """
        _check_order(s, t)
        s, keep, var = self._onwards(s, t)
        total = self._sigma(_time(t)) ** 2
        noise_s = self._sigma(s) ** 2
        weight_t = keep * noise_s / total
        weight_0 = self._alpha(s) * var / total  # = alpha_s - weight_t * alpha_t, without the cancellation
        weight_t, weight_0, var = (_along(w, x_t).to(x_t) for w in (weight_t, weight_0, noise_s * var / total))
        return Gaussian(weight_t * x_t + weight_0 * x0, var)

    def _onwards(self, s: Time, t: Time) -> tuple[Tensor, Tensor, Tensor]:
        """s, alpha_t/alpha_s, and the variance that the step from s to t adds, all float64."""
        s, t = _time(s), _time(t)
        keep = self._alpha(t) / self._alpha(s)
        return s, keep, (self._sigma(t) ** 2 - (keep * self._sigma(s)) ** 2).clamp(min=0)

    def betas(self, timesteps: int) -> Tensor:
        """This schedule as a beta table of T = ``timesteps`` rows, (T,): beta_i = 1 - alpha_bar_i / alpha_bar_{i-1}.

        Raises:
            ValueError: the schedule is not variance preserving, so no beta table gives it.
        """
        _check_whole("timesteps", timesteps)
        t = torch.arange(timesteps + 1, dtype=torch.float64) / timesteps
        if not torch.allclose(self.alpha(t) ** 2 + self.sigma(t) ** 2, torch.ones_like(t)):
            raise ValueError(f"{self!r} has no beta table: alpha² + sigma² is not 1 (it is not variance preserving)")
        alpha_bar = self.alpha_bar(t)
        return 1 - alpha_bar[1:] / alpha_bar[:-1]

    def time_at(self, log_snr: float | Tensor) -> Tensor:
        """The time whose log-SNR is ``log_snr``, by bisection to float64 rounding; 0 or 1 where there is none."""
        log_snr = torch.as_tensor(log_snr, dtype=torch.float64)
        low, high = torch.zeros_like(log_snr), torch.ones_like(log_snr)
        for _ in range(60):
            middle = (low + high) / 2
            noisier = self.log_snr(middle) < log_snr
            low, high = torch.where(noisier, low, middle), torch.where(noisier, middle, high)
        return (low + high) / 2

    def prior(self, shape: tuple[int, ...], generator: torch.Generator | None = None, *, dtype=None) -> Tensor:
        """Draw x at t = 1 as samplers start: N(0, sigma(1)²), of shape (B, …). Right only where SNR(1) is near 0."""
        return self.sigma(1.0).item() * torch.randn(shape, generator=generator, dtype=dtype)


def _check_order(s: Time, t: Time) -> None:
    if not (torch.as_tensor(s) < torch.as_tensor(t)).all():
        raise ValueError(f"s={s} is not before t={t}: a step lies between an earlier time s and a later time t")


class VariancePreserving(Schedule):
    """A schedule with alpha² + sigma² = 1, given by log alpha_bar(t) alone."""

    @abstractmethod
    def _log_alpha_bar(self, t: Tensor) -> Tensor: ...

    def _alpha(self, t):
        return (self._log_alpha_bar(t) / 2).exp()

    def _sigma(self, t):
        return torch.expm1(self._log_alpha_bar(t)).abs().sqrt()  # abs: -expm1(0) would be -0.0, and later -inf


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


@dataclass(frozen=True)
class Flow(Schedule):
    """alpha = 1 - t, sigma = t: the straight line of flow matching (Liu et al. 2022; Lipman et al. 2022)."""

    def _alpha(self, t):
        return 1 - t

    def _sigma(self, t):
        return t * 1


@dataclass(frozen=True)
class Karras(Schedule):
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


class BetaTable(VariancePreserving):
    """A schedule given by a table of betas: step i multiplies the signal by sqrt(1 - beta_i) and adds variance beta_i.

    alpha_bar at t = i/T is the product of the first i factors 1 - beta; between the integers log alpha_bar is linear.
    A subclass gives ``_table()``.
    """

    timesteps: int

    @abstractmethod
    def _table(self) -> Tensor: ...

    def __post_init__(self):
        _check_whole("timesteps", self.timesteps)
        betas = self._betas
        wrong = ~((betas > 0) & (betas < 1))
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
        return table[i] + (u - i) * (table[i + 1] - table[i])

    def betas(self, timesteps: int | None = None) -> Tensor:
        """The table itself, (T,), float64; or, given another T, the table of the same curve in that many steps."""
        if timesteps is None or timesteps == len(self._betas):
            return self._betas.clone()
        return super().betas(timesteps)


@dataclass(frozen=True)
class Discrete(BetaTable):
    """The schedule of any table of betas, each in (0, 1)."""

    table: tuple[float, ...]

    def __post_init__(self):
        object.__setattr__(self, "table", tuple(float(beta) for beta in self.table))
        super().__post_init__()

    @property
    def timesteps(self) -> int:
        """T, the number of steps."""
        return len(self.table)

    def _table(self):
        return torch.tensor(self.table, dtype=torch.float64)


@dataclass(frozen=True)
class LinearBeta(BetaTable):
    """beta rises on a straight line from ``start`` to ``end`` (Ho et al. 2020)."""

    timesteps: int = 1000
    start: float = 1e-4
    end: float = 0.02

    def _table(self):
        return torch.linspace(self.start, self.end, self.timesteps, dtype=torch.float64)


@dataclass(frozen=True)
class ScaledLinearBeta(BetaTable):
    """sqrt(beta) rises on a straight line (Rombach et al. 2022: Stable Diffusion 1 and 2)."""

    timesteps: int = 1000
    start: float = 0.00085
    end: float = 0.012

    def _table(self):
        return torch.linspace(self.start**0.5, self.end**0.5, self.timesteps, dtype=torch.float64) ** 2


@dataclass(frozen=True)
class SigmoidBeta(BetaTable):
    """beta follows a logistic curve from -6 to 6 between ``start`` and ``end``."""

    timesteps: int = 1000
    start: float = 1e-4
    end: float = 0.02

    def _table(self):
        curve = torch.linspace(-6, 6, self.timesteps, dtype=torch.float64).sigmoid()
        return self.start + (self.end - self.start) * curve


@dataclass(frozen=True)
class CosineBeta(BetaTable):
    """The cosine curve as a table, each beta at most ``max_beta`` (Nichol & Dhariwal 2021, section 3.2)."""

    timesteps: int = 1000
    s: float = 0.008
    max_beta: float = 0.999

    def _table(self):
        return Cosine(self.s).betas(self.timesteps).clamp(max=self.max_beta)


SCHEDULES: dict[str, type[Schedule]] = {
    kind.__name__: kind
    for kind in (LinearBeta, ScaledLinearBeta, CosineBeta, SigmoidBeta, Discrete, Cosine, Flow, Karras)
}


def uniform_times(steps: int, start: float = 1.0, end: float = 0.0) -> list[float]:
    """``steps`` + 1 times falling evenly from ``start`` to ``end``, both included."""
    _check_whole("steps", steps)
    return torch.linspace(start, end, steps + 1, dtype=torch.float64).tolist()


def log_snr_times(schedule: Schedule, steps: int, start: float = 0.999, end: float = 0.001) -> list[float]:
    """``steps`` + 1 times falling from ``start`` to ``end`` in even steps of log-SNR. Taught in notebook 07.

    Both ends need a finite log-SNR, so 0 and (on :class:`Flow`) 1 are refused.
    """
    _check_whole("steps", steps)
    first, last = schedule.log_snr(start).item(), schedule.log_snr(end).item()
    if not (math.isfinite(first) and math.isfinite(last)):
        raise ValueError(
            f"log-SNR runs from {first} to {last} between t={start} and t={end}: keep both ends inside (0, 1)"
        )
    inner = schedule.time_at(torch.linspace(first, last, steps + 1, dtype=torch.float64)[1:-1]).tolist()
    return [start, *inner, end]


def timesteps(total: int, steps: int, spacing: Literal["leading", "trailing", "linspace"] = "trailing") -> list[float]:
    """``steps`` of ``total`` integer timesteps, as times i/T that fall strictly, ending with 0: ``steps`` + 1 numbers.

    The three spacings of common libraries (Lin et al. 2023, table 2). Only 'trailing' and 'linspace' start at t = 1;
    'leading' does not, and with 'linspace' the last step is the single one from 1/T to 0.
    """
    _check_whole("steps", steps)
    if steps > total:
        raise ValueError(f"steps={steps} is more than the table's {total} timesteps: take at most {total}")
    k = torch.arange(steps, dtype=torch.float64)
    if spacing == "leading":
        index = (k * (total // steps)).flip(0) + 1
    elif spacing == "trailing":
        index = (total - k * total / steps).round()
    elif spacing == "linspace":
        index = torch.linspace(total - 1, 0, steps, dtype=torch.float64).round() + 1 if steps > 1 else k + total
    else:
        raise ValueError(f"spacing={spacing!r} is none of 'leading', 'trailing', 'linspace'")
    return [*(index / total).tolist(), 0.0]


def check_times(times: list[float]) -> list[float]:
    """``times`` as floats, refused unless there are two or more, inside [0, 1], falling strictly."""
    times = [float(t) for t in times]
    if len(times) < 2:
        raise ValueError(f"times has {len(times)} entries: a step needs a start and an end, so at least 2")
    for i, (t, s) in enumerate(pairwise(times), start=1):
        if not s < t:
            raise ValueError(f"times must fall strictly: times[{i}]={s:.6g} follows {t:.6g}")
    _time(times)
    return times


def _check_whole(name: str, value: int) -> None:
    if not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name}={value!r}: take a whole number of at least 1")
