"""What every schedule gives: alpha, sigma, and the three Gaussians that follow from them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from numbers import Integral

import torch
from torch import Tensor

from ..gaussians import Gaussian
from ..registry import Registry

Time = float | Tensor

SCHEDULES: Registry[type[Schedule]] = Registry("schedule")
"""Every schedule by its class's name: `@SCHEDULES.register` adds one, and files, command line and tests know it."""


def as_time(t: Time) -> Tensor:
    """``t`` as float64 (on the CPU if its device knows no float64, as Apple's), refused outside [0, 1]."""
    if isinstance(t, Tensor) and t.device.type == "mps":
        t = t.cpu()
    t = torch.as_tensor(t, dtype=torch.float64)
    if not ((t >= 0) & (t <= 1)).all():
        worst = t.flatten()[((t - 0.5).abs().nan_to_num(math.inf)).argmax()].item()
        raise ValueError(f"t={worst:.6g} is outside [0, 1]: timestep i of T is t = i / T")
    return t


def broadcast(t: Tensor, x: Tensor) -> Tensor:
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
        return self._alpha(as_time(t))

    def sigma(self, t: Time) -> Tensor:
        """What multiplies the noise at ``t``: a standard deviation; float64, the shape of ``t``."""
        return self._sigma(as_time(t))

    def alpha_bar(self, t: Time) -> Tensor:
        """alpha(t)²: the share of the data's variance that is left at ``t``."""
        return self.alpha(t) ** 2

    def snr(self, t: Time) -> Tensor:
        """Signal-to-noise ratio alpha²/sigma², infinite at t = 0 where sigma = 0."""
        return (self.alpha(t) / self.sigma(t)) ** 2

    def log_snr(self, t: Time) -> Tensor:
        """Natural logarithm of the SNR: the noise level as one number, whatever the schedule. Notebook 01."""
        t = as_time(t)
        return 2 * (self._alpha(t).log() - self._sigma(t).log())

    def pair(self, t: Time, x: Tensor) -> tuple[Tensor, Tensor]:
        """(alpha, sigma) at ``t``, a number or one a sample (B,), ready to multiply x (B, …)."""
        t = as_time(t)
        return broadcast(self._alpha(t), x).to(x), broadcast(self._sigma(t), x).to(x)

    def rates(self, t: Time, x: Tensor) -> tuple[Tensor, Tensor]:
        """Time derivatives (alpha', sigma') at ``t``, by automatic differentiation, ready to multiply x (B, …).

        At t = 0 of a VP schedule sigma' is infinite, and comes out as NaN.
        """

        def derivative(curve):
            with torch.inference_mode(False), torch.enable_grad():
                at = as_time(t).detach().clone().requires_grad_()
                return torch.autograd.grad((curve(at) + 0 * at).sum(), at)[0]

        return broadcast(derivative(self._alpha), x).to(x), broadcast(derivative(self._sigma), x).to(x)

    def marginal(self, x0: Tensor, t: Time) -> Gaussian:
        """q(x_t | x_0): noise ``x0`` (B, …) to time ``t`` in one jump. Taught in notebook 02."""
        alpha, sigma = self.pair(t, x0)
        return Gaussian(alpha * x0, sigma**2)

    def transition(self, x_s: Tensor, s: Time, t: Time) -> Gaussian:
        """q(x_t | x_s): noise ``x_s`` (B, …) onwards from time ``s`` to the later ``t``. Taught in notebook 02."""
        check_order(s, t)
        _, keep, var = self._onwards(s, t)
        return Gaussian(broadcast(keep, x_s).to(x_s) * x_s, broadcast(var, x_s).to(x_s))

    def posterior(self, x_t: Tensor, x0: Tensor, s: Time, t: Time) -> Gaussian:
        """q(x_s | x_t, x_0): where x_s was, given both its ends (B, …); s < t. Taught in notebook 02.

        At s = 0, if sigma(0) = 0, the variance is exactly 0 and the mean is x_0.
        """
        check_order(s, t)
        s, keep, var = self._onwards(s, t)
        total = self._sigma(as_time(t)) ** 2
        noise_s = self._sigma(s) ** 2
        weight_t = keep * noise_s / total
        weight_0 = self._alpha(s) * var / total  # = alpha_s - weight_t * alpha_t, without the cancellation
        weight_t, weight_0, var = (broadcast(w, x_t).to(x_t) for w in (weight_t, weight_0, noise_s * var / total))
        return Gaussian(weight_t * x_t + weight_0 * x0, var)

    def _onwards(self, s: Time, t: Time) -> tuple[Tensor, Tensor, Tensor]:
        """s, alpha_t/alpha_s, and the variance that the step from s to t adds, all float64."""
        s, t = as_time(s), as_time(t)
        keep = self._alpha(t) / self._alpha(s)
        return s, keep, (self._sigma(t) ** 2 - (keep * self._sigma(s)) ** 2).clamp(min=0)

    def betas(self, timesteps: int) -> Tensor:
        """This schedule as a beta table of T = ``timesteps`` rows, (T,): beta_i = 1 - alpha_bar_i / alpha_bar_{i-1}.

        Raises:
            ValueError: the schedule is not variance preserving, so no beta table gives it.
        """
        check_whole("timesteps", timesteps)
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

    def prior(
        self, shape: tuple[int, ...], generator: torch.Generator | None = None, *, t: float = 1.0, dtype=None
    ) -> Tensor:
        """Draw x as samplers start at ``t``: N(0, alpha² + sigma²), of shape (B, …), for data of variance 1.

        Right only where the SNR at ``t`` is near 0: then nothing but the size of x is left of the data. Notebook 01.
        """
        size = torch.hypot(self.alpha(t), self.sigma(t)).item()
        return size * torch.randn(shape, generator=generator, dtype=dtype)


def check_order(s: Time, t: Time) -> None:
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


def check_whole(name: str, value: int) -> None:
    """Refuse a ``value`` that is no whole number of at least 1, calling it ``name``."""
    if not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name}={value!r}: take a whole number of at least 1")
