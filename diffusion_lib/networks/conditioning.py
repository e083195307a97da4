"""How a network is told the time and what is asked for: one vector c for each sample.

Time becomes a vector of waves. With D = dim / 2 frequencies w_k = 10000^(-k / D), k = 0 … D - 1,

    time_embedding(t) = [cos(1000 t w_0), …, cos(1000 t w_{D-1}), sin(1000 t w_0), …, sin(1000 t w_{D-1})]

so that neighbouring times look alike and far ones do not (Vaswani et al. 2017, section 3.5; the factor 1000 makes t the
timestep of a 1000-step chain, as in Ho et al. 2020). A small MLP turns it into c, and the class's own vector is added.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor, nn

from .. import conditions
from .network import Network


def time_embedding(t: Tensor, dim: int) -> Tensor:
    """Turn times t (B,) in [0, 1] into waves (B, dim), cosines first. `dim` is even. Notebook 04.

    Angles are computed in float32 or better: in bfloat16, 1000 t would lose whole timesteps.
    """
    if dim < 2 or dim % 2:
        raise ValueError(f"dim={dim} is not an even number above 0: half are cosines, half are sines")
    t = t.to(torch.promote_types(t.dtype, torch.float32))
    half = dim // 2
    frequencies = torch.exp(-math.log(10_000) / half * torch.arange(half, dtype=t.dtype, device=t.device))
    angles = 1000 * t[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=1)


class Conditioning(nn.Module):
    """(t (B,), labels (B,) or None) -> c (B, width): the time's waves through an MLP, plus the class's vector.

    Row 0 of the class table is the vector of "no class asked for", so guidance can ask the same network both ways.
    """

    def __init__(self, width: int, classes: int):
        super().__init__()
        if classes < 0:
            raise ValueError(f"classes={classes} is below 0: use 0 for a network without labels")
        self.width, self.classes = width, classes
        self.time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.label = nn.Embedding(classes + 1, width) if classes else None

    @property
    def conditional(self) -> bool:
        """Whether it knows classes."""
        return self.classes > 0

    def null(self, cond: Tensor) -> Tensor:
        """Labels (B,) that ask for no class in particular."""
        return conditions.null_labels(cond)

    def forward(self, t: Tensor, cond: Tensor | None, batch: int) -> Tensor:
        if t.shape != (batch,):
            raise ValueError(f"t has shape {tuple(t.shape)}, the batch needs ({batch},): one time per sample")
        c = self.time(time_embedding(t, self.width).to(self.time[0].weight.dtype))
        if cond is not None:
            self.check(cond, batch)
        if self.label is None:
            return c
        row = torch.zeros_like(t, dtype=torch.long) if cond is None else cond + 1
        return c + self.label(row)

    def check(self, cond: Tensor, batch: int) -> None:
        """Refuse labels of the wrong shape or, on the CPU where looking costs nothing, out of range."""
        if cond.shape != (batch,) or cond.is_floating_point():
            raise ValueError(f"cond is {cond.dtype} of shape {tuple(cond.shape)}, it must be int64 of shape ({batch},)")
        if cond.device.type == "cpu":
            conditions.check_labels(cond, self.classes)


class Reader(Protocol):
    """What reads a condition: it knows whether it can, which ones are wrong, and what "nothing was asked for" is."""

    conditional: bool

    def check(self, cond: Tensor, batch: int) -> None: ...

    def null(self, cond: Tensor) -> Tensor: ...


class ConditionedNetwork(Network):
    """A network whose ``conditioning`` reads the condition, unless it says that something else does."""

    conditioning: Conditioning

    @property
    def reader(self) -> Reader:
        """What reads the condition."""
        return self.conditioning

    @property
    def conditional(self) -> bool:
        """Whether the network takes a condition."""
        return self.reader.conditional

    def check(self, cond: Tensor, batch: int) -> None:
        """Refuse a condition that the network does not know, or that is not for ``batch`` samples."""
        self.reader.check(cond, batch)

    def null(self, cond: Tensor | None) -> Tensor | None:
        """The condition, in the form of ``cond``, by which nothing in particular is asked for."""
        return super().null(cond) if cond is None or not self.conditional else self.reader.null(cond)
