r"""Samplers: walks from noise to data, each step "from t to s", as generators over denoisers.

What a sampler yields is the trajectory: ``list(ddim(...))`` is what a scrubber shows, ``*_, last = ddim(...)`` the
result. With x̂_0, ε̂ the denoiser's answer at x_t, one step is

.. math::
    \text{ancestral}&: x_s \sim q(x_s \mid x_t, \hat x_0) \\
    \text{ddim}&: x_s = \alpha_s\hat x_0 + \sqrt{\sigma_s^2 - \eta^2 v}\;\hat\varepsilon + \eta\sqrt{v}\,z \\
    \text{euler}&: x_s = x_t + (s - t)(\alpha_t'\hat x_0 + \sigma_t'\hat\varepsilon) \\
    \text{heun}&: \tfrac{x_s}{u_s} = \tfrac{x_t}{u_t} + \Delta\tfrac{\alpha}{u}\,\bar x_0
        + \Delta\tfrac{\sigma}{u}\,\bar\varepsilon \\
    \text{dpmpp\_2m}&: x_s = \tfrac{\sigma_s}{\sigma_t}x_t - \alpha_s(e^{-h} - 1)\,\tilde x_0

v is the posterior's variance, z fresh noise, h the step in log(alpha/sigma), and x̃_0 extrapolates the last two
estimates. For heun, u = alpha + sigma, Δ is the change from t to s, and bars are means of the answers at both ends.
ddim and euler are of first order in the step, heun and dpmpp_2m of second. On one log-SNR grid all but euler give the
same samples on every schedule: only sigma/alpha matters. Taught in notebooks 06 and 07.

Sources: Ho et al. 2020, algorithm 2; Song et al. 2021 (DDIM), equation 12; Song et al. 2021 (SDE), the probability-flow
ODE; Karras et al. 2022, algorithm 1; Lu et al. 2022 (DPM-Solver++), algorithm 2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

from .denoisers import DenoiserLike
from .gaussians import Gaussian
from .schedules import check_times, uniform_times


@dataclass(frozen=True, eq=False)
class Step:
    """One step's outcome: the state ``x`` (B, …) at time ``t``, and the estimate ``x0`` (B, …) that led there."""

    t: float
    x: Tensor
    x0: Tensor


@torch.no_grad()
def ancestral(
    denoise: DenoiserLike,
    x: Tensor,
    times: Sequence[float],
    *,
    cond: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Iterator[Step]:
    """Draw each x_s from the posterior with x̂_0 in the place of x_0. A step to sigma = 0 draws no noise. Notebook 06.

    x: (B, …) at times[0]; times fall strictly (``ValueError`` otherwise), as for every sampler here.
    """
    for t, s in pairwise(check_times(times)):
        x0 = denoise(x, t, cond).x0
        x = denoise.schedule.posterior(x, x0, s, t).sample(generator)
        yield Step(s, x, x0)


@torch.no_grad()
def ddim(
    denoise: DenoiserLike,
    x: Tensor,
    times: Sequence[float],
    *,
    cond: Tensor | None = None,
    eta: float = 0.0,
    generator: torch.Generator | None = None,
) -> Iterator[Step]:
    """Re-noise x̂_0 to level s with the noise just found, ε̂. ``eta`` = 1 is ancestral, 0 draws no noise. Notebook 06."""
    if not 0 <= eta <= 1:
        raise ValueError(f"eta={eta} is outside [0, 1]: 0 is deterministic, 1 is ancestral sampling")
    q = denoise.schedule
    for t, s in pairwise(check_times(times)):
        found = denoise(x, t, cond)
        alpha, sigma = q.pair(s, x)
        var = eta**2 * q.posterior(x, found.x0, s, t).var
        mean = alpha * found.x0 + (sigma**2 - var).sqrt() * found.eps
        x = Gaussian(mean, var).sample(generator)
        yield Step(s, x, found.x0)


@torch.no_grad()
def euler(denoise: DenoiserLike, x: Tensor, times: Sequence[float], *, cond: Tensor | None = None) -> Iterator[Step]:
    """Follow dx/dt = alpha' x̂_0 + sigma' ε̂ along its tangent. On the flow schedule it is ddim. Notebook 07."""
    for t, s in pairwise(check_times(times)):
        found = denoise(x, t, cond)
        dalpha, dsigma = denoise.schedule.rates(t, x)
        x = x + (s - t) * (dalpha * found.x0 + dsigma * found.eps)
        yield Step(s, x, found.x0)


@torch.no_grad()
def heun(
    denoise: DenoiserLike,
    x: Tensor,
    times: Sequence[float],
    *,
    cond: Tensor | None = None,
    gauge: Callable[[Tensor, Tensor], Tensor] = torch.add,
) -> Iterator[Step]:
    """Go ahead, look there, go again with the mean of both answers: two denoiser calls a step. Notebook 07.

    A step to sigma = 0 takes one call. The step is straight in x / gauge(alpha, sigma): their sum works from alpha = 0
    to sigma = 0; ``lambda alpha, sigma: alpha`` is EDM's.
    """
    q = denoise.schedule
    for t, s in pairwise(check_times(times)):
        (alpha_t, sigma_t), (alpha_s, sigma_s) = q.pair(t, x), q.pair(s, x)
        unit_t, unit_s = gauge(alpha_t, sigma_t), gauge(alpha_s, sigma_s)
        signal, noise = alpha_s / unit_s - alpha_t / unit_t, sigma_s / unit_s - sigma_t / unit_t
        here = denoise(x, t, cond)
        ahead = unit_s * (x / unit_t + signal * here.x0 + noise * here.eps)
        if sigma_s > 0:
            there = denoise(ahead, s, cond)
            x0, eps = (here.x0 + there.x0) / 2, (here.eps + there.eps) / 2
            ahead = unit_s * (x / unit_t + signal * x0 + noise * eps)
        x = ahead
        yield Step(s, x, here.x0)


@torch.no_grad()
def dpmpp_2m(denoise: DenoiserLike, x: Tensor, times: Sequence[float], *, cond: Tensor | None = None) -> Iterator[Step]:
    """Second order with one denoiser call a step: extrapolate the last two x̂_0 in log(alpha/sigma). Notebook 07.

    The first step, and a step to sigma = 0, are of first order (ddim).
    """
    q, last = denoise.schedule, None
    for t, s in pairwise(check_times(times)):
        (alpha_t, sigma_t), (alpha_s, sigma_s) = q.pair(t, x), q.pair(s, x)
        log_t, log_s = (alpha_t / sigma_t).log(), (alpha_s / sigma_s).log()
        x0 = mixed = denoise(x, t, cond).x0
        if last is not None and sigma_s > 0:
            log_before, x0_before = last
            mixed = x0 + (log_s - log_t) / (log_t - log_before) / 2 * (x0 - x0_before)
        x = sigma_s / sigma_t * x - alpha_s * torch.expm1(log_t - log_s) * mixed
        last = log_t, x0
        yield Step(s, x, x0)


def slerp(a: Tensor, b: Tensor, weight: float | Tensor) -> Tensor:
    """Spherical interpolation between noises ``a`` and ``b`` (B, …); ``weight`` 0 gives a, 1 gives b. Notebook 06.

    Along the great circle sin((1 - w)φ)/sin φ · a + sin(wφ)/sin φ · b, φ the angle between the two, the norm stays that
    of noise; the straight line (1 - w) a + w b shrinks it, by √½ half-way. ``weight`` is a number or (B,). Parallel a
    and b are joined by the straight line. Source: Shoemake 1985.
    """
    weight = torch.as_tensor(weight, dtype=a.dtype, device=a.device).reshape(-1, *[1] * (a.ndim - 1))
    shape = (-1,) + (1,) * (a.ndim - 1)
    cosine = torch.nn.functional.cosine_similarity(a.flatten(1), b.flatten(1)).clamp(-1, 1).reshape(shape)
    angle = cosine.acos()
    straight = angle.sin() < torch.finfo(a.dtype).eps ** 0.5
    sine = angle.sin().masked_fill(straight, 1.0)
    along_a = torch.where(straight, 1 - weight, ((1 - weight) * angle).sin() / sine)
    along_b = torch.where(straight, weight, (weight * angle).sin() / sine)
    return along_a * a + along_b * b


Sampler = Literal["ancestral", "ddim", "euler", "heun", "dpmpp_2m"]
SAMPLERS: dict[str, Callable[..., Iterator[Step]]] = {
    "ancestral": ancestral,
    "ddim": ddim,
    "euler": euler,
    "heun": heun,
    "dpmpp_2m": dpmpp_2m,
}
STEPS = SAMPLERS


def sample(
    denoise: DenoiserLike,
    shape: Sequence[int],
    count: int,
    *,
    sampler: Sampler = "ddim",
    step: str | None = None,
    options: dict | None = None,
    steps: int = 20,
    times: Sequence[float] | None = None,
    cond: Tensor | None = None,
    seed: int = 0,
    batch: int = 64,
    progress: bool = False,
) -> Tensor:
    """``count`` new samples of the given ``shape``, (count, *shape), float32, made in batches. Taught in notebook 06.

    ``times`` overrides ``steps`` even ones from 1 to 0. ``cond`` is (count,) labels. The same seed and batch give the
    same samples: all noise is drawn on the CPU, where the samples stay, whatever device the network computes on.

    Raises:
        ValueError: unknown sampler, ``cond`` of another length than ``count``, or no samples asked for.
    """
    from tqdm.auto import tqdm

    sampler = step or sampler
    if sampler not in SAMPLERS:
        raise ValueError(f"sampler={sampler!r} is none of {', '.join(map(repr, SAMPLERS))}")
    if cond is not None and len(cond) != count:
        raise ValueError(f"cond has {len(cond)} labels for {count} samples: give one each")
    if count < 1 or batch < 1:
        raise ValueError(f"count={count}, batch={batch}: both are at least 1")
    times = uniform_times(steps) if times is None else check_times(times)
    generator = torch.Generator().manual_seed(seed)
    noise = denoise.schedule.prior((count, *shape), generator, dtype=torch.float32)
    options = dict(options or {}) | ({"generator": generator} if sampler in ("ancestral", "ddim") else {})
    done = []
    with tqdm(total=-(-count // batch) * (len(times) - 1), desc=sampler, disable=not progress, leave=False) as bar:
        for first in range(0, count, batch):
            x = noise[first : first + batch]
            part = None if cond is None else cond[first : first + batch].cpu()
            for step in SAMPLERS[sampler](denoise, x, times, cond=part, **options):
                x = step.x
                bar.update()
            done.append(x)
    return torch.cat(done)
