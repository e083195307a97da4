"""Paths between two noises that stay as long as noise is."""

from __future__ import annotations

import torch
from torch import Tensor


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
