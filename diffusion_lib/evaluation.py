"""How good are the samples? Numbers with error bars, next to what real data would score.

Fréchet distance (Dowson and Landau 1982; Heusel et al. 2017, eq. 6): fit a Gaussian to the features of each set,

    d = |m_a - m_b|² + tr(C_a + C_b - 2 (C_a^1/2 C_b C_a^1/2)^1/2),

0 if means and covariances agree. Ours are features of a small `Classifier` of the same data, in standard deviations of
those data, so the number compares with nothing outside this course. Estimated from n samples a set it is biased
upwards by about const / n (Chong and Forsyth 2020): two sets of *real* pictures do not score 0. That `real_floor`, at
the same n, is what a perfect model would score.

Sliced Wasserstein (Rabin et al. 2011): along a direction u, the best way to move one set of numbers onto another is in
sorted order; SW_p^p = E_u integral_0^1 |F_a^-1(q) - F_b^-1(q)|^p dq, u uniform on the unit sphere.

Precision and recall (Kynkäänniemi et al. 2019, eq. 1 and 2): a set's manifold is the union of balls about its points,
each reaching its k-th nearest neighbour in the set. Precision is the share of samples in the data's manifold
(fidelity), recall the share of data in the samples' (diversity).

Error bars of statistics come from the bootstrap (Efron 1979). Taught in notebook 11.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .checkpoints import bundled, read, write
from .data import Dataset

CLASSIFIER_FORMAT = "diffusion_lib classifier 1"


@dataclass(frozen=True)
class Estimate:
    """A number and how far it scatters: one standard deviation, in the same units. Prints as value ± spread."""

    value: float
    spread: float

    def __str__(self):
        unknown = self.spread == 0 or not math.isfinite(self.spread)
        digits = 2 if unknown else max(0, 1 - int(f"{self.spread:e}".split("e")[1]))
        return f"{self.value:.{digits}f} ± {self.spread:.{digits}f}"


# --- a classifier, for its features -------------------------------------------------------------


class Classifier(nn.Module):
    """A small convolutional classifier of pictures (B, channels, size, size) in [-1, 1] into `classes`. Notebook 11.

    Stages of 3 × 3 convolutions bring the picture down to 4 × 4; one linear layer makes a code of `dim` numbers of it,
    another the logits. `extra` counts the values of further attributes to tell apart. Raises ValueError for a
    size that is not 4 times a power of 2.
    """

    def __init__(
        self,
        channels: int = 1,
        size: int = 8,
        *,
        classes: tuple[str, ...],
        extra: tuple[int, ...] = (),
        width: int = 24,
        dim: int = 64,
    ):
        super().__init__()
        halvings = size.bit_length() - 3
        if size < 4 or size != 4 << halvings:
            raise ValueError(f"size={size}: the classifier halves pictures down to 4, so use 4, 8, 16, 32 or 64")
        self.config = {"channels": channels, "size": size, "classes": list(classes), "extra": list(extra)}
        self.config |= {"width": width, "dim": dim}
        self.classes = tuple(classes)
        self.shape = (channels, size, size)
        self.groups = [len(classes), *extra]  # logits of each attribute, the label first
        strides = [2] * halvings if size > 8 else [1] + [2] * halvings
        self.stages = nn.ModuleList()
        for i, stride in enumerate(strides):
            outputs = width if i == 0 else 2 * width
            convolution = nn.Conv2d(channels, outputs, 3, stride=stride, padding=1)
            self.stages.append(nn.Sequential(convolution, nn.GroupNorm(8, outputs), nn.ReLU()))
            channels = outputs
        self.code = nn.Linear(16 * channels, dim)
        self.head = nn.Linear(dim, sum(self.groups))
        total = dim + width + 2 * width * (len(strides) - 1)
        self.register_buffer("mean", torch.zeros(total))  # of the features, over the training data
        self.register_buffer("std", torch.ones(total))

    def levels(self, images: Tensor) -> tuple[list[Tensor], Tensor]:
        """Each stage's activations, averaged over the picture, and the code (B, dim)."""
        if tuple(images.shape[1:]) != self.shape:
            wanted = ", ".join(map(str, self.shape))
            raise ValueError(f"pictures have shape {tuple(images.shape)}, this classifier takes (B, {wanted})")
        averages, h = [], images
        for stage in self.stages:
            h = stage(h)
            averages.append(h.mean((2, 3)))
        return averages, self.code(h.flatten(1))

    def features(self, images: Tensor) -> Tensor:
        """Pictures (B, C, H, W) -> features (B, D): texture from every stage, meaning from the code, in standard
        deviations of the training data. The code alone would not notice noise: it was trained to see through it."""
        averages, code = self.levels(images)
        return (torch.cat([*averages, code], dim=1) - self.mean) / self.std

    def logits(self, images: Tensor) -> list[Tensor]:
        """Pictures (B, C, H, W) -> the logits of every attribute, the label's first."""
        return list(self.head(F.relu(self.levels(images)[1])).split(self.groups, dim=1))

    def forward(self, images: Tensor) -> Tensor:
        """Pictures (B, C, H, W) -> logits (B, classes)."""
        return self.logits(images)[0]


def train_classifier(
    data: Dataset, *, steps: int = 300, batch: int = 128, lr: float = 3e-3, seed: int = 0
) -> Classifier:
    """Train a classifier on labelled pictures, in seconds; the same arguments give the same one. Notebook 11.

    On `shapes` it learns all four attributes. Colour, size and background come at once, the shape itself takes many
    more steps: `data.shapes.recognise` reads it exactly. Raises ValueError for data without pictures or labels.
    """
    if not data.is_images or data.labels is None:
        raise ValueError(f"{data.name} has no labelled pictures: use 'digits', 'shapes' or another set with labels")
    if (data.labels < 0).any():
        data = data.subset(data.labels >= 0)
    targets, extra = data.labels[:, None], ()
    if data.attributes is not None:
        targets = torch.cat([targets, data.attributes[:, 1:]], dim=1)
        extra = tuple(int(column.max()) + 1 for column in data.attributes[:, 1:].T)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        classifier = Classifier(*data.shape[:2], classes=data.classes, extra=extra)
    optimizer = torch.optim.AdamW(classifier.parameters(), lr=lr, weight_decay=0.05)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps, pct_start=0.1)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        rows = torch.randint(len(data), (batch,), generator=generator)
        logits = classifier.logits(data.x[rows])
        sum(F.cross_entropy(y, target) for y, target in zip(logits, targets[rows].T, strict=True)).backward()
        optimizer.step()
        optimizer.zero_grad()
        rate.step()
    seen = features(data.x, classifier.eval())
    classifier.mean.copy_(seen.mean(0))
    classifier.std.copy_(seen.std(0).clamp(min=1e-6))
    return classifier


def save_classifier(path: str | Path, classifier: Classifier) -> None:
    """Write a classifier to one safetensors file that `load_classifier` rebuilds it from. Notebook 11."""
    write(path, classifier.state_dict(), {"format": CLASSIFIER_FORMAT, "config": json.dumps(classifier.config)})


def load_classifier(path: str | Path | None = None) -> Classifier:
    """Rebuild a classifier from a file; without one, that of the digits which comes with the course. Notebook 11.

    The bundled one is `train_classifier(data.load("digits"))`. Raises ValueError for a file of another kind.
    """
    path = bundled("digits_classifier") if path is None else path
    tensors, text = read(path)
    if text.get("format") != CLASSIFIER_FORMAT:
        raise ValueError(f"{path} is a {text.get('format', 'file')!r}, not a classifier: make one with save_classifier")
    classifier = Classifier(**json.loads(text["config"]))
    classifier.load_state_dict(tensors)
    return classifier.eval()


@torch.no_grad()
def features(images: Tensor, classifier: Classifier, *, batch: int = 512) -> Tensor:
    """The classifier's features (B, dim) of pictures (B, C, H, W) in [-1, 1]. Notebook 11.

    Warns if no pixel is below 0: pictures in [0, 1] would be measured as if they were washed out.
    """
    if len(images) and images.min() >= 0 and images.max() > 0:
        warnings.warn("no pixel is below 0: if the pictures are in [0, 1], pass 2 * x - 1", stacklevel=2)
    device = next(classifier.parameters()).device
    return torch.cat([classifier.features(part.to(device).float()) for part in images.split(batch)]).cpu()


@torch.no_grad()
def classify(images: Tensor, classifier: Classifier, *, batch: int = 512) -> Tensor:
    """The most likely label (B,) of each picture (B, C, H, W). Notebook 08."""
    device = next(classifier.parameters()).device
    return torch.cat([classifier(part.to(device).float()).argmax(1) for part in images.split(batch)]).cpu()


def accuracy(images: Tensor, labels: Tensor, classifier: Classifier) -> Estimate:
    """The share of pictures (B, C, H, W) that the classifier gives their label (B,). Notebook 08.

    Its spread is the standard error. Raises ValueError unless there is one label a picture.
    """
    if labels.shape != images.shape[:1] or not len(labels):
        raise ValueError(f"labels have shape {tuple(labels.shape)} for {len(images)} pictures: give one for each")
    right = (classify(images, classifier) == labels.cpu()).double()
    return Estimate(float(right.mean()), float((right.mean() * (1 - right.mean()) / len(right)).sqrt()))


# --- Frechet distance ---------------------------------------------------------------------------


def root(matrix: Tensor) -> Tensor:
    """The square root of a symmetric matrix (D, D) without negative eigenvalues; rounding's are taken for 0."""
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T


def gaussian_frechet(mean_a: Tensor, cov_a: Tensor, mean_b: Tensor, cov_b: Tensor) -> float:
    """The Frechet distance of two Gaussians with means (D,) and covariances (D, D), in float64. Notebook 11."""
    mean_a, cov_a, mean_b, cov_b = (v.double() for v in (mean_a, cov_a, mean_b, cov_b))
    half = root(cov_a)
    cross = torch.linalg.eigvalsh(half @ cov_b @ half).clamp(min=0).sqrt().sum()
    distance = (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * cross
    return max(0.0, float(distance))


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """The Frechet distance between features a (N, D) and b (M, D), 0 or more, in squared units. Notebook 11.

    Raises ValueError if a set has fewer than 2 rows, other columns, or a row that is not finite.
    """
    a, b = _rows("a", a), _rows("b", b)
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"a has {a.shape[1]} features and b has {b.shape[1]}: take both from the same classifier")
    return gaussian_frechet(a.mean(0), _covariance(a), b.mean(0), _covariance(b))


def frechet(images_a: Tensor, images_b: Tensor, classifier: Classifier) -> float:
    """The Frechet distance between two sets of pictures (N, C, H, W) in the classifier's features. Notebook 11."""
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
    """What real data score against real data: mean and spread of the Frechet distance over `repeats` draws of
    disjoint random subsets of n and of `against` (default n) rows. Notebook 11.

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
    _check_repeats(repeats)
    x = x if classifier is None else features(x, classifier)
    generator = torch.Generator().manual_seed(seed)
    found = torch.empty(repeats, dtype=torch.float64)
    for i in range(repeats):
        rows = torch.randperm(len(x), generator=generator)
        found[i] = frechet_distance(x[rows[:n]], x[rows[n : n + m]])
    return Estimate(float(found.mean()), float(found.std()))


def bootstrap(statistic: Callable[..., float], *samples: Tensor, repeats: int = 50, seed: int = 0) -> Estimate:
    """statistic(*samples), and its spread when every sample (N, …) is drawn again from its own rows. Notebook 11.

    Rows drawn twice raise a Frechet distance, so the mean over the draws is not used. Raises ValueError for fewer than
    two repeats.
    """
    _check_repeats(repeats)
    generator = torch.Generator().manual_seed(seed)
    again = [
        statistic(*(s[torch.randint(len(s), (len(s),), generator=generator)] for s in samples)) for _ in range(repeats)
    ]
    return Estimate(float(statistic(*samples)), float(torch.tensor(again, dtype=torch.float64).std()))


# --- distances without a classifier -------------------------------------------------------------


def wasserstein(a: Tensor, b: Tensor, *, p: float = 2.0) -> Tensor:
    """W_p^p between the columns of a (N, K) and b (M, K), as (K,): exact, also for N other than M. Notebook 11.

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
    """The sliced Wasserstein distance SW_p between a (N, …) and b (M, …), in the units of x. Notebook 11.

    The same `seed` gives the same directions, so numbers compare. Raises ValueError as `frechet_distance` does.
    """
    a, b = _rows("a", a.flatten(1), least=1), _rows("b", b.flatten(1), least=1)
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
    """For each sample (B, …), its k nearest rows of data (N, …). A distance of 0 is a copy. Notebook 11."""
    x, y = _rows("samples", samples.flatten(1), least=1), _rows("data", data.flatten(1), least=1)
    if not 1 <= k <= len(y):
        raise ValueError(f"k={k} of {len(y)} rows: use 1 to {len(y)}")
    found = []
    for part in x.split(batch):
        index = torch.cdist(part, y).topk(k, largest=False).indices
        distance = (part[:, None] - y[index]).square().sum(2).sqrt()  # again, without the rounding of |x|² - 2xy + |y|²
        found.append((distance, index))
    return Neighbours(*(torch.cat(column) for column in zip(*found, strict=True)))


class PrecisionRecall(NamedTuple):
    """precision: the share of samples that could be data; recall: the share of data that could be samples."""

    precision: float
    recall: float


def precision_recall(samples: Tensor, data: Tensor, *, k: int = 3) -> PrecisionRecall:
    """Fidelity and diversity of samples (B, …) against data (N, …), rows or features. Notebook 11.

    Both depend on B, N and k: compare like with like. Raises ValueError unless 1 <= k < B and N.
    """
    x, y = _rows("samples", samples.flatten(1)), _rows("data", data.flatten(1))
    if not 1 <= k < min(len(x), len(y)):
        raise ValueError(f"k={k} with {len(x)} samples and {len(y)} data: use 1 to {min(len(x), len(y)) - 1}")
    return PrecisionRecall(_inside(x, y, k), _inside(y, x, k))


def _inside(points: Tensor, others: Tensor, k: int, batch: int = 256) -> float:
    """The share of points (B, D) in at least one ball about another (N, D) that reaches its k-th neighbour."""
    radius = torch.cat(
        [
            _exact(part, others).kthvalue(k + 1, dim=1).values
            for part in others.split(batch)  # the first is itself
        ]
    )
    inside = [(_exact(part, others) <= radius).any(dim=1) for part in points.split(batch)]
    return float(torch.cat(inside).double().mean())


def _exact(a: Tensor, b: Tensor) -> Tensor:
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


def _check_repeats(repeats: int) -> None:
    if repeats < 2:
        raise ValueError(f"repeats={repeats}: a spread needs at least 2 draws")


def _covariance(x: Tensor) -> Tensor:
    centred = x - x.mean(0)
    return centred.T @ centred / (len(x) - 1)


def _rows(name: str, x: Tensor, *, least: int = 2) -> Tensor:
    """x (N, D) in float64 on the CPU, checked."""
    if x.ndim != 2 or len(x) < least:
        raise ValueError(f"{name} has shape {tuple(x.shape)}: it must be (N, D) with N at least {least}")
    x = x.detach().cpu().double()
    broken = (~x.isfinite().all(dim=1)).nonzero()
    if len(broken):
        count = f"{len(broken)} of {len(x)} rows"
        raise ValueError(f"{name}[{int(broken[0])}] is not finite ({count}): leave those rows out, and say how many")
    return x
