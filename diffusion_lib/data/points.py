r"""Points in one and two dimensions, from distributions whose mean and variance are known in closed form.

Each distribution is moved to mean 0 and scaled by one number, so that the variance averaged over the
coordinates is 1:

    x = (raw - mean) / scale,    scale² = trace(covariance) / D.

Mean and scale are those of the distribution, never those of a sample: two draws come from one distribution.
For a mixture of Gaussians, `mean = Σ w_k μ_k` and `trace = Σ w_k (D σ_k² + |μ_k - mean|²)`, and the result is
again a mixture. So `mixture` and `mixture_1d` come with their exact distribution, and with it the score, the
best denoiser and the likelihood at every noise level (notebook 04).
"""

import math
import string

import torch
from torch import Generator

from ..gaussians import GaussianMixture
from .dataset import Dataset
from .sources import DATASETS


@DATASETS.register
def mixture(count: int, generator: Generator) -> Dataset:
    """Four blobs of unequal weight and width in the plane; no symmetry that could hide a mistake."""
    exact = standardised(
        weights=[0.4, 0.3, 0.2, 0.1],
        means=[[-1.5, -0.8], [1.4, -1.0], [0.6, 1.5], [-1.2, 1.3]],
        deviations=[0.35, 0.25, 0.30, 0.15],
    )
    return from_mixture("mixture", exact, count, generator)


@DATASETS.register
def mixture_1d(count: int, generator: Generator) -> Dataset:
    """Two peaks of unequal weight and width on a line."""
    exact = standardised(weights=[0.6, 0.4], means=[[-1.0], [1.0]], deviations=[0.15, 0.25])
    return from_mixture("mixture_1d", exact, count, generator)


def from_mixture(name: str, mixture: GaussianMixture, count: int, generator: Generator) -> Dataset:
    """Points drawn from a mixture, which goes with them; their labels say from which component: A, B, …"""
    x, labels = mixture.sample(count, generator, labels=True)
    classes = tuple(string.ascii_uppercase[: len(mixture.weights)])
    return Dataset(name, x.float(), labels=labels, classes=classes, mixture=mixture)


def standardised(weights: list[float], means: list[list[float]], deviations: list[float]) -> GaussianMixture:
    """The mixture of weights (K,), means (K, D) and deviations (K,), moved to mean 0 and variance 1."""
    w, mu, var = (torch.tensor(v, dtype=torch.float64) for v in (weights, means, [s**2 for s in deviations]))
    mu = mu - w @ mu
    scale2 = w @ (var + (mu**2).mean(1))
    return GaussianMixture(w, mu / scale2.sqrt(), var / scale2)


@DATASETS.register
def moons(count: int, generator: Generator, *, noise: float = 0.07) -> Dataset:
    """Two interleaved half circles of radius 1 with Gaussian noise, labelled by moon."""
    label = torch.randint(2, (count,), generator=generator)
    angle = math.pi * torch.rand(count, generator=generator)
    side = 1.0 - 2 * label  # +1: upper moon, -1: lower moon, turned by 180°
    raw = side[:, None] * torch.stack([angle.cos() - 0.5, angle.sin() - 0.25], 1)  # (0.5, 0.25) is the centre
    raw = raw + noise * torch.randn(count, 2, generator=generator)
    # E[(cos - 1/2)²] = 1/2 + 1/4 and E[(sin - 1/4)²] = 1/2 - 1/π + 1/16, for an angle uniform on [0, π]
    variance = (0.75 + 0.5625 - 1 / math.pi) / 2 + noise**2
    x = raw / math.sqrt(variance)
    return Dataset("moons", x, labels=label, classes=("upper", "lower"))


@DATASETS.register
def swiss_roll(count: int, generator: Generator, *, noise: float = 0.25) -> Dataset:
    """The spiral `a * (cos a, sin a)`, a uniform on [1.5π, 4.5π], with Gaussian noise."""
    low, high = 1.5 * math.pi, 4.5 * math.pi
    angle = low + (high - low) * torch.rand(count, generator=generator)
    raw = angle[:, None] * torch.stack([angle.cos(), angle.sin()], 1) + noise * torch.randn(
        count, 2, generator=generator
    )
    # ∫ a cos a = a sin a + cos a,  ∫ a sin a = sin a - a cos a,  E[a²] = (high³ - low³) / 3 / (high - low)
    mean = torch.tensor(
        [
            high * math.sin(high) + math.cos(high) - low * math.sin(low) - math.cos(low),
            math.sin(high) - high * math.cos(high) - math.sin(low) + low * math.cos(low),
        ]
    ) / (high - low)
    variance = ((high**3 - low**3) / 3 / (high - low) - (mean**2).sum().item()) / 2 + noise**2
    x = (raw - mean) / math.sqrt(variance)
    return Dataset("swiss_roll", x)


@DATASETS.register
def rings(count: int, generator: Generator, *, noise: float = 0.06) -> Dataset:
    """Three circles of radius 0.6, 1.3 and 2 with Gaussian noise, labelled by ring."""
    radii = torch.tensor([0.6, 1.3, 2.0])
    label = torch.randint(3, (count,), generator=generator)
    angle = 2 * math.pi * torch.rand(count, generator=generator)
    raw = radii[label, None] * torch.stack([angle.cos(), angle.sin()], 1) + noise * torch.randn(
        count, 2, generator=generator
    )
    x = raw / math.sqrt((radii**2).mean().item() / 2 + noise**2)
    return Dataset("rings", x, labels=label, classes=("inner", "middle", "outer"))


@DATASETS.register
def checkerboard(count: int, generator: Generator) -> Dataset:
    """Uniform on the 8 black squares of a 4 × 4 board."""
    row = torch.randint(4, (count,), generator=generator)
    column = 2 * torch.randint(2, (count,), generator=generator) + row % 2
    raw = torch.stack([column, row], 1) + torch.rand(count, 2, generator=generator) - 2
    x = raw / math.sqrt(4**2 / 12)  # each coordinate is uniform on [-2, 2]
    return Dataset("checkerboard", x)
