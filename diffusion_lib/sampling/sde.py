r"""Stochastic differential equations: Langevin dynamics at one noise level, and the reverse SDE from one to the next.

The *score* of the noised data is the denoiser in other words (Vincent 2011; Tweedie's formula),

.. math:: \nabla_x\log q_t(x) = -\frac{E[\varepsilon \mid x_t = x]}{\sigma_t}.

*Langevin dynamics* climbs it and shakes, and so draws from q_t, from wherever it started:

.. math:: x \leftarrow x + h\,\nabla\log q_t(x) + \sqrt{2h}\,z, \qquad z \sim N(0, 1).

In units of the signal, y = x / alpha with noise of size r = sigma / alpha, noising only adds, dy = √(dr²/dt) dw.
Time reversed (Anderson 1982; Song et al. 2021, SDE paper, equation 6) it drifts along the score, at twice the rate of
the probability-flow ODE, and shakes as much as noising did. One step of Euler and Maruyama is

.. math:: y_s = y_t - \frac{r_t^2 - r_s^2}{r_t}\,\hat\varepsilon + \sqrt{r_t^2 - r_s^2}\;z.

The ancestral step solves the same equation with x̂_0 held still over the step; it ends without noise, and is finite
where alpha = 0, so it is the one to draw with.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from ..conditions import Condition
from ..denoisers import DenoiserLike
from ..schedules import Time
from ..schedules.schedule import check_order, check_whole
from .driver import State


def score(denoise: DenoiserLike, x: Tensor, t: Time, cond: Condition = None) -> Tensor:
    """The gradient (B, …) of log q_t at x (B, …), as the denoiser has it: -ε̂ / sigma. Notebook 07.

    Raises:
        ValueError: sigma is 0 at ``t``, where the score of the data themselves would be asked for.
    """
    return -denoise(x, t, cond).eps / noise_level(denoise, x, t)


def noise_level(denoise: DenoiserLike, x: Tensor, t: Time) -> Tensor:
    """sigma at ``t``, refused where it is 0."""
    _, sigma = denoise.schedule.pair(t, x)
    if not (sigma > 0).all():
        raise ValueError(f"t={t}: there is no noise here, and so no score: take a later time")
    return sigma


@torch.no_grad()
def langevin(
    denoise: DenoiserLike,
    x: Tensor,
    t: float,
    steps: int,
    *,
    size: float = 0.1,
    cond: Condition = None,
    generator: torch.Generator | None = None,
) -> Iterator[State]:
    """Walk ``x`` (B, …) by ``steps`` of Langevin dynamics at the noise level of ``t``; yield every stop. Notebook 07.

    A step is h = ``size`` · sigma²; the smaller, the more exact: for Gaussian data of variance v (noised) the walk
    settles at the variance v / (1 - h / 2v). Too large a step runs away. No step is refused or accepted, so this is the
    "unadjusted" algorithm (Roberts & Tweedie 1996). At small t the walk hardly ever crosses from one peak of the data
    to another: that is why one goes through all noise levels (Song & Ermon 2019).

    Raises:
        ValueError: no whole number of steps, a size that is not above 0, or a time without noise.
    """
    check_whole("steps", steps)
    if not 0 < size < math.inf:
        raise ValueError(f"size={size!r} must be above 0 and finite: 0.1 is a tenth of the noise's variance")
    sigma = noise_level(denoise, x, t)
    h = size * sigma**2
    for _ in range(steps):
        guess = denoise(x, t, cond)
        z = torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x.device)
        x = x - h / sigma * guess.eps + (2 * h).sqrt() * z
        yield State(t, x, guess.x0)


LARGEST_RATIO = 1e4
"""Of noise to signal, up to which the reverse SDE is walked: a step's noise has that size."""


def euler_maruyama(
    denoise: DenoiserLike, x: Tensor, t: float, s: float, *, generator: torch.Generator | None = None
) -> Tensor:
    """One step of the reverse SDE, x_t (B, …) to x_s (B, …); it fits into `walk` and `sample`. Notebook 07.

    It converges at order 1 in distribution, slowly: its last step shakes as every other did, and leaves noise of the
    size of that step's. So walk to a small s above 0 and take the denoiser's x0 there, or take `ancestral`.

    Raises:
        ValueError: the ratio of noise to signal at ``t`` is above 10 000, where noising took for ever; or s > t.
    """
    q = denoise.schedule
    check_order(s, t)
    (alpha_t, sigma_t), (alpha_s, sigma_s) = q.pair(t, x), q.pair(s, x)
    if not (sigma_t < LARGEST_RATIO * alpha_t).all():
        raise ValueError(
            f"t={t:.6g} of {q!r}: noise there is more than {LARGEST_RATIO:g} times the signal, and a step of the "
            "reverse SDE would shake as much: start at an earlier time, such as 0.99"
        )
    r_t, r_s = sigma_t / alpha_t, sigma_s / alpha_s
    added = r_t**2 - r_s**2
    z = torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x.device)
    return alpha_s * (x / alpha_t - added / r_t * denoise(x, t).eps + added.sqrt() * z)
