r"""One step from time t to time s, for each sampling method: functions ``step(denoise, x, t, s) -> x_s``.

With x̂_0, ε̂ the denoiser's answer at x_t,

.. math::
    \text{ancestral}&: x_s \sim q(x_s \mid x_t, \hat x_0) \\
    \text{ddim}&: x_s = \alpha_s\hat x_0 + \sqrt{\sigma_s^2 - \eta^2 v}\;\hat\varepsilon + \eta\sqrt{v}\,z \\
    \text{euler}&: x_s = x_t + (s - t)(\alpha_t'\hat x_0 + \sigma_t'\hat\varepsilon) \\
    \text{heun}&: \text{the mean of the changes seen from both ends of the step} \\
    \text{dpmpp\_2m}&: x_s = \tfrac{\sigma_s}{\sigma_t}x_t - \alpha_s(e^{-h} - 1)\,\tilde x_0

v is the posterior's variance, z fresh noise, h the step in log(alpha/sigma), and x̃_0 extrapolates the last two
estimates. ddim and euler are of first order in the step, heun and dpmpp_2m of second. On one log-SNR grid all but euler
give the same samples on every schedule: only sigma/alpha matters.

All but ancestral, and ddim with eta > 0, follow an ordinary differential equation, so they run in both directions: from
t down to s < t they denoise, from t up to s > t they turn data into the noise that it would have come from.

Besides (denoise, x, t, s) a step may have keyword options with defaults. Two names are filled in by the driver:
``generator``, for a step that draws random numbers (which then needs falling times), and ``history``, the list of
(t, x̂_0) of the walk's steps so far, for a step that looks back. Adding one is a function with ``@STEPS.register``.

Sources: Ho et al. 2020, algorithm 2; Song et al. 2021 (DDIM), equation 12; Song et al. 2021 (SDE), the probability-flow
ODE; Karras et al. 2022, algorithms 1 and 2; Lu et al. 2022 (DPM-Solver++), algorithm 2. Notebook 06 teaches the first
two, 07 the rest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..denoisers import DenoiserLike
from ..gaussians import Gaussian
from ..registry import Registry
from ..schedules import Time

Step = Callable[..., Tensor]

STEPS: Registry[Step] = Registry("step")
"""Every step by name: `@STEPS.register` adds one, and `sample`, the command line and the tests know it."""


@STEPS.register
def ancestral(
    denoise: DenoiserLike, x: Tensor, t: float, s: float, *, generator: torch.Generator | None = None
) -> Tensor:
    """Draw x_s from the posterior with x̂_0 in the place of x_0; at s with sigma = 0 no noise is drawn. Notebook 06."""
    x0 = denoise(x, t).x0
    return denoise.schedule.posterior(x, x0, s, t).sample(generator)


@STEPS.register
def ddim(
    denoise: DenoiserLike,
    x: Tensor,
    t: float,
    s: float,
    *,
    eta: float = 0.0,  # how much of the noise is drawn afresh, 0 to 1
    generator: torch.Generator | None = None,
) -> Tensor:
    """Noise x̂_0 again to level s, with the noise ε̂ just estimated. ``eta`` = 1 is ancestral, 0 draws none. Notebook 06.

    Raises:
        ValueError: eta is outside [0, 1], or above 0 with s > t.
    """
    if not 0 <= eta <= 1:
        raise ValueError(f"eta={eta} is outside [0, 1]: 0 is deterministic, 1 is ancestral sampling")
    guess = denoise(x, t)
    alpha, sigma = denoise.schedule.pair(s, x)
    if eta == 0:
        return alpha * guess.x0 + sigma * guess.eps
    var = eta**2 * denoise.schedule.posterior(x, guess.x0, s, t).var
    left = (sigma**2 - var).clamp(min=0)  # where alpha_t is 0 and eta 1 nothing is left, and rounding says -6e-8
    mean = alpha * guess.x0 + left.sqrt() * guess.eps
    return Gaussian(mean, var).sample(generator)


def velocity(denoise: DenoiserLike, x: Tensor, t: Time) -> Tensor:
    """dx/dt of the probability-flow ODE at x (B, …) and time ``t``, (B, …): alpha' x̂_0 + sigma' ε̂.

    Raises:
        ValueError: the schedule changes infinitely fast there (t = 0 where alpha² + sigma² = 1).
    """
    dalpha, dsigma = denoise.schedule.rates(t, x)
    if not (dalpha.isfinite().all() and dsigma.isfinite().all()):
        raise ValueError(f"t={t}: {denoise.schedule!r} changes infinitely fast here, start at a later time")
    guess = denoise(x, t)
    return dalpha * guess.x0 + dsigma * guess.eps


@STEPS.register
def euler(denoise: DenoiserLike, x: Tensor, t: float, s: float) -> Tensor:
    """Follow dx/dt = alpha' x̂_0 + sigma' ε̂ along its tangent. On the flow schedule it is ddim."""
    return x + (s - t) * velocity(denoise, x, t)


@STEPS.register
def heun(
    denoise: DenoiserLike,
    x: Tensor,
    t: float,
    s: float,
    *,
    churn: float = 0.0,  # how much noise is added before each step
    gauge: Callable[[Tensor, Tensor], Tensor] = torch.add,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Go ahead with the change d seen at t, look there, go again with the mean of both: two calls. Notebook 07.

    Algorithm 2 of Karras et al. 2022, for any schedule. ``churn`` is their γ: noise is added first, until sigma/alpha
    has grown by the factor 1 + γ. A step to sigma = 0 takes one call. The walk is straight in x / gauge(alpha, sigma):
    alpha + sigma works from alpha = 0 to sigma = 0, ``lambda alpha, sigma: alpha`` is theirs.

    Raises:
        ValueError: churn is below 0, or above 0 with s > t.
    """
    q = denoise.schedule
    if churn:
        x, t = raise_noise(denoise, x, t, s, churn, generator)
    (alpha_t, sigma_t), (alpha_s, sigma_s) = q.pair(t, x), q.pair(s, x)
    unit_t, unit_s = gauge(alpha_t, sigma_t), gauge(alpha_s, sigma_s)

    def change(x: Tensor, at: float) -> Tensor:
        guess = denoise(x, at)
        return (alpha_s / unit_s - alpha_t / unit_t) * guess.x0 + (sigma_s / unit_s - sigma_t / unit_t) * guess.eps

    d = change(x, t)
    x_s = unit_s * (x / unit_t + d)
    if sigma_s > 0:
        d_s = change(x_s, s)
        x_s = unit_s * (x / unit_t + (d + d_s) / 2)
    return x_s


@STEPS.register
def dpmpp_2m(
    denoise: DenoiserLike, x: Tensor, t: float, s: float, *, history: Sequence[tuple[float, Tensor]] = ()
) -> Tensor:
    """Second order with one denoiser call: extrapolate the last two x̂_0 in log(alpha/sigma). Notebook 07.

    The first step, and a step to or from sigma = 0 or alpha = 0, are of first order (ddim).
    """
    q = denoise.schedule
    (_, sigma_t), (alpha_s, sigma_s) = q.pair(t, x), q.pair(s, x)
    log_t, log_s = q.log_snr(t) / 2, q.log_snr(s) / 2  # log(alpha/sigma), in float64: alpha may be 1e-30
    guess = denoise(x, t)
    if not history or not (log_t.isfinite() and log_s.isfinite()):
        return alpha_s * guess.x0 + sigma_s * guess.eps
    t_before, x0_before = history[-1]
    # rising from sigma = 0, the log before is infinite and the second term 0: first order once more
    share = (log_s - log_t) / (log_t - q.log_snr(t_before) / 2) / 2
    x0 = guess.x0 + share.to(x) * (guess.x0 - x0_before)
    return sigma_s / sigma_t * x - (q.alpha(s) * torch.expm1(log_t - log_s)).to(x) * x0


def raise_noise(
    denoise: DenoiserLike, x: Tensor, t: float, s: float, churn: float, generator: torch.Generator | None
) -> tuple[Tensor, float]:
    """Noise x (B, …) onwards to the later time at which sigma/alpha is 1 + churn times as large: (x, that time)."""
    if not churn >= 0 or s > t:
        raise ValueError(f"churn={churn} from t={t:.6g} to s={s:.6g}: it is at least 0, and needs falling times")
    q = denoise.schedule
    later = q.time_at(q.log_snr(t) - 2 * math.log1p(churn)).item()
    return (q.transition(x, t, later).sample(generator), later) if later > t else (x, t)
