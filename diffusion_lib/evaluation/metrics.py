"""How far are samples from data? Three answers: Fréchet distance, sliced Wasserstein distance, precision and recall.

Fréchet distance (Dowson and Landau 1982; Heusel et al. 2017, eq. 6): fit a Gaussian to the features of each set,

    d = |m_a - m_b|² + tr(C_a + C_b - 2 (C_a^1/2 C_b C_a^1/2)^1/2),

0 if means and covariances agree. Ours are features of a small `Classifier` of the same data. Estimated from n samples a
set, the distance is biased upwards by about const / n (Chong and Forsyth 2020), so two sets of *real* pictures do not
score 0. What they do score at the same n is the `real_floor`: a perfect model scores that.

Sliced Wasserstein (Rabin et al. 2011): along a direction u, the best way to move one set of numbers onto another is in
sorted order; SW_p^p = E_u integral_0^1 |F_a^-1(q) - F_b^-1(q)|^p dq, u uniform on the unit sphere.

Precision and recall (Kynkäänniemi et al. 2019, eq. 1 and 2): a set's manifold is the union of balls about its points,
each reaching its k-th nearest neighbour in the set. Precision is the share of samples in the data's manifold
(fidelity), recall the share of data in the samples' (diversity).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ..data import Dataset
from ..schedules.schedule import check_whole
from .classifier import Classifier, features
from .estimates import Estimate, check_repeats


def root(matrix: Tensor) -> Tensor:
    """The square root of a symmetric matrix (D, D) without negative eigenvalues; those of rounding count as 0."""
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T


def gaussian_frechet(mean_a: Tensor, cov_a: Tensor, mean_b: Tensor, cov_b: Tensor) -> float:
    """The Frechet distance of two Gaussians with means (D,) and covariances (D, D), in float64."""
    mean_a, cov_a, mean_b, cov_b = (v.double() for v in (mean_a, cov_a, mean_b, cov_b))
    half = root(cov_a)
    cross = torch.linalg.eigvalsh(half @ cov_b @ half).clamp(min=0).sqrt().sum()
    distance = (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * cross
    return max(0.0, float(distance))


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """The Frechet distance between features a (N, D) and b (M, D), 0 or more, in squared units. Notebook 11.

    Raises ValueError if a set has fewer than 2 rows, other columns, or a row that is not finite.
    """
    a, b = check_rows("a", a), check_rows("b", b)
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"a has {a.shape[1]} features and b has {b.shape[1]}: take both from the same classifier")
    return gaussian_frechet(a.mean(0), _covariance(a), b.mean(0), _covariance(b))


def frechet(images_a: Tensor, images_b: Tensor, classifier: Classifier) -> float:
    """The Frechet distance between two sets of pictures (N, C, H, W) in the classifier's features."""
    return frechet_distance(features(images_a, classifier), features(images_b, classifier))


def real_floor(
    real: Dataset | Tensor,
    n: int,
    classifier: Classifier | None,
    *,
    against: int | None = None,
    repeats: int = 20,
    seed: int = 0,
) -> Estimate:
    """What real data score against real data: mean and spread of the Frechet distance between two parts of them.

    The parts are disjoint random rows, n and `against` (default n) of them, drawn `repeats` times.
    `real` is a data set, pictures (N, C, H, W), or features (N, D) with classifier=None. A model that is as good
    as the data scores this, not 0. Raises ValueError if there are not enough rows for both subsets, or for fewer than
    two repeats.
    """
    x = real.x if isinstance(real, Dataset) else real
    m = n if against is None else against
    if min(n, m) < 2 or n + m > len(x):
        raise ValueError(
            f"n={n} and against={m} need {max(n + m, 4)} different real rows, there are {len(x)}: "
            f"use n={max(2, min(n, len(x) // 2))} or more data"
        )
    check_repeats(repeats)
    x = x if classifier is None else features(x, classifier)
    generator = torch.Generator().manual_seed(seed)
    distances = torch.empty(repeats, dtype=torch.float64)
    for i in range(repeats):
        rows = torch.randperm(len(x), generator=generator)
        distances[i] = frechet_distance(x[rows[:n]], x[rows[n : n + m]])
    return Estimate(float(distances.mean()), float(distances.std()))


def wasserstein(a: Tensor, b: Tensor, *, p: float = 2.0) -> Tensor:
    """W_p^p between the columns of a (N, K) and b (M, K), as (K,): exact, also for N other than M.

    Both inverse distribution functions are steps, at multiples of 1/N and 1/M; each piece between steps adds its
    width times |difference|^p.
    """
    a, b = a.sort(dim=0).values, b.sort(dim=0).values
    n, m = len(a), len(b)
    ends = torch.cat([m * torch.arange(1, n + 1), n * torch.arange(1, m + 1)]).unique()  # in units of 1 / (n m)
    widths = torch.diff(ends, prepend=ends.new_zeros(1)).to(a) / (n * m)
    gaps = (a[(ends - 1) // m] - b[(ends - 1) // n]).abs() ** p
    return widths @ gaps


def sliced_wasserstein(a: Tensor, b: Tensor, *, directions: int = 500, p: float = 2.0, seed: int = 0) -> float:
    """The sliced Wasserstein distance SW_p between a (N, …) and b (M, …), in the units of x.

    The same `seed` gives the same directions, so numbers compare. It is what POT's `ot.sliced_wasserstein_distance`
    computes, in ten lines to read and without a package to install. Raises ValueError as `frechet_distance` does, and
    unless `directions` is a whole number of at least 1. Taught in notebook 06.
    """
    check_whole("directions", directions)
    a, b = check_rows("a", a.flatten(1), least=1), check_rows("b", b.flatten(1), least=1)
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"a has {a.shape[1]} numbers a row and b has {b.shape[1]}: they must be equal")
    generator = torch.Generator().manual_seed(seed)
    u = F.normalize(torch.randn(a.shape[1], directions, generator=generator, dtype=torch.float64), dim=0)
    total = sum(float(wasserstein(a @ part, b @ part, p=p).sum()) for part in u.split(50, dim=1))
    return (total / directions) ** (1 / p)


class Neighbours(NamedTuple):
    """The nearest rows of the data, nearest first: distance (B, k), Euclidean, and index (B, k)."""

    distance: Tensor
    index: Tensor


def nearest_neighbours(samples: Tensor, data: Tensor, *, k: int = 1, batch: int = 256) -> Neighbours:
    """For each sample (B, …), its k nearest rows of data (N, …). A distance of 0 is a copy.

    That is why it is not scikit-learn's `NearestNeighbors`: a copy of a picture is 7e-6 away by its brute force, and
    its trees, which are exact, take seven times as long at 3072 pixels. Raises ValueError unless 1 <= k <= N, and as
    `frechet_distance` does.
    """
    x, y = check_rows("samples", samples.flatten(1), least=1), check_rows("data", data.flatten(1), least=1)
    if not 1 <= k <= len(y):
        raise ValueError(f"k={k} of {len(y)} rows: use 1 to {len(y)}")
    parts = []
    for part in x.split(batch):
        index = torch.cdist(part, y).topk(k, largest=False).indices
        distance = (part[:, None] - y[index]).square().sum(2).sqrt()  # cdist computes |x|² - 2xy + |y|², which rounds
        parts.append((distance, index))
    return Neighbours(*(torch.cat(column) for column in zip(*parts, strict=True)))


class PrecisionRecall(NamedTuple):
    """precision: the share of samples that could be data; recall: the share of data that could be samples."""

    precision: float
    recall: float


def precision_recall(samples: Tensor, data: Tensor, *, k: int = 3) -> PrecisionRecall:
    """Fidelity and diversity of samples (B, …) against data (N, …), rows or features. Notebook 11.

    Both depend on B, N and k: compare like with like. Raises ValueError unless 1 <= k < B and N.
    """
    x, y = check_rows("samples", samples.flatten(1)), check_rows("data", data.flatten(1))
    if not 1 <= k < min(len(x), len(y)):
        raise ValueError(f"k={k} with {len(x)} samples and {len(y)} data: use 1 to {min(len(x), len(y)) - 1}")
    return PrecisionRecall(_inside(x, y, k), _inside(y, x, k))


def _inside(points: Tensor, others: Tensor, k: int, batch: int = 256) -> float:
    """The share of points (B, D) in at least one ball about another (N, D) that reaches its k-th neighbour."""
    nearest = k + 1  # the first of them is the point itself
    radius = torch.cat([_exact(part, others).kthvalue(nearest, dim=1).values for part in others.split(batch)])
    inside = [(_exact(part, others) <= radius).any(dim=1) for part in points.split(batch)]
    return float(torch.cat(inside).double().mean())


def _exact(a: Tensor, b: Tensor) -> Tensor:
    """Distances (N, M) by subtraction: both sides of a comparison must round alike."""
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


def _covariance(x: Tensor) -> Tensor:
    return torch.atleast_2d(x.T.cov())  # torch gives a number for one column


def check_rows(name: str, x: Tensor, *, least: int = 2) -> Tensor:
    """x (N, D) in float64 on the CPU. Raises ValueError for another shape, fewer rows, or a row that is not finite."""
    if x.ndim != 2 or len(x) < least:
        raise ValueError(f"{name} has shape {tuple(x.shape)}: it must be (N, D) with N at least {least}")
    x = x.detach().cpu().double()
    infinite = (~x.isfinite().all(dim=1)).nonzero()
    if len(infinite):
        count = f"{len(infinite)} of {len(x)} rows"
        raise ValueError(f"{name}[{int(infinite[0])}] is not finite ({count}): leave those rows out, and say how many")
    return x
