r"""The best denoiser that sees, at each pixel, only a patch around it (Kamb and Ganguli 2024, arXiv 2412.20292).

A convolutional network cannot compare whole pictures: each pixel of its answer depends on a neighbourhood, and by the
same rule everywhere. The best answer under these two restrictions is known. Let phi be the noised patch around a pixel,
and phi_1, phi_2, … the clean patches of all training pictures, of every place; the pixel's answer is

.. math:: \hat x_0 = \sum_k w_k\,c_k, \qquad w = \mathrm{softmax}_k\Bigl(-\frac{|\phi-\alpha\phi_k|^2}{2\sigma^2}\Bigr),

with c_k the pixel in the middle of phi_k. Every pixel is remembered from the training set, and no picture need be.

At the border a patch sticks out of the picture. What sticks out is left out of the comparison, and a pixel is compared
only with those patches that stick out in the same way: the paper's boundary-broken machine, for a network that notices
the border by its zero padding. So if the patch is so large that every pixel sees the whole picture, the answer is that
of :class:`Empirical`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..conditions import Condition
from ..predictions import Prediction
from ..schedules import Schedule, Time

PAIRS = 2**23
"""How many pairs of patches are compared at a time: a third of 100 MB in float32."""


@dataclass(frozen=True, eq=False)
class Local:
    """The best denoiser of pictures ``data`` (N, C, H, W) in which a pixel sees a patch alone. Taught in notebook 11.

    ``patch`` is the side of the square that a pixel sees, odd: 1 is the pixel itself, 2 H - 1 the whole picture. It may
    be a function of t, since a network looks farther in more noise. ``anywhere`` takes patches from every place that
    has the same border (translation-equivariant), else from the pixel's own place alone. Computed in the precision of
    x, to about 1e-7/sigma² of the data's range. The time grows with N · (H W)², so it is meant for small pictures.

    Raises:
        ValueError: data that are no pictures, a patch that is even or below 1, pictures of another shape, a condition.
    """

    data: Tensor
    schedule: Schedule
    patch: int | Callable[[float], int] = 3
    anywhere: bool = True

    def __post_init__(self):
        if self.data.ndim != 4 or not len(self.data):
            raise ValueError(f"data have shape {tuple(self.data.shape)}: give pictures (N, C, H, W), N at least 1")
        if not callable(self.patch):
            check_patch(self.patch)

    def null(self, cond: Condition) -> Condition:
        """It takes no condition."""
        if cond is not None:
            raise ValueError("Local takes no condition: leave cond out, or give it the data of one class alone")

    def __call__(self, x: Tensor, t: Time, cond: Condition = None) -> Prediction:
        self.null(cond)
        if x.shape[1:] != self.data.shape[1:]:
            raise ValueError(
                f"x has shape {tuple(x.shape)}, the data are (N, {', '.join(map(str, self.data.shape[1:]))})"
            )
        alpha, sigma = self.schedule.pair(t, x)
        sides = [self.side(float(time)) for time in torch.as_tensor(t).flatten()]
        x0 = torch.empty_like(x)
        for side in set(sides):
            rows = torch.tensor([one == side for one in sides], device=x.device).expand(len(x))
            a, s = (c.expand(len(x), 1, 1, 1)[rows].reshape(-1, 1, 1) for c in (alpha, sigma))
            x0[rows] = self._guess(x[rows], a, s, side // 2)
        eps = torch.where(sigma > 0, (x - alpha * x0) / sigma.clamp(min=torch.finfo(x.dtype).tiny), torch.zeros_like(x))
        return Prediction(x0, eps)

    def side(self, t: float) -> int:
        """The side of the patch at time ``t``."""
        return check_patch(self.patch(t)) if callable(self.patch) else self.patch

    def _guess(self, x: Tensor, alpha: Tensor, sigma: Tensor, reach: int) -> Tensor:
        """E[x_0] of every pixel of x (B, C, H, W), given the pixels up to ``reach`` away; alpha, sigma: (B, 1, 1)."""
        data, answer = self.data.to(x), torch.empty_like(x)
        for rows in alike(x.shape[2], reach, self.anywhere):
            for columns in alike(x.shape[3], reach, self.anywhere):
                places = [(i, j) for i in rows for j in columns]
                noised, clean = (patches(pictures, places, reach) for pictures in (x, data))  # (B, P, K), (N, P, K)
                middles = torch.stack([data[:, :, i, j] for i, j in places], 1).flatten(0, 1)  # (N P, C)
                means = weighted(noised, clean.flatten(0, 1), middles, alpha, sigma)  # (B, P, C)
                for place, (i, j) in enumerate(places):
                    answer[:, :, i, j] = means[:, place]
        return answer


def check_patch(side: int) -> int:
    """Refuse a patch without a pixel in its middle."""
    if isinstance(side, bool) or not isinstance(side, int) or side < 1 or side % 2 == 0:
        raise ValueError(f"patch={side!r} has no pixel in its middle: use 1, 3, 5 …")
    return side


def alike(size: int, reach: int, anywhere: bool = True) -> list[list[int]]:
    """The places 0 … size - 1 in groups whose patches stick out of the picture in the same way."""
    groups: dict[object, list[int]] = {}
    for i in range(size):
        overlap = (min(i, reach), min(size - 1 - i, reach))
        groups.setdefault(overlap if anywhere else i, []).append(i)
    return list(groups.values())


def patches(pictures: Tensor, places: list[tuple[int, int]], reach: int) -> Tensor:
    """The patches (B, P, K) of pictures (B, C, H, W) around P places that are alike, without what sticks out."""
    return torch.stack(
        [
            pictures[:, :, max(i - reach, 0) : i + reach + 1, max(j - reach, 0) : j + reach + 1].flatten(1)
            for i, j in places
        ],
        dim=1,
    )


def weighted(noised: Tensor, clean: Tensor, middles: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """The means (B, P, C) of ``middles`` (M, C), weighted by how well ``clean`` (M, K) explain ``noised`` (B, P, K)."""
    counts = torch.ones(len(clean)).to(clean)
    if clean.shape[1] == middles.shape[1]:  # single pixels: each grey once
        clean, counts = clean.unique(dim=0, return_counts=True)
        middles = clean
    centre = clean.mean(0)  # smaller numbers round less
    noised, clean = noised - alpha * centre, clean - centre
    half = clean.square().sum(1) / 2
    means = noised.new_empty(*noised.shape[:2], middles.shape[1])  # first: among large blocks it would leave holes
    block = max(1, PAIRS // len(clean))
    for one, a, s, answer in zip(noised, alpha[:, 0], sigma[:, 0], means, strict=True):
        for part, out in zip(one.split(block), answer.split(block), strict=True):
            score = a * (part @ clean.T) - a**2 * half  # -|phi - alpha phi_k|² / 2, but for what all share
            score = score - score.amax(1, keepdim=True)  # the best weighs most, also where sigma = 0
            score = score / (s**2).clamp(min=torch.finfo(score.dtype).tiny) + counts.log()
            out.copy_(score.softmax(1) @ middles)
    return means
