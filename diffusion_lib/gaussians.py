r"""Gaussians and mixtures of them: the one family in which every question of the course has an exact answer.

A Gaussian has

.. math::
    \log N(x; m, v) = -\tfrac12\Bigl[\frac{(x - m)^2}{v} + \log(2\pi v)\Bigr], \qquad
    KL(N_1 \| N_2) = \tfrac12\Bigl[\frac{v_1}{v_2} - 1 - \log\frac{v_1}{v_2} + \frac{(m_1 - m_2)^2}{v_2}\Bigr].

If the data x_0 come from a mixture of isotropic Gaussians (weights w_k, means m_k, variances v_k), then
x_t = alpha x_0 + sigma eps comes from a mixture too, with means alpha m_k and variances alpha² v_k + sigma².
Its density, its score, and the best possible denoiser E[x_0 | x_t] are therefore known in closed form:

.. math::
    r_k(x) = \mathrm{softmax}_k\bigl[\log w_k + \log N(x; \alpha m_k, \alpha^2 v_k + \sigma^2)\bigr], \qquad
    E[x_0 \mid x_t] = \sum_k r_k\Bigl[m_k + \frac{\alpha v_k}{\alpha^2 v_k + \sigma^2}(x_t - \alpha m_k)\Bigr].

Source: Bishop, *Pattern Recognition and Machine Learning* (2006), section 2.3. Notebooks 02 to 04 teach it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

LOG_2PI = math.log(2 * math.pi)
DIFFERENCES = 2**23
"""How many differences between coordinates of points and of means are held at a time: 64 MB in float64. Blocks so large
go back to the system at once; smaller ones leave holes between the results, and the memory grows as if nothing were
split."""


@dataclass(frozen=True)
class Gaussian:
    """Independent Gaussians, one an element: ``mean`` and ``var`` of shapes that broadcast to (B, …).

    ``var`` is a variance: not a standard deviation, not a log-variance. It may be 0 (a point), and then there is a
    sample but no density. Taught in notebooks 02 and 03.
    """

    mean: Tensor
    var: Tensor

    def __post_init__(self):
        if (self.var < 0).any():
            raise ValueError(
                f"var={self.var.min().item():.3g} is negative: a variance is at least 0 (was it a log-variance?)"
            )

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """Draw one x of shape (B, …). Where every variance is 0, no random number is drawn."""
        mean, _ = torch.broadcast_tensors(self.mean, self.var)  # torch.broadcast_shapes would import sympy
        if not self.var.any():
            return mean
        noise = torch.randn(mean.shape, generator=generator, dtype=mean.dtype, device=mean.device)
        return self.mean + self.var.sqrt() * noise

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-density of each element of ``x`` (B, …), in nats; sum over the pixels yourself."""
        return -((x - self.mean) ** 2 / self.var + self.var.log() + LOG_2PI) / 2

    def kl(self, other: Gaussian) -> Tensor:
        """KL(self || other) of each element, (B, …), in nats; at least 0, and 0 only where the two are equal."""
        ratio = self.var / other.var
        return (ratio - 1 - ratio.log() + (self.mean - other.mean) ** 2 / other.var) / 2


@dataclass(frozen=True, eq=False)
class GaussianMixture:
    """A mixture of K isotropic Gaussians in D dimensions: weights (K,), means (K, D), variances (K,).

    Points are (B, D), also for D = 1. Component k is the label k. Taught in notebook 02.

    Raises:
        ValueError: shapes do not fit, weights do not sum to 1, or a variance is negative; later, points are not (B, D).
    """

    weights: Tensor
    means: Tensor
    variances: Tensor

    def __post_init__(self):
        shapes = tuple(self.weights.shape), tuple(self.means.shape), tuple(self.variances.shape)
        if self.means.ndim != 2 or shapes[0] != shapes[1][:1] or shapes[2] != shapes[1][:1]:
            raise ValueError(
                f"weights {shapes[0]}, means {shapes[1]}, variances {shapes[2]}: want (K,), (K, D) and (K,)"
            )
        if (self.weights < 0).any() or abs(self.weights.sum().item() - 1) > 1e-5:
            raise ValueError(f"weights sum to {self.weights.sum().item():.6g}, not 1: divide them by their sum")
        if (self.variances < 0).any():
            raise ValueError(f"variances has {self.variances.min().item():.3g}: every variance is at least 0")

    def __repr__(self):
        args = (f"torch.tensor({x.tolist()}, dtype={x.dtype})" for x in self._parts)
        return f"GaussianMixture({', '.join(args)})"

    @property
    def _parts(self):
        return self.weights, self.means, self.variances

    @property
    def dim(self) -> int:
        """D, the number of coordinates of a point."""
        return self.means.shape[1]

    @property
    def mean(self) -> Tensor:
        """E[x], (D,)."""
        return self.weights @ self.means

    @property
    def covariance(self) -> Tensor:
        """Cov[x], (D, D): the components' own variance plus the spread of their means."""
        spread = self.means - self.mean
        within = (self.weights @ self.variances) * torch.eye(self.dim).to(self.means)
        return within + (self.weights[:, None] * spread).T @ spread

    def to(self, like: Tensor) -> GaussianMixture:
        """The same mixture in the dtype and on the device of ``like``."""
        return GaussianMixture(*(part.to(like) for part in self._parts))

    def component(self, k: int) -> GaussianMixture:
        """Component k alone, as a mixture of one."""
        return GaussianMixture(torch.ones_like(self.weights[:1]), self.means[[k]], self.variances[[k]])

    def sample(
        self, n: int, generator: torch.Generator | None = None, *, labels: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Draw n points, (n, D); with ``labels=True`` also the component of each, (n,)."""
        k = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        x = Gaussian(self.means[k], self.variances[k, None]).sample(generator)
        return (x, k) if labels else x

    def marginal(self, alpha: float | Tensor, sigma: float | Tensor) -> GaussianMixture:
        """The mixture of ``x_t = alpha * x_0 + sigma * eps``, alpha and sigma being numbers."""
        return GaussianMixture(self.weights, alpha * self.means, alpha**2 * self.variances + sigma**2)

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x) of points (B, D), as (B,), in nats."""
        return self._log_joint(x, 1.0, 0.0).logsumexp(1)

    def score(self, x: Tensor) -> Tensor:
        """grad_x log p(x) of points (B, D), as (B, D)."""
        self._check_points(x)
        pull = (self.means - x[:, None]) / self.variances[:, None]
        return (self.responsibilities(x)[..., None] * pull).sum(1)

    def responsibilities(self, x: Tensor, alpha: float | Tensor = 1.0, sigma: float | Tensor = 0.0) -> Tensor:
        """p(component k | x_t) of noised points (B, D), as (B, K)."""
        return self._log_joint(x, alpha, sigma).softmax(1)

    def posterior_mean(self, x: Tensor, alpha: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """E[x_0 | x_t] and E[eps | x_t] of noised points ``x`` (B, D), both (B, D): the best possible denoiser.

        ``alpha`` and ``sigma`` are numbers or (B, 1). Neither answer divides by alpha or sigma, so alpha = 0 (pure
        noise) is no special case; nor is sigma = 0, unless the point then lies on a component of variance 0.
        """
        self._check_points(x)
        alpha, sigma = (torch.as_tensor(c, dtype=x.dtype, device=x.device) for c in (alpha, sigma))
        var = alpha**2 * self.variances + sigma**2  # (K,) or (B, K)
        shrink, noise = (alpha * self.variances / var)[..., None], (sigma / var)[..., None]
        miss = x[:, None] - alpha[..., None] * self.means  # (B, K, D)
        r = self.responsibilities(x, alpha, sigma)[..., None]
        return (r * (self.means + shrink * miss)).sum(1), (r * (noise * miss)).sum(1)

    def _check_points(self, x: Tensor) -> None:
        """Refuse points that are not (B, D): other shapes would be broadcast against the means."""
        if x.ndim != 2 or x.shape[1] != self.dim:
            remedy = "take x[:, None]" if x.ndim == self.dim == 1 else f"a row is the {self.dim} coordinates of a point"
            raise ValueError(f"points have shape {tuple(x.shape)}, this mixture takes (B, {self.dim}): {remedy}")

    def _log_joint(self, x: Tensor, alpha: float | Tensor, sigma: float | Tensor) -> Tensor:
        """log w_k + log N(x; alpha m_k, alpha² v_k + sigma²), (B, K)."""
        self._check_points(x)
        alpha, sigma = (torch.as_tensor(c, dtype=x.dtype, device=x.device) for c in (alpha, sigma))
        var = alpha**2 * self.variances + sigma**2
        rows = max(1, DIFFERENCES // self.means.numel())  # of many points and components, a part at a time
        factors = alpha.split(rows) if alpha.ndim and len(alpha) > 1 else [alpha] * len(x.split(rows))
        distance = torch.cat(
            [
                (part[:, None] - factor[..., None] * self.means).square().sum(-1)
                for part, factor in zip(x.split(rows), factors, strict=True)
            ]
        )
        return self.weights.log() - (distance / var + self.dim * (var.log() + LOG_2PI)) / 2
