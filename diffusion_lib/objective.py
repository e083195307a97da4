r"""The objective: from the bound on -log p(x_0) to a weighted mean squared error.

With the reverse step p(x_s | x_t) = q(x_s | x_t, x̂_0), that is the posterior with the denoiser's estimate in the
place of x_0, the bound over T timesteps t = i/T splits into (Ho et al. 2020, equation 5)

.. math::
    -\log p(x_0) \le \underbrace{KL(q(x_T|x_0)\,\|\,p(x_T))}_{L_T:\ prior}
    + \sum_{i=2}^{T} \underbrace{KL(q(x_s|x_t,x_0)\,\|\,p(x_s|x_t))}_{L_{i-1}:\ steps}
    + \underbrace{-\log p(x_0|x_1)}_{L_0:\ reconstruction}

and each step's KL between two Gaussians of equal variance is (Kingma et al. 2021, section 4)

.. math:: KL = \tfrac12\bigl(SNR(s) - SNR(t)\bigr)\,\|x_0 - \hat x_0\|^2
             = \tfrac12\bigl(SNR(s) - SNR(t)\bigr)\Bigl(\frac{\sigma_t}{\Delta_t}\Bigr)^2\|y - \hat y\|^2

for a target y with determinant Δ (:mod:`diffusion_lib.predictions`). Dropping the factor gives the "simple" loss.
Everything is in nats, a sum over the dimensions of one sample, unless the name says otherwise. Taught in notebook 03.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from .conditions import Condition
from .denoisers import Denoiser, DenoiserLike
from .gaussians import Gaussian
from .networks import Autoencoder
from .predictions import TARGETS, determinant
from .registry import Registry
from .schedules import Schedule, Time
from .times import uniform_times

WEIGHTS: Registry[Callable[[Tensor], Tensor]] = Registry("weight")
"""Every weight of the loss by name: a function of the log-SNR (B,) that gives (B,); `@WEIGHTS.register` adds one."""


@WEIGHTS.register
def simple(log_snr: Tensor) -> Tensor:
    """Weight 1 at every time: the "simple" loss (Ho et al. 2020, equation 14)."""
    return torch.ones_like(log_snr)


@WEIGHTS.register(name="snr+1")
def snr_plus_one(log_snr: Tensor) -> Tensor:
    """1 + SNR, at most 50: an error of x̂0 counts as that of v̂ does (Salimans & Ho 2022, section 4).

    Where alpha² + sigma² = 1, |v - v̂|² = (1 + SNR) |x0 - x̂0|². The limit keeps nearly clean pictures from being all
    that counts. Notebook 05.
    """
    return (1 + log_snr.exp()).clamp(max=50.0)


@WEIGHTS.register
def velocity(log_snr: Tensor) -> Tensor:
    """(1 + alpha/sigma)², at most 50: an error of x̂0 counts as that of the velocity does on the flow schedule.

    There alpha = 1 - t, sigma = t, and the velocity is (x_t - x0) / sigma: so its squared error is that of x0
    over sigma², and 1/sigma² = (1 + alpha/sigma)². Source: Li & He 2025 (*Back to basics*), who train x0 this way.
    """
    return (1 + (log_snr / 2).exp()).square().clamp(max=50.0)


def loss(
    denoise: Denoiser,
    x0: Tensor,
    t: Tensor,
    noise: Tensor,
    cond: Condition = None,
    *,
    weight: Callable[[Tensor], Tensor] = simple,
) -> Tensor:
    """The weighted mean squared error of a network at times ``t`` (B,), a number a sample, (B,). Notebook 05.

    ``noise`` is standard Gaussian of the shape of ``x0`` (B, …); ``weight`` takes the log-SNR. A mean over a sample's
    dimensions, not a sum, so that it is comparable between sizes.

    Raises:
        ValueError: the noise has another shape than the data.
    """
    if noise.shape != x0.shape:
        raise ValueError(
            f"noise has shape {tuple(noise.shape)} for data of {tuple(x0.shape)}: draw it with torch.randn_like(x0)"
        )
    alpha, sigma, p, q = denoise.coefficients(t, x0)
    miss = denoise.output(alpha * x0 + sigma * noise, t, cond) - (p * x0 + q * noise)
    return weight(denoise.schedule.log_snr(t)).to(x0) * miss.square().flatten(1).mean(1)


def kl_weight(schedule: Schedule, s: Time, t: Time, predicts: str = "x0") -> Tensor:
    """What turns |y - ŷ|² of a target into the KL of the step from ``t`` to ``s``, in nats; float64, the shape of t.

    For 'x0' it is half the drop of the SNR, and the simple loss replaces it by 1. Notebook 03 derives the weight of
    'eps' by hand (exercise 3.3), and the tests hold that solution against this function.
    """
    t = torch.as_tensor(t, dtype=torch.float64)
    alpha, sigma = schedule.pair(t, t)
    p, q = TARGETS.find(predicts, option="predicts")(alpha, sigma, lambda: schedule.rates(t, t))
    return (schedule.snr(s) - schedule.snr(t)) / 2 * (sigma / determinant(alpha, sigma, p, q)) ** 2


def step_kl(schedule: Schedule, x_t: Tensor, x0: Tensor, x0_hat: Tensor, s: float, t: float) -> Tensor:
    """KL(q(x_s | x_t, x_0) || q(x_s | x_t, x̂_0)) of one step, in nats a sample, (B,); 0 < s < t."""
    true, guessed = schedule.posterior(x_t, x0, s, t), schedule.posterior(x_t, x0_hat, s, t)
    return true.kl(guessed).flatten(1).sum(1)


@dataclass(frozen=True, eq=False)
class Bound:
    """The terms of the bound on -log p(x_0), in nats a sample.

    prior: L_T, (B,); steps: L_1 … L_{T-1} in that order, (T - 1, B); reconstruction: L_0, (B,).
    """

    prior: Tensor
    steps: Tensor
    reconstruction: Tensor

    @property
    def total(self) -> Tensor:
        """The bound itself, (B,): at least -log p(x_0) in the mean over the noise."""
        return self.prior + self.steps.sum(0) + self.reconstruction


def decoder(denoise: DenoiserLike, x: Tensor, t: float) -> Gaussian:
    """p(x_0 | x_1): the last, stochastic reading of the bound, N(x̂_0(x), (sigma/alpha)²) at the first timestep ``t``.

    Its variance is what the noise in x leaves open about x_0 if nothing else is known.
    """
    alpha, sigma = denoise.schedule.pair(t, x)
    return Gaussian(denoise(x, t).x0, ((sigma / alpha) ** 2).expand_as(x))


def prior(schedule: Schedule, x: Tensor) -> Gaussian:
    """p(x_T), the distribution that sampling starts from: N(0, sigma(1)²)."""
    return Gaussian(torch.zeros_like(x), schedule.pair(1.0, x)[1].expand_as(x) ** 2)


@torch.no_grad()
def bound(denoise: DenoiserLike, x0: Tensor, timesteps: int, generator: torch.Generator | None = None) -> Bound:
    """The bound in its KL form: each term's x_t is drawn afresh from q(x_t | x_0), each KL is in closed form.

    x0: (B, …); T = ``timesteps`` at least 1. Unbiased, with little variance. Taught in notebook 03.
    """
    q, times = denoise.schedule, uniform_times(timesteps)[::-1]
    last = q.marginal(x0, 1.0).kl(prior(q, x0)).flatten(1).sum(1)
    steps = []
    for s, t in pairwise(times[1:]):
        x_t = q.marginal(x0, t).sample(generator)
        steps.append(step_kl(q, x_t, x0, denoise(x_t, t).x0, s, t))
    x_1 = q.marginal(x0, times[1]).sample(generator)
    reconstruction = -decoder(denoise, x_1, times[1]).log_prob(x0)
    return Bound(
        last,
        torch.stack(steps) if steps else x0.new_zeros(0, len(x0)),
        reconstruction.flatten(1).sum(1),
    )


def autoencoder_bound(net: Autoencoder, x: Tensor, noise: Tensor, variance: float) -> Bound:
    """The bound of an autoencoder, one latent z in the place of x_1 … x_T: the KL of q(z | x), and -log p(x | z).

    x: pictures (B, …); noise: standard Gaussian of the latents' shape, from which z is made. The decoder's picture has
    ``variance`` around it in every pixel: the error that is allowed. Small, the pictures are sharp and the KL large;
    1 would blur them away. In nats a sample. Source: Kingma & Welling 2014, equation 10.

    Raises:
        ValueError: the variance is not above 0.
    """
    check_variance(variance)
    mean, log_variance = net.posterior(x)
    encoded = Gaussian(mean, log_variance.exp())
    picture = net.picture(mean + (log_variance / 2).exp() * noise)
    standard = Gaussian(torch.zeros_like(mean), torch.ones_like(mean))
    reconstruction = -Gaussian(picture, torch.full_like(picture, variance)).log_prob(x)
    return Bound(encoded.kl(standard).flatten(1).sum(1), x.new_zeros(0, len(x)), reconstruction.flatten(1).sum(1))


def check_variance(variance: float) -> None:
    """Refuse a ``variance`` of a decoder's pixels that is not above 0, or not finite."""
    if not 0 < variance < math.inf:
        raise ValueError(f"variance={variance!r} must be above 0 and finite: 0.002 is a small error of a pixel")


@torch.no_grad()
def direct_bound(denoise: DenoiserLike, x0: Tensor, timesteps: int, generator: torch.Generator | None = None) -> Tensor:
    """The same bound as it is defined, log q(x_1…x_T | x_0) - log p(x_0…x_T) along simulated chains, in nats, (B,).

    No KL is taken in closed form, so it is noisier than :func:`bound` and has the same mean. Taught in notebook 03.
    """
    q, times = denoise.schedule, uniform_times(timesteps)[::-1]
    chain, log_q = [x0], torch.zeros(len(x0)).to(x0)
    for s, t in pairwise(times):
        forward = q.transition(chain[-1], s, t)
        chain.append(forward.sample(generator))
        log_q = log_q + forward.log_prob(chain[-1]).flatten(1).sum(1)
    log_p = prior(q, x0).log_prob(chain[-1]).flatten(1).sum(1)
    for i in range(timesteps, 1, -1):
        backward = q.posterior(chain[i], denoise(chain[i], times[i]).x0, times[i - 1], times[i])
        log_p = log_p + backward.log_prob(chain[i - 1]).flatten(1).sum(1)
    log_p = log_p + decoder(denoise, chain[1], times[1]).log_prob(x0).flatten(1).sum(1)
    return log_q - log_p


def nats_to_bits_per_dim(nats: Tensor | float, dimensions: int, *, levels: int | None = 256) -> Tensor | float:
    """Nats of a whole sample to bits a dimension, for data in [-1, 1] of ``levels`` grey levels; None: as densities.

    A density in [-1, 1] becomes a probability of a grey level by the width of its bin, 2/levels: that adds
    log2(levels/2) bits a dimension. Taught in notebook 03.
    """
    bits = nats / (dimensions * math.log(2))
    return bits if levels is None else bits + math.log2(levels / 2)
